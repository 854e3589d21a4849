"""The file of a context, where KUBECONFIG names several."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ksail_pulumi.access.kubeconfig import Context, merged
from ksail_pulumi.access.kubectl import file_of
from ksail_pulumi.errors import ConfigFileError
from tests.access.test_kubeconfig import OTHERS, SERVER, context


@pytest.fixture
def several(tmp_path: Path) -> list[Path]:
    return [tmp_path / name for name in ("one", "two", "three")]


def found(several: list[Path], name: str = "admin@west") -> Path:
    environ = {"KUBECONFIG": os.pathsep.join(map(str, several))}
    return file_of(name, cluster="west", server=SERVER, environ=environ)


def test_a_new_context_goes_where_kubectl_writes(several: list[Path]) -> None:
    assert found(several) == several[2]
    several[1].write_text(OTHERS)
    assert found(several) == several[1]
    several[0].write_text("")
    assert found(several) == several[0]
    assert found(several[2:]) == several[2]


def test_a_context_stays_in_its_file(several: list[Path]) -> None:
    several[0].write_text(OTHERS)
    several[1].write_text(merged(OTHERS, "two", context()))
    several[2].write_text(merged(OTHERS, "three", context(uuid="u-0")))
    assert found(several) == several[1]


def test_a_context_of_another_cluster_is_not_hidden(several: list[Path]) -> None:
    several[1].write_text(merged(OTHERS, "two", context()))
    several[2].write_text(merged(OTHERS, "three", context(cluster="east")))
    with pytest.raises(ConfigFileError, match=f'^{several[2]}:13: contexts.2.: context "admin@west" leads to another'):
        found(several)
    several[2].write_text("contexts: [\n")
    with pytest.raises(ConfigFileError, match=f"^{several[2]}:2: invalid YAML"):
        found(several)


def test_the_one_file_of_kubectl_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("contexts: [\n")
    assert found([tmp_path / "one"]) == tmp_path / "one"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
def test_kubectl_reads_the_context_from_the_same_file(several: list[Path]) -> None:
    for number, path in enumerate(several[1:]):
        made = Context("admin@west", {"server": f"https://s-{number}"}, {"token": "t"})
        path.write_text(merged("", str(path), made))
    environment = {**os.environ, "KUBECONFIG": os.pathsep.join(map(str, several))}
    command = ["kubectl", "config", "view", "--minify", "--context", "admin@west", "-o", "jsonpath={..server}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "https://s-0"
