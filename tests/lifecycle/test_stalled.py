"""A wait that gets no further: which machines it names, and when."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from ksail_pulumi.errors import CancelledError, WaitTimeoutError
from ksail_pulumi.lifecycle.waiting.reporting import Reporter
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.resources import CLUSTER_MACHINE_STATUS, machine_name
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab


class Wait:
    """A reporter with its own time: `line` is how far the wait is."""

    def __init__(self, stall: float) -> None:
        self.line = ""
        self.silent = ""
        self.told: list[str] = []
        self.asked = 0
        self.reporter = Reporter(self.told.append, lambda: self.line, self.hold_ups, stall, lambda: self.silent)
        self.start = self.reporter._started

    def hold_ups(self) -> str:
        self.asked += 1
        return "held up by w2"

    def at(self, seconds: float, line: str = "", *, synced: bool = True) -> None:
        self.line = line or self.line
        self.reporter.report(self.start + seconds, changed=bool(line), synced=synced)


def test_after_a_minute_without_progress_the_line_names_what_holds_the_wait_up() -> None:
    wait = Wait(60.0)
    wait.at(1, "2/3 machines running")
    wait.at(29)
    assert wait.reporter.due - wait.start == 31
    wait.at(31)
    assert wait.told == ["2/3 machines running", "2/3 machines running (for 31s)"]
    wait.at(58)
    assert wait.reporter.due - wait.start == 61
    wait.at(61)
    assert wait.told[2:] == ["2/3 machines running, held up by w2"]
    assert wait.reporter.held_up == "held up by w2"
    wait.at(91)
    assert wait.told[3:] == ["2/3 machines running, held up by w2 (for 1m31s)"]


def test_within_seconds_the_line_says_that_omni_does_not_answer() -> None:
    wait = Wait(60.0)
    wait.at(1, "2/3 machines running")
    assert wait.reporter.due - wait.start == 6
    wait.at(6)
    wait.silent = "silent (4s)"
    wait.at(11, synced=False)
    wait.silent = "silent (9s)"
    wait.at(16, synced=False)
    assert wait.told[1:] == ["2/3 machines running, silent (4s)"], "once, although its text changes"
    assert wait.reporter.held_up == "silent (9s)"
    wait.silent = "silent (34s)"
    wait.at(41, synced=False)
    assert wait.told[2:] == ["2/3 machines running, silent (34s)"]
    wait.silent = ""
    wait.at(46)
    assert wait.told[3:] == ["2/3 machines running"]


def test_before_all_statuses_are_known_there_is_no_line() -> None:
    wait = Wait(60.0)
    wait.silent = "silent (4s)"
    wait.at(1, "nothing", synced=False)
    assert (wait.told, wait.reporter.due) == ([], float("inf"))
    wait.at(1, "2/3 machines running")
    assert wait.told == ["2/3 machines running, silent (4s)"]


def test_lines_that_come_again_are_no_progress() -> None:
    wait = Wait(60.0)
    for second in range(1, 70, 2):
        wait.at(second, "1 rebooting" if second % 4 == 1 else "1 booting")
    assert "held up by w2" in wait.told[-1]
    assert wait.asked == 1, "Omni is asked every half minute, not for every line"
    wait.at(71, "3/3 machines running")
    assert wait.told[-1] == "3/3 machines running"
    assert wait.reporter.held_up == ""


def test_a_machine_that_never_gets_ready_is_named_while_waiting_and_after_an_interrupt(
    lab: Lab, simulator: Simulator
) -> None:
    lost = sorted(machine.id for machine in simulator.machines)[1]
    simulator.faults.never_join.add(lost)
    rows = []

    def interrupt(line: str) -> None:
        if "held up by" in line and "1/2 machines running" in line:
            rows.append(line)
            lab.cancelled.set()

    lab.on_progress = interrupt
    with pytest.raises(CancelledError) as raised:
        lab.create(workers=1, session=replace(lab.session(), stall=2.0))
    name = machine_name(lab.client.state.get(CLUSTER_MACHINE_STATUS, lost))
    [row] = rows
    assert f"held up by {name}, {lab.name}-workers: connected, " in row
    first, second = str(raised.value).split("\n")
    assert first == (f"waiting for cluster {lab.name} was interrupted; changes already written to Omni are kept")
    assert second.startswith(f"Held up by {name}, {lab.name}-workers: connected, ")


@pytest.mark.parametrize("wait_for", ["ready", "running"])
def test_machines_that_have_not_joined_are_named(lab: Lab, simulator: Simulator, wait_for: str) -> None:
    off = sorted(machine.id for machine in simulator.machines)[2]
    unknown = str(uuid.uuid4())
    simulator.faults.disconnected.add(off)
    inputs = {"workers": [{"machines": [off, unknown]}], "waitFor": wait_for}
    with pytest.raises(WaitTimeoutError) as timed_out:
        lab.create(**inputs, session=lab.session(seconds=2))

    def interrupt(line: str) -> None:
        if "held up by" in line:
            lab.cancelled.set()

    lab.on_progress = interrupt
    with pytest.raises(CancelledError) as interrupted:
        lab.create(**inputs, session=replace(lab.session(), stall=0.5))
    for text in (lab.told[-1], str(timed_out.value), str(interrupted.value)):
        assert f"{unknown}: has not joined the cluster yet" in text
        assert off in text
        assert "not connected to Omni" in text


JOB = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: hc, namespace: default}\nspec: {template: {}}\n"


@pytest.mark.parametrize(
    ("api", "report"),
    [(2, "waiting to complete"), (3, "failed; job failed; output: the emulated check never passes")],
)
def test_health_checks_that_hold_an_upgrade_back_are_named_with_their_output(api: int, report: str) -> None:
    with Simulator(machines=1, api_version=api) as omni:
        client = connect(Connection(omni.endpoint, omni.service_account_key))
        lab = Lab(client, "held")
        inputs = {"healthChecks": [{"name": "hc", "job": JOB}], "kubernetesVersion": "v1.35.7"}
        outputs = lab.create(talosVersion="v1.13.7", **inputs)
        omni.faults.stuck_health_checks = True
        session = replace(lab.session(seconds=8), stall=2.0)
        with pytest.raises(WaitTimeoutError) as timed_out:
            lab.update(outputs, session=session, talosVersion="v1.13.8", **inputs)
        client.close()
    assert f"health check cluster-held-hc: {report}" in str(timed_out.value)
    assert "fix what they report, or remove them" in str(timed_out.value)
    assert any(f"held up by health check cluster-held-hc: {report}" in line for line in lab.told)
