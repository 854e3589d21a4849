"""Stacks that come to have one name, and what tells their clusters apart: nobody takes another one's cluster."""

from __future__ import annotations

import getpass
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.omni.resources import KERNEL_ARGS
from tests.e2e import server
from tests.e2e.project import PROJECT, Project, kill
from tests.sweeps import sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.simulator.server import Simulator

MARK = "organization/test/dev/main"
REFUSED = f"and was created by this resource ({MARK})."
IMPORT = "opts=pulumi.ResourceOptions(import_='main')"


@dataclass(frozen=True)
class Moved:
    """Where a cluster `main` is after it has left the stack `dev`.

    Attributes:
        mark: Its mark from the next `up` on.
        project: The project that has it.
        stack: The stack that has it.
        old: A project whose stack `dev` asks for it as before.
    """

    mark: str
    project: Project
    stack: str
    old: Project


def another(project: Project, pulumi: dict[str, str], omni: dict[str, str], base: Path) -> Project:
    """A project of the same name in another folder, on the same backend."""
    base.mkdir()
    other = Project.create(base, pulumi, omni)
    other.environment["PULUMI_BACKEND_URL"] = project.environment["PULUMI_BACKEND_URL"]
    return other


def rename_stack(project: Project, old: Project) -> Moved:
    project.run("stack", "rename", "prod")
    old.init()
    return Moved("organization/test/prod/main", project, "prod", old)


def rename_project(project: Project, old: Project) -> Moved:
    project.run("stack", "rename", "organization/shop/dev")
    (project.folder / "Pulumi.yaml").write_text(PROJECT.replace("name: test", "name: shop"))
    old.init()
    return Moved("organization/shop/dev/main", project, "dev", old)


def move_resource(project: Project, old: Project) -> Moved:
    project.init("prod")
    stacks = ("--source", "organization/test/dev", "--dest", "organization/test/prod")
    project.run("state", "move", *stacks, project.urn("main"), "--yes")
    return Moved("organization/test/prod/main", project, "prod", old)


@pytest.mark.parametrize("move", sample([rename_stack, rename_project, move_resource]))
def test_a_cluster_stays_with_the_state_that_has_it_wherever_that_moves(
    move: Callable[[Project, Project], Moved],
    project: Project,
    omni: Client,
    omni_environment: dict[str, str],
    pulumi: dict[str, str],
    tmp_path: Path,
) -> None:
    old = another(project, pulumi, omni_environment, tmp_path / "old")
    for each in (project, old):
        for stack in ("dev", "prod"):
            each.clusters({"main": {"workers": 1}}, stack)
    project.init()
    project.up()
    before = server.uuids(omni)

    moved = move(project, old)
    refused = moved.old.up("--stack", "dev", fails=True)
    assert REFUSED in refused.told["main"]
    assert IMPORT in refused.told["main"]
    moved.old.destroy("--stack", "dev")
    assert server.uuids(omni) == before

    up = moved.project.up("--stack", moved.stack)
    assert up.changes["updated"] == 1, up.output
    assert server.owners(omni, "main") == {moved.mark}
    assert server.uuids(omni) == before == moved.project.uuids(moved.stack)
    assert server.runs(omni, "main")

    # From now on Omni itself says whose it is.
    foreign = moved.old.preview("--stack", "dev", fails=True)
    assert f"is managed by the Pulumi resource {moved.mark}" in foreign.told["main"]


@pytest.mark.sweep
def test_a_renamed_stack_can_be_refreshed_and_destroyed_before_any_up(project: Project, omni: Client) -> None:
    project.init()
    project.clusters({"main": {"workers": 1, "kernel_args": ["console=ttyS0"]}})
    project.up()
    project.run("stack", "rename", "prod")
    refreshed = project.refresh()
    assert refreshed.changes == {"unchanged": 5}, refreshed.output
    assert server.owners(omni, "main") == {MARK}
    assert project.destroy().changes == {"deleted": 5}
    assert server.uuids(omni) == {}
    # What stays with the machines belongs to nobody now.
    assert [each for each in omni.state.list(KERNEL_ARGS) if server.OWNER in each.annotations] == []


@pytest.mark.sweep
def test_a_stack_of_the_same_name_on_another_backend_leaves_the_cluster_alone(
    project: Project, omni: Client, omni_environment: dict[str, str], pulumi: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Project.create(tmp_path / "other", pulumi, omni_environment)
    project.clusters({"main": {"workers": 1}})
    other.clusters({"main": {"workers": 2}})
    for each in (project, other):
        each.init()
    project.up()
    before, machines = server.uuids(omni), server.machines(omni, "main")

    preview = other.preview()
    assert f"cluster main exists, and this resource ({MARK}) has created it." in preview.told["main"]
    assert "If it is not shown as a replacement, the state was lost and `pulumi up` will fail" in preview.told["main"]
    refused = other.up(fails=True)
    assert REFUSED in refused.told["main"]
    assert IMPORT in refused.told["main"]
    other.destroy()
    assert server.uuids(omni) == before
    assert server.machines(omni, "main") == machines
    assert project.refresh().changes == {"unchanged": 5}


@pytest.mark.sweep
def test_of_two_stacks_of_one_name_that_create_a_cluster_at_once_one_gets_it(
    project: Project,
    simulator: Simulator,
    omni: Client,
    free_machines: list[str],
    omni_environment: dict[str, str],
    pulumi: dict[str, str],
    tmp_path: Path,
) -> None:
    (tmp_path / "other").mkdir()
    other = Project.create(tmp_path / "other", pulumi, omni_environment)
    for each in (project, other):
        each.init()
        each.clusters({"main": {"workers": 1}})
    simulator.faults.never_join |= set(free_machines)
    allocated = server.allocated(simulator)
    process = project.start("up", "--yes", "--skip-preview")
    try:
        assert allocated.wait(120)
        refused = other.up(fails=True)
        simulator.faults.never_join.clear()
        project.finish(process)
    finally:
        kill(process)
    by = f"{getpass.getuser()}@{platform.node()}"
    assert f"cluster 'main' is being created by {by}, last seen at " in refused.told["main"]
    server.is_as_stored(project, omni)
