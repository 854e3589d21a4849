"""How writes are sent to Omni."""

from __future__ import annotations

import time

import pytest

from ksail_pulumi.lifecycle import apply
from ksail_pulumi.omni.client import Client
from ksail_pulumi.omni.resources import MACHINE_SET_NODE
from ksail_pulumi.simulator.faults import Write
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab

ROUND_TRIP = 0.3


def test_no_more_calls_are_under_way_than_omni_answers_in_time(
    omni: Client, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "_AT_ONCE", 2)
    arrived: list[float] = []

    def look(when: str, write: Write) -> None:
        if (when, write.type) == ("before", MACHINE_SET_NODE.name):
            arrived.append(time.monotonic())

    simulator.faults.on_write(look)
    simulator.faults.round_trip = ROUND_TRIP
    lab = Lab(omni, "west")
    lab.create(controlPlane={"count": 1}, workers=2, waitFor="none")
    simulator.faults.round_trip = 0.0

    assert len(arrived) == 3
    assert arrived[2] - arrived[0] > ROUND_TRIP * 0.9
