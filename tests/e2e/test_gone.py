"""Somebody deletes the cluster, perhaps to create another one of its name, while nobody looks or while `up` waits."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.delete import delete
from ksail_pulumi.lifecycle.lease import finish_creation
from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.resources import CLUSTER, CLUSTER_MACHINE, LABEL_CLUSTER
from ksail_pulumi.plan.ownership import OwnershipMark
from tests.e2e import server

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.simulator.server import Simulator
    from ksail_pulumi.simulator.store import Event
    from tests.e2e.project import Project

REFRESH = "Run `pulumi refresh` to update the state"


def test_a_wait_ends_when_somebody_deletes_the_cluster_and_refresh_and_up_make_it_again(
    project: Project, simulator: Simulator, omni: Client, free_machines: list[str]
) -> None:
    expected = {("grown", 2), ("fresh", 1)}
    both_wait = threading.Event()

    def look(event: Event) -> None:
        if event.resource.type == CLUSTER_MACHINE:
            reached = {
                (cluster, count)
                for cluster, count in expected
                if len(simulator.store.list(CLUSTER_MACHINE, {LABEL_CLUSTER: cluster})) == count
            }
            if reached == expected:
                both_wait.set()

    project.init()
    project.clusters({"grown": {}})
    project.up()
    simulator.faults.never_join |= set(free_machines)
    simulator.store.subscribe(look)
    project.clusters({"grown": {"workers": 1}, "fresh": {}})
    process = project.start("up", "--yes", "--skip-preview", "--continue-on-error")
    assert both_wait.wait(120)
    for cluster in ("grown", "fresh"):
        omni.state.teardown(CLUSTER, cluster)
    failed = project.finish(process, fails=True)
    for cluster in ("grown", "fresh"):
        assert f"cluster '{cluster}' " in failed.told[cluster]
        assert "deleted by someone else" in failed.told[cluster]
        assert REFRESH in failed.told[cluster]
    assert "fresh" not in project.resources()

    preview = project.preview(fails=True)
    assert f"cluster 'grown' does not exist in Omni at {simulator.endpoint}" in preview.told["grown"]
    assert "run `pulumi refresh`" in preview.told["grown"]
    simulator.faults.never_join.clear()
    refreshed = project.refresh()
    assert "it is removed from the state" in refreshed.told["grown"]
    assert project.resources() == {}
    up = project.up()
    assert up.changes == {"created": 5, "replaced": 3, "unchanged": 1}, up.output
    server.is_as_stored(project, omni)


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("owner", "refusal"),
    [
        ("organization/test/dev/main", "cluster 'main' no longer exists in Omni "),
        ("organization/elsewhere/dev/main", "is now managed by the Pulumi resource organization/elsewhere/dev/main"),
    ],
)
def test_another_cluster_under_the_old_name_is_never_touched(
    project: Project, omni: Client, owner: str, refusal: str
) -> None:
    project.init()
    project.clusters({"main": {}})
    project.up()
    ours = server.uuids(omni)
    state = project.export()
    session = Session(omni, Deadline.after(120))
    delete("main", session)
    made = create(parse_cluster({"name": "main"}), OwnershipMark(owner), session)
    finish_creation(omni, "main", made.creation)
    theirs = server.uuids(omni)
    version = omni.state.get(CLUSTER, "main").version
    another = f"(a cluster of this name exists, but it is not the one with the UUID {ours['main']})"

    project.clusters({"main": {"workers": 1}})
    assert refusal in project.up(fails=True).told["main"]
    destroyed = project.destroy()
    assert destroyed.changes == {"deleted": 5}, destroyed.output
    assert f"{another}: there is nothing to delete" in destroyed.told["main"]
    project.import_(state)
    refreshed = project.refresh()
    assert "it is removed from the state" in refreshed.told["main"]
    assert project.resources() == {}
    again = project.up(fails=True)
    assert "opts=pulumi.ResourceOptions(import_='main')" in again.told["main"]
    assert server.uuids(omni) == theirs
    assert omni.state.get(CLUSTER, "main").version == version
    assert server.owners(omni, "main") == {owner}


@pytest.mark.sweep
def test_an_up_that_refreshes_never_ends_without_the_cluster(project: Project, omni: Client) -> None:
    project.init()
    project.clusters({"main": {}})
    project.up()
    before = server.uuids(omni)
    delete("main", Session(omni, Deadline.after(120)))
    up = project.up("--refresh")
    assert "it is removed from the state" in up.told["main"]
    assert up.changes == {"created": 1, "replaced": 3, "unchanged": 1}, up.output
    assert server.uuids(omni) != before
    server.is_as_stored(project, omni)
