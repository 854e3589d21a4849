"""Stacks that come to have one name, and what tells their clusters apart: nobody takes another one's cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.e2e import server
from tests.e2e.project import PROJECT, Project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ksail_pulumi.omni.client import Client

MARK = "organization/test/dev/main"
REFUSED = f"and this resource ({MARK}) has created it already."
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


SWEPT = [pytest.param(move, marks=pytest.mark.sweep) for move in (rename_project, move_resource)]


@pytest.mark.parametrize("move", [rename_stack, *SWEPT])
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
    assert moved.project.up("--stack", moved.stack).changes == {"unchanged": 2}

    # From now on Omni itself says whose it is.
    foreign = moved.old.preview("--stack", "dev", fails=True)
    assert f"is managed by the Pulumi resource {moved.mark}" in foreign.told["main"]
    moved.project.destroy("--stack", moved.stack)
    assert server.uuids(omni) == {}


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
    assert "If it is not shown as a replacement, the state was lost, and `pulumi up` refuses" in preview.told["main"]
    refused = other.up(fails=True)
    assert REFUSED in refused.told["main"]
    assert IMPORT in refused.told["main"]
    other.destroy()
    assert server.uuids(omni) == before
    assert server.machines(omni, "main") == machines
    assert project.refresh().changes == {"unchanged": 2}
