"""What an interrupt or a kill leaves behind, and what the next commands make of it."""

from __future__ import annotations

import getpass
import json
import os
import platform
import signal
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.cli.app import main
from ksail_pulumi.omni.resources import CLUSTER
from tests.e2e import server
from tests.e2e.project import kill

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.simulator.server import Simulator
    from ksail_pulumi.simulator.store import Event
    from tests.e2e.project import Project

NEXT_STEP = "Run `pulumi destroy` again to wait for it, or `pulumi refresh` before the next `pulumi up`"
WAITING = {"main": {"on_delete": {"disconnected_machines": "wait"}}}


def interrupted_deletion(project: Project, simulator: Simulator, machines: list[str], *arguments: str) -> str:
    """Ctrl-C in a command while Omni deletes the cluster, which it cannot finish; what the command says of it."""
    begun = threading.Event()

    def look(event: Event) -> None:
        if event.resource.type == CLUSTER and event.resource.tearing_down:
            begun.set()

    simulator.faults.disconnected |= set(machines)
    simulator.store.subscribe(look)
    process = project.start(*arguments, "--yes", "--skip-preview")
    assert begun.wait(120)
    os.killpg(process.pid, signal.SIGINT)
    run = project.finish(process, fails=True)
    assert "Traceback" not in run.output
    return run.told["main"]


@pytest.mark.sweep
def test_a_refresh_takes_note_of_an_interrupted_destroy_and_up_creates_the_cluster_again(
    project: Project, simulator: Simulator, omni: Client, free_machines: list[str]
) -> None:
    project.init()
    project.clusters(WAITING)
    project.up()
    before = project.uuids()
    assert NEXT_STEP in interrupted_deletion(project, simulator, free_machines, "destroy")
    assert project.uuids() == before
    refreshed = project.refresh()
    assert "or is being deleted: it is removed from the state" in refreshed.told["main"]
    assert project.resources() == {}
    simulator.faults.disconnected.clear()
    project.up()
    assert server.uuids(omni)["main"] != before["main"]
    server.is_as_stored(project, omni)


@pytest.mark.sweep
def test_a_destroy_after_an_interrupted_one_waits_for_its_end(
    project: Project, simulator: Simulator, omni: Client, free_machines: list[str]
) -> None:
    project.init()
    project.clusters(WAITING)
    project.up()
    interrupted_deletion(project, simulator, free_machines, "destroy")
    simulator.faults.disconnected.clear()
    assert project.destroy().changes == {"deleted": 2}  # the children went before
    assert omni.state.find(CLUSTER, "main") is None
    assert project.resources() == {}


@pytest.mark.sweep
@pytest.mark.parametrize("again", ["refresh", "replace"])
def test_a_replacement_interrupted_while_it_deletes_can_be_ended(
    project: Project, simulator: Simulator, omni: Client, again: str
) -> None:
    project.init()
    project.clusters(WAITING)
    project.up()
    before = project.uuids()
    replacing = ("--replace", project.urn("main"))
    machines = list(server.machines(omni, "main"))  # without free machines, the replacement would be refused
    assert NEXT_STEP in interrupted_deletion(project, simulator, machines, "up", *replacing)
    simulator.faults.disconnected.clear()
    if again == "refresh":
        project.refresh()
        project.up()
    else:
        project.up(*replacing)
    assert server.uuids(omni)["main"] != before["main"]
    server.is_as_stored(project, omni)
    assert project.up().changes == {"unchanged": 5}


def killed_creation(project: Project, simulator: Simulator, machines: list[str], *arguments: str) -> None:
    """Everything that `pulumi up` started is killed while it waits for the cluster."""
    simulator.faults.never_join |= set(machines)
    allocated = server.allocated(simulator)
    process = project.start("up", "--yes", "--skip-preview", *arguments)
    assert allocated.wait(120)
    kill(process)
    simulator.faults.never_join.clear()
    project.run("cancel", "--yes")  # the lock of the killed command


def test_the_next_up_continues_a_creation_that_was_killed(
    project: Project, simulator: Simulator, omni: Client, free_machines: list[str]
) -> None:
    project.init()
    project.clusters({"main": {"workers": 1}})
    killed_creation(project, simulator, free_machines)
    before, machines = server.uuids(omni), server.machines(omni, "main")
    assert project.resources() == {}
    project.up()
    assert server.uuids(omni) == before
    assert server.machines(omni, "main") == machines
    server.is_as_stored(project, omni)


@pytest.mark.sweep
def test_the_next_up_continues_a_replacement_that_was_killed_while_it_creates(
    project: Project, simulator: Simulator, omni: Client, free_machines: list[str]
) -> None:
    project.init()
    project.clusters({"main": {}})
    project.up()
    old = server.uuids(omni)
    killed_creation(project, simulator, free_machines, "--replace", project.urn("main"))
    before = server.uuids(omni)
    assert before["main"] != old["main"]
    project.up()
    assert server.uuids(omni) == before
    server.is_as_stored(project, omni)
    assert project.destroy().changes["deleted"] == 5
    assert server.uuids(omni) == {}


@pytest.mark.sweep
def test_a_killed_creation_stays_in_omni_marked_and_nobody_else_gets_it_while_the_mark_is_young(
    project: Project,
    simulator: Simulator,
    omni: Client,
    free_machines: list[str],
    omni_environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def marked(by: str, age: timedelta) -> None:
        def modify(cluster: Resource) -> Resource:
            mark = json.loads(cluster.annotations[server.CREATION])
            mark |= {"by": by, "at": (datetime.now(UTC) - age).isoformat(timespec="seconds")}
            return replace(cluster, annotations={**cluster.annotations, server.CREATION: json.dumps(mark)})

        omni.state.modify(CLUSTER, "main", modify)

    project.init()
    project.clusters({"main": {"workers": 1}})
    killed_creation(project, simulator, free_machines)
    mark = server.creation(omni, "main")
    assert mark is not None
    assert (mark["by"], mark["done"]) == (f"{getpass.getuser()}@{platform.node()}", False)

    # Nothing says to destroy that there is a cluster; Omni's own list does.
    before = server.uuids(omni)
    destroyed = project.destroy()
    assert "pending" in destroyed.output
    assert server.uuids(omni) == before
    for variable, value in omni_environment.items():
        monkeypatch.setenv(variable, value)
    assert main(["list"]) == 0
    assert "creation not finished" in capsys.readouterr().out

    marked("ann@elsewhere", timedelta(seconds=30))
    refused = project.up(fails=True)
    assert "cluster 'main' is being created by ann@elsewhere, last seen at " in refused.told["main"]
    assert server.uuids(omni) == before
    marked("ann@elsewhere", timedelta(seconds=125))
    project.up()
    assert server.uuids(omni) == before
    server.is_as_stored(project, omni)
