"""The locked and atomic change of a file that others change too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ksail_pulumi.access import files
from ksail_pulumi.errors import ConfigFileError, SettingsError
from tests.access.test_kubeconfig import names

WRITER = """\
import sys
from pathlib import Path
from ksail_pulumi.access.files import change
from ksail_pulumi.access.kubeconfig import Context, merged
for number in range(20):
    context = Context(f"{sys.argv[2]}-{number}", {"server": "https://s"}, {"token": "t"})
    change(Path(sys.argv[1]), lambda text: merged(text, sys.argv[1], context))
"""


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_file_and_its_folder_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "kube" / "config"
    seen = []

    def changed(text: str) -> str:
        seen.append((text, (tmp_path / "kube" / "config.lock").exists()))
        return "a: 1\n"

    files.change(file, changed)
    assert seen == [("", True)]
    assert (file.read_text(), mode(file), mode(file.parent)) == ("a: 1\n", 0o600, 0o700)
    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_others_could_read_becomes_private(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("a: 1\n")
    file.chmod(0o644)
    files.change(file, lambda text: f"{text}b: 2\n")
    assert (file.read_text(), mode(file)) == ("a: 1\nb: 2\n", 0o600)


def test_an_unchanged_text_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("a: 1\n")
    before = file.stat()
    files.change(file, lambda text: text)
    assert file.stat().st_ino == before.st_ino


def test_a_link_stays_a_link_and_both_are_locked(tmp_path: Path) -> None:
    target, link = tmp_path / "real" / "config", tmp_path / "config"
    target.parent.mkdir()
    link.symlink_to(target)
    files.change(
        link, lambda _: str((target.with_name("config.lock").exists(), link.with_name("config.lock").exists()))
    )
    assert link.is_symlink()
    assert target.read_text() == "(True, True)"


@pytest.mark.parametrize("spelling", ["linked/config", "linked/../kube/config", "kube/../kube/config", "twice/config"])
def test_a_file_has_one_lock_in_every_spelling(spelling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WAIT_SECONDS", 0.1)
    file = tmp_path / "kube" / "config"
    (tmp_path / "linked").symlink_to(file.parent)  # the folder is missing until the change
    (tmp_path / "twice").symlink_to("linked")
    files.change(tmp_path / spelling, lambda _: str([each.name for each in file.parent.iterdir()]))
    assert file.read_text() == "['config.lock']"
    assert list(file.parent.iterdir()) == [file]


def test_a_link_to_itself_is_reported(tmp_path: Path) -> None:
    (tmp_path / "kube").symlink_to("kube")
    with pytest.raises(ConfigFileError, match="cannot write the file: "):
        files.change(tmp_path / "kube" / "config", str)


def test_a_path_that_cannot_be_looked_at_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match="cannot read the file: File name too long"):
        files.text_of(tmp_path / ("x" * 300))


def test_a_failing_change_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("a: 1\n")
    with pytest.raises(ZeroDivisionError):
        files.change(file, lambda _: str(1 // 0))
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_text() == "a: 1\n"


def test_a_locked_file_is_waited_for_and_then_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, lock = tmp_path / "config", tmp_path / "config.lock"
    lock.touch()
    timer = threading.Timer(0.2, lock.unlink)
    timer.start()
    files.change(file, lambda _: "a: 1\n")
    timer.join()
    assert file.read_text() == "a: 1\n"

    lock.touch()
    monkeypatch.setattr(files, "WAIT_SECONDS", 0.1)
    with pytest.raises(ConfigFileError) as locked:
        files.change(file, lambda _: "a: 2\n")
    assert str(locked.value) == f"{file}: the file is locked: if no kubectl is changing it, delete {lock}"
    assert (file.read_text(), lock.exists()) == ("a: 1\n", True)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "kube").touch()
    with pytest.raises(ConfigFileError, match="config: cannot write the file: "):
        files.change(tmp_path / "kube" / "config", str)


def started(file: Path, name: str) -> subprocess.Popen[bytes]:
    """A process that adds 20 contexts, one after the other."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen([sys.executable, "-c", WRITER, str(file), name], env=environment)


def test_two_processes_lose_no_change_of_each_other(tmp_path: Path) -> None:
    file = tmp_path / "config"
    writers = [started(file, name) for name in ("one", "two")]
    assert [writer.wait() for writer in writers] == [0, 0]
    wanted = {f"{name}-{number}" for name in ("one", "two") for number in range(20)}
    assert set(names(file.read_text(), "contexts")) == wanted
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
def test_no_change_that_kubectl_makes_meanwhile_is_lost(tmp_path: Path) -> None:
    file, wanted = tmp_path / "config", set()
    writer = started(file, "one")
    while writer.poll() is None:
        name = f"two-{len(wanted)}"
        command = ["kubectl", "config", "--kubeconfig", str(file), "set-context", name, "--cluster", "c"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            wanted.add(name)
        else:
            assert "config.lock: file exists" in done.stderr
    assert writer.returncode == 0
    # kubectl reads the file before it locks it, so it can lose changes of others.
    assert wanted <= set(names(file.read_text(), "contexts"))


def test_the_files_are_those_that_kubectl_and_talosctl_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("one")
    one, two = tmp_path / "one", tmp_path / "two"
    assert files.kubeconfig_files({}) == [tmp_path / ".kube" / "config"]
    assert files.kubeconfig_files({"KUBECONFIG": ""}) == [tmp_path / ".kube" / "config"]
    both = os.pathsep.join(["one", str(two), "", "link", str(one)])
    assert files.kubeconfig_files({"KUBECONFIG": both}) == [one, two]
    assert files.talosconfig_file({}) == tmp_path / ".talos" / "config"
    assert files.talosconfig_file({"TALOSCONFIG": "t"}) == tmp_path / "t"


def test_a_home_folder_that_is_not_known_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="~nobody-of-this-name/config: user not found"):
        files.expanded("~nobody-of-this-name/config")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    with pytest.raises(SettingsError, match="~/west: the home folder is not known: set the environment variable HOME"):
        files.expanded("~/west")
