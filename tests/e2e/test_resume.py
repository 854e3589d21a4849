"""What is left when `pulumi up` ends half-way, and how the next one goes on from there."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.omni.resources import CLUSTER
from tests.e2e import server

if TYPE_CHECKING:
    import subprocess

    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.simulator.server import Simulator
    from tests.e2e.project import Project


@pytest.mark.sweep
def test_a_create_that_runs_out_of_time_is_kept_and_the_next_up_continues_it(
    project: Project, simulator: Simulator, omni: Client, free_machines: list[str]
) -> None:
    simulator.faults.never_join |= set(free_machines)
    project.init()
    project.clusters({"main": {"workers": 1, "timeout": "10s"}})
    run = project.up(fails=True)
    assert "Traceback" not in run.output
    assert simulator.store.find(CLUSTER, "main") is not None
    kept = project.resources()["main"]
    assert kept["id"] == "main"
    assert kept["initErrors"]
    assert kept["outputs"]["ready"] is False
    assert project.uuids() == server.uuids(omni)
    assert server.creation(omni, "main") is None, "the state has the cluster now"

    audit = len(simulator.store.audit)
    simulator.faults.never_join.clear()
    project.clusters({"main": {"workers": 1}})
    run = project.up()
    assert run.changes == {"created": 3, "updated": 1, "unchanged": 1}, run.output
    assert project.outputs()["main"]["ready"] is True
    assert len(simulator.store.audit) == audit, "the second up had nothing to write"
    assert "initErrors" not in project.resources()["main"]


def interrupt(process: subprocess.Popen[str]) -> None:
    """Ctrl-C on the terminal: the whole process group gets it."""
    os.killpg(process.pid, signal.SIGINT)


def test_one_interrupt_ends_the_wait_and_nothing_is_lost(
    project: Project, simulator: Simulator, omni: Client, free_machines: list[str]
) -> None:
    simulator.faults.never_join |= set(free_machines)
    allocated = server.allocated(simulator)
    project.init()
    project.clusters({"main": {"workers": 1}})
    process = project.start("up", "--yes", "--skip-preview")
    assert allocated.wait(300)
    interrupt(process)
    run = project.finish(process, fails=True)
    assert "Traceback" not in run.output
    kept = project.resources()["main"]
    assert kept["id"] == "main"
    assert kept["outputs"]["ready"] is False
    assert project.uuids() == server.uuids(omni)
    assert server.creation(omni, "main") is None, "the state has the cluster now"

    simulator.faults.never_join.clear()
    project.up()
    assert project.outputs()["main"]["ready"] is True
    run = project.destroy()
    assert simulator.store.find(CLUSTER, "main") is None
