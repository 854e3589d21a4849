"""`KSailCluster` in a program in Pulumi YAML, with the real `pulumi` and its language host."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi import testing
from ksail_pulumi.omni.resources import CLUSTER, CONFIG_PATCH, MACHINE_SET_NODE
from ksail_pulumi.testing import Simulator
from tests.e2e.project import ROOT, Project

if TYPE_CHECKING:
    from collections.abc import Mapping

EXAMPLE = ROOT / "examples" / "pulumi-yaml"
CANARY = "canary-4c1f9e"

omni = testing.omni


@pytest.fixture
def yaml_project(tmp_path: Path, pulumi: dict[str, str], omni: Simulator, omni_endpoint: str) -> Project:
    """The example, on an Omni that only the stack's configuration names; the virtual environment is not on PATH."""
    if omni_endpoint:
        pytest.skip("the example chooses the name and the size of its cluster")
    environment = _without_virtual_environment(pulumi)
    if shutil.which("pulumi-language-yaml", path=environment["PATH"]) is None:
        pytest.skip("needs pulumi-language-yaml beside the pulumi command")
    project = Project.create(tmp_path, environment, {}, EXAMPLE)
    project.init()
    secrets = {"omni:serviceAccountKey": omni.service_account_key, "token": CANARY}
    marked = [text for name, value in secrets.items() for text in ("--secret", f"{name}={value}")]
    project.run("config", "set-all", "--plaintext", f"omni:endpoint={omni.endpoint}", *marked)
    return project


def _without_virtual_environment(pulumi: Mapping[str, str]) -> dict[str, str]:
    own = str(Path(sys.prefix, "bin"))
    path = ":".join(folder for folder in pulumi["PATH"].split(":") if folder != own)
    return {**pulumi, "PATH": path}


def test_a_life_in_pulumi_yaml(yaml_project: Project, omni: Simulator) -> None:
    project = yaml_project
    up = project.up()
    assert up.changes == {"created": 6}, up.output
    assert re.search(r"kubeconfig *: \[secret\]", up.output), up.output
    assert [cluster.id for cluster in omni.store.list(CLUSTER)] == ["west"]
    patches = [patch.spec.data for patch in omni.store.list(CONFIG_PATCH)]
    assert (EXAMPLE / "talos" / "time.yaml").read_text() in patches
    assert any(CANARY in patch for patch in patches)

    project.preview("--expect-no-changes")
    project.run("config", "set", "workers", "2")
    preview = project.preview("--diff")
    assert "~ workers: 1 => 2" in preview.output
    assert "west-workers gets " in preview.output
    assert preview.changes == {"update": 1, "unchanged": 5}, preview.output
    project.up()
    assert len(omni.store.list(MACHINE_SET_NODE)) == 3

    project.refresh("--expect-no-changes")
    destroyed = project.destroy()
    assert destroyed.changes == {"deleted": 6}, destroyed.output
    assert list(omni.store.list(CLUSTER)) == []
    assert CANARY not in project.stored_text()


@pytest.mark.sweep
def test_a_mistake_and_a_missing_virtual_environment_are_named(yaml_project: Project) -> None:
    settings = yaml_project.folder / "Pulumi.yaml"
    text = settings.read_text()
    settings.write_text(text.replace("create: 45m", "create: soon"))
    mistake = yaml_project.preview(fails=True).output
    assert 'timeouts.create: "soon" is not a duration' in mistake
    settings.write_text(text.replace("virtualenv: .venv", "compiler: ''"))
    missing = yaml_project.preview(fails=True).output
    assert "does not have the package ksail-pulumi. Name the virtual environment" in missing
    assert "Traceback" not in mistake + missing
