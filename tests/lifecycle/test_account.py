"""Checks of one run share a reading of the account, until it is stale."""

from __future__ import annotations

import threading
import time

import pytest

from ksail_pulumi.errors import OmniError
from ksail_pulumi.lifecycle import account
from ksail_pulumi.lifecycle.account import shared_reading, writing
from ksail_pulumi.lifecycle.needed import FREE_MACHINES
from ksail_pulumi.lifecycle.snapshot import take_snapshot
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.client import Client
from ksail_pulumi.omni.resources import MACHINE_CLASS, Resource
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab


def classes(client: Client, *, fresh: bool = False) -> set[str]:
    """The machine classes that a check finds, or a verb, which reads afresh."""
    found = take_snapshot(client, "west", reading=None if fresh else shared_reading(client))
    return {each.id for each in found.machine_classes or ()}


def add_class(client: Client, name: str) -> None:
    spec = specs_pb2.MachineClassSpec(match_labels=["omni.sidero.dev/arch = amd64"])
    client.state.create(Resource(MACHINE_CLASS, name, spec))


def test_a_reading_is_shared_until_this_process_writes(omni: Client, simulator: Simulator) -> None:
    before = classes(omni)
    add_class(omni, "new")
    assert classes(omni) == before
    assert classes(omni, fresh=True) == before | {"new"}
    with writing(omni):
        assert classes(omni) == before | {"new"}
        add_class(omni, "newer")
        assert classes(omni) == before | {"new", "newer"}
    assert classes(omni) == before | {"new", "newer"}


def test_a_reading_is_shared_for_a_fixed_time(
    omni: Client, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = classes(omni)
    add_class(omni, "new")
    assert classes(omni) == before
    monkeypatch.setattr(account, "FRESH_SECONDS", 0.0)
    time.sleep(0.01)
    assert classes(omni) == before | {"new"}


def test_checks_at_once_wait_for_one_reading(omni: Client, simulator: Simulator) -> None:
    readings = [shared_reading(omni) for _ in range(4)]
    found: list[object] = []

    def check() -> None:
        readings[0].send(omni, [FREE_MACHINES])
        found.append(readings[0].result(omni, FREE_MACHINES))

    threads = [threading.Thread(target=check) for _ in readings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(each) for each in readings}) == len({id(each) for each in found}) == 1
    assert len(found) == 4


def test_an_error_is_not_shared(omni: Client, simulator: Simulator) -> None:
    reading = shared_reading(omni)
    simulator.faults.unavailable = 1000
    reading.send(omni, [FREE_MACHINES])
    with pytest.raises(OmniError):
        reading.result(omni, FREE_MACHINES)
    simulator.faults.unavailable = 0
    assert shared_reading(omni) is not reading
    assert reading.result(omni, FREE_MACHINES)


def test_only_a_cluster_that_exists_makes_a_reading_stale(omni: Client, simulator: Simulator) -> None:
    reading, lab = shared_reading(omni), Lab(omni, "east")
    outputs = lab.create(workers=1)
    assert shared_reading(omni) is reading
    lab.create(workers=0, adopt=True)
    now = shared_reading(omni)
    assert now is not reading
    lab.update(outputs, workers=1)
    assert shared_reading(omni) is not now


def test_readings_of_one_moment_share_each_round_trip(omni: Client, simulator: Simulator) -> None:
    """While one reading is under way, the others wait for all of the next one together, not for one list at a time."""
    simulator.faults.round_trip = 0.5
    began, took = time.monotonic(), []

    def read() -> None:
        take_snapshot(omni, "west", exists=None)
        took.append(time.monotonic() - began)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
        time.sleep(0.02)
    for thread in threads:
        thread.join()
    assert len(took) == 4
    assert max(took) < 6 * 0.5
