"""A day of watching: connections that break and marks that are renewed leave nothing behind."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from statistics import median

import pytest

from ksail_pulumi.lifecycle import lease as leases
from ksail_pulumi.lifecycle.lease import Lease
from ksail_pulumi.omni import watch as watches
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import Client, connect
from ksail_pulumi.omni.resources import CLUSTER, CLUSTER_STATUS, MACHINE_SET, MACHINE_STATUS_LABELS
from ksail_pulumi.omni.watch import Query, Watch
from ksail_pulumi.plan.ownership import Creation
from ksail_pulumi.simulator import store
from ksail_pulumi.simulator.clock import ManualClock
from ksail_pulumi.simulator.server import Simulator

from ..sweeps import sample
from .conftest import Lab

HOURS = sample([1, 24])
BREAK_EVERY = 300.0
HISTORY = 20
"""Events that the simulator keeps of each type: its memory is not what is measured."""
GROWTH = 64 * 1024


@pytest.fixture
def omni(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Simulator, Client]]:
    """An Omni in manual time, and a client that renews its marks all the time."""
    monkeypatch.setattr(store, "HISTORY_PER_TYPE", HISTORY)
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.02)
    monkeypatch.setattr(watches, "_LONGEST_PAUSE", 0.05)  # in real time, connections do not break one after the other
    with Simulator(machines=2, speed="manual") as simulator:
        client = connect(Connection(simulator.endpoint, simulator.service_account_key))
        yield simulator, client
        client.close()


@pytest.mark.parametrize("hours", HOURS)
def test_memory_and_threads_stay_the_same_over_hours(omni: tuple[Simulator, Client], hours: int) -> None:
    simulator, client = omni
    assert isinstance(simulator.clock, ManualClock)
    _create(client, simulator.clock)
    lease = Lease(client, "soak")
    lease.take(lambda _: None)
    kinds = (CLUSTER, CLUSTER_STATUS, MACHINE_SET, MACHINE_STATUS_LABELS)
    sizes: list[tuple[int, int]] = []
    renewed = 0
    tracemalloc.start()
    try:
        with lease.held(), client.state.watch(*(Query(kind) for kind in kinds)) as watch:
            for number in range(int(hours * 3600 / BREAK_EVERY)):
                simulator.clock.advance(BREAK_EVERY)
                simulator.faults.break_watches()
                _change(simulator, watch, number)
                renewed += sum(entry.type == CLUSTER.name for entry in simulator.store.audit)
                simulator.store.audit.clear()
                gc.collect()
                sizes.append((tracemalloc.get_traced_memory()[0], threading.active_count()))
    finally:
        tracemalloc.stop()
    cluster = client.state.get(CLUSTER, "soak")
    found = Creation.of(cluster)
    assert found is not None
    assert (found.run, found.done) == (lease.creation.run, True)
    assert renewed  # at most once a second: the mark has whole seconds
    third = len(sizes) // 3  # the first one fills the simulator's history
    middle, last = sizes[third : 2 * third], sizes[2 * third :]
    assert median(size for size, _ in last) < median(size for size, _ in middle) + GROWTH
    assert max(count for _, count in last) <= max(count for _, count in middle)


def _create(client: Client, clock: ManualClock) -> None:
    creation = threading.Thread(target=lambda: Lab(client, "soak").create(workers=0, waitFor="none"))
    creation.start()
    while creation.is_alive():
        clock.advance(1.0)
        creation.join(0.02)


def _change(simulator: Simulator, watch: Watch, number: int) -> None:
    """Change something while the connections are broken, and wait until it arrives."""
    machine = simulator.store.list(MACHINE_STATUS_LABELS)[0].id
    changed = {"round": str(number)}
    simulator.store.edit(
        MACHINE_STATUS_LABELS, machine, lambda found: replace(found, labels={**found.labels, **changed})
    )
    until = time.monotonic() + 30
    while time.monotonic() < until:
        event = watch.next(timeout=1.0)
        if event is not None and event.resource is not None and event.resource.labels.get("round") == str(number):
            return
    raise AssertionError(f"the change of round {number} did not arrive")
