"""A machine that is dead and leaves in an update."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ksail_pulumi.errors import LifecycleError
from ksail_pulumi.lifecycle.outputs import ClusterOutputs
from ksail_pulumi.lifecycle.preview import preview
from ksail_pulumi.omni.resources import MACHINE_STATUS
from ksail_pulumi.plan.findings import Findings
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab
from .test_delete import cut_off

Cluster = tuple[ClusterOutputs, str]


@pytest.fixture
def with_dead_worker(lab: Lab, needs: Callable[[int], list[str]], simulator: Simulator) -> Iterator[Cluster]:
    needs(3)
    made = lab.create(workers=2)
    dead = sorted(lab.machines("workers"))[0]
    cut_off(lab, simulator, dead)
    yield made, dead
    simulator.faults.disconnected.discard(dead)
    lab.delete(on_disconnected="remove")


def look(lab: Lab, **inputs: Any) -> Findings:
    return preview(lab.spec(**inputs), lab.spec(workers=2), lab.mark, lab.client)


def test_by_default_it_is_named_and_nothing_changes(lab: Lab, with_dead_worker: Cluster) -> None:
    made, dead = with_dead_worker
    (problem,) = look(lab, workers=1).failures
    assert dead in problem.reason
    assert "onUpdate.disconnectedMachines" in problem.reason
    with pytest.raises(LifecycleError, match="cannot be changed: machines that leave are not connected") as raised:
        lab.update(made, workers=1)
    assert dead in str(raised.value)
    assert len(lab.machines("workers")) == 2


def test_it_can_be_removed_from_omni(lab: Lab, with_dead_worker: Cluster) -> None:
    made, dead = with_dead_worker
    removing: dict[str, Any] = {"workers": 1, "onUpdate": {"disconnectedMachines": "remove"}}
    found = look(lab, **removing)
    assert not found.failures
    assert any(dead in line and "without a wipe" in line for line in found.warnings)
    lab.update(made, **removing)
    assert len(lab.machines("workers")) == 1
    assert lab.client.state.find(MACHINE_STATUS, dead) is None


def test_it_can_be_waited_for(lab: Lab, with_dead_worker: Cluster, simulator: Simulator) -> None:
    made, dead = with_dead_worker
    waiting: dict[str, Any] = {"workers": 1, "onUpdate": {"disconnectedMachines": "wait"}}
    assert any(dead in line and line.startswith("waits until") for line in look(lab, **waiting).warnings)
    lab.on_progress = lambda _: simulator.faults.disconnected.discard(dead)
    lab.update(made, **waiting)
    assert dead in lab.available()
