"""`tools/obtain_pulumi.py`, run as a program in a checkout of its own, with stand-ins for `pulumi` and `go`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).parents[2] / "tools"

# Builds what it is asked for as a script, leaves a line per build, and takes a moment.
GO = """#!/bin/sh
case $1 in
  list) echo "$SDK" ;;
  build)
    for word; do [ "$previous" = -o ] && folder=$word; previous=$word; done
    echo "$word" >> "$BUILDS"
    sleep 0.2
    printf '#!/bin/sh\\necho v3.276.0\\n' > "$folder/$(basename "$word")"
    chmod +x "$folder/$(basename "$word")" ;;
esac
"""


@dataclass
class Machine:
    """A machine with a checkout, a cache folder, and a PATH of its own."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "bin"

    @property
    def cache(self) -> Path:
        return self.folder / "cache" / "ksail-pulumi" / "pulumi"

    def install(self, name: str, script: str, *, to: str = "bin") -> Path:
        command = self.folder / to / name
        command.parent.mkdir(exist_ok=True)
        command.write_text(script)
        command.chmod(0o755)
        return command

    def install_go(self, script: str = GO) -> None:
        self.install("go", script)
        for name in ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python"):
            source = self.folder / "sdk" / name
            source.parent.mkdir(parents=True)
            source.write_text("#!/bin/sh\n")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        env = {
            "PATH": f"{self.path}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "BUILDS": str(self.folder / "builds"),
            "SDK": str(self.folder / "sdk"),
        }
        command = [sys.executable, self.folder / "checkout" / "tools" / "obtain_pulumi.py", *arguments]
        return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def obtain(self, *arguments: str) -> dict[str, Any]:
        stdout, _ = self.start("--json", *arguments).communicate(timeout=100)
        answer: dict[str, Any] = json.loads(stdout)
        return answer


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if any(os.access(f"/{folder}/{name}", os.X_OK) for folder in ("usr/bin", "bin") for name in ("pulumi", "go")):
        pytest.skip("pulumi or go is among the system's own commands")
    shutil.copytree(TOOLS, tmp_path / "checkout" / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "bin").mkdir()
    return Machine(tmp_path)


def test_the_users_own_pulumi_is_used_as_it_is(machine: Machine) -> None:
    machine.install("pulumi", "#!/bin/sh\necho v3.240.1\n")
    answer = machine.obtain()
    assert (answer["folder"], answer["version"], answer["origin"]) == (str(machine.path), "3.240.1", "PATH")
    searched = answer["env"]["PATH"].split(os.pathsep)
    assert searched == [str(machine.folder / "checkout/.venv/bin"), str(machine.path), "/usr/bin", "/bin"]


def test_a_pulumi_that_is_too_old_is_passed_over(machine: Machine) -> None:
    command = machine.install("pulumi", "#!/bin/sh\necho v3.237.9\n")
    assert f"{command} is v3.237.9, needed is at least v3.238" in machine.obtain()["reason"]


def test_a_pulumi_without_a_version_is_passed_over(machine: Machine) -> None:
    command = machine.install("pulumi", "#!/bin/sh\necho\n")
    assert f"{command} does not tell its version" in machine.obtain()["reason"]


def test_every_closed_way_is_named(machine: Machine) -> None:
    process = machine.start()
    stdout, stderr = process.communicate(timeout=100)
    assert (process.returncode, stdout) == (1, "")
    assert "no `pulumi` on PATH" in stderr
    assert "installer needs the virtual environment" in stderr
    assert "Go, to build it with, is not installed" in stderr


def test_it_is_built_once_and_kept(machine: Machine) -> None:
    machine.install_go()
    first = machine.start()
    stdout, stderr = first.communicate(timeout=100)
    assert stdout.strip() == str(machine.cache / "v3.276.0")
    assert stderr.startswith("pulumi: building v3.276.0 with Go: about ")
    assert len(stderr.splitlines()) == 1
    kept = {file.name for file in (machine.cache / "v3.276.0").iterdir() if os.access(file, os.X_OK)}
    assert kept == {
        "pulumi",
        "pulumi-language-python",
        "pulumi-language-python-exec",
        "pulumi-language-yaml",
        "pulumi-resource-pulumi-python",
    }

    again = machine.obtain("--cached")
    assert (again["folder"], again["origin"]) == (stdout.strip(), "cache")
    assert again["env"]["PATH"].split(os.pathsep)[:2] == [str(machine.folder / "checkout/.venv/bin"), stdout.strip()]
    assert len((machine.folder / "builds").read_text().splitlines()) == 3


def test_two_at_once_build_it_once(machine: Machine) -> None:
    machine.install_go()
    processes = [machine.start(), machine.start()]
    folders = {process.communicate(timeout=100)[0].strip() for process in processes}
    assert folders == {str(machine.cache / "v3.276.0")}
    assert len((machine.folder / "builds").read_text().splitlines()) == 3


def test_cached_neither_downloads_nor_builds(machine: Machine) -> None:
    machine.install_go()
    assert "none in" in machine.obtain("--cached")["reason"]
    assert not (machine.folder / "builds").exists()


def test_a_broken_one_in_the_cache_is_replaced(machine: Machine) -> None:
    machine.install_go()
    folder = Path(machine.obtain()["folder"])
    (folder / "pulumi").write_text("#!/bin/sh\nexit 1\n")
    assert machine.obtain()["version"] == "3.276.0"


def test_a_failed_build_leaves_nothing_behind(machine: Machine) -> None:
    machine.install_go("#!/bin/sh\necho 'go: no such module' >&2; exit 1\n")
    assert "`go build` failed: go: no such module" in machine.obtain()["reason"]
    assert [entry.name for entry in machine.cache.iterdir()] == ["lock"]
