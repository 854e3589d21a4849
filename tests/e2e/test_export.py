"""A cluster that nobody made with Pulumi, exported as a program, is taken over by that program without a change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.cli.app import main
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.resources import CLUSTER
from ksail_pulumi.plan.ownership import OwnershipMark

if TYPE_CHECKING:
    import pytest

    from ksail_pulumi.omni.client import Client
    from tests.e2e.project import Project


def test_an_exported_program_takes_the_cluster_over_and_then_has_nothing_to_do(
    project: Project,
    omni: Client,
    omni_environment: dict[str, str],
    cluster_name: str,
    free_machines: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = free_machines[0]
    inputs = {
        "name": cluster_name,
        "controlPlane": {"machines": [machine], "patches": [{"name": "a", "inline": {"machine": {"sysctls": {}}}}]},
        "machines": {machine: {"labels": {"rack": "b2"}}},
        "patches": [{"name": "text", "inline": "# kept\ncluster:\n  allowSchedulingOnControlPlanes: true\n"}],
        "kernelArgs": ["console=ttyS0"],
        "features": {"enableWorkloadProxy": True},
    }
    create(parse_cluster(inputs), OwnershipMark("somebody/else"), Session(omni, Deadline.after(600)))
    for variable, value in omni_environment.items():
        monkeypatch.setenv(variable, value)
    program = project.folder / "__main__.py"
    assert main(["export", cluster_name, "--as", "python", "--file", str(program), "--force"]) == 0

    before = omni.state.get(CLUSTER, cluster_name)
    project.init()
    run = project.up()
    assert run.changes == {"created": 5}, run.output  # the stack is one
    after = omni.state.get(CLUSTER, cluster_name)
    assert after.spec == before.spec
    assert OwnershipMark.owner_of(after) == f"organization/test/dev/{cluster_name}"
    assert project.resources()[cluster_name]["id"] == cluster_name
    assert project.preview("--expect-no-changes").changes == {"unchanged": 5}
