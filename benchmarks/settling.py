"""How long after the moment when the server's resources say "ready" does `create` return, beyond the settling time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.figure import Figure
from benchmarks.lab import MARK, session
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.waiting.goal import Goal, reached
from ksail_pulumi.lifecycle.waiting.settling import SETTLING_SECONDS
from ksail_pulumi.lifecycle.waiting.view import ClusterView
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.resources import SYS_VERSION, TYPES
from ksail_pulumi.omni.watch import Query, WatchEvent
from ksail_pulumi.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.simulator.store import Event

SEEDS, RUNS = 3, 6
BOUND = 100.0
POLLING = 10.0
"""Seconds between two looks of a wait that polls, as KSail's does; on average it is half of that late."""


def _late(seed: int) -> tuple[float, float]:
    """Seconds by which `create` is late, and seconds that a call takes beside it."""
    events: list[tuple[float, Event]] = []
    with Simulator(machines=3, speed="fast", seed=seed) as omni:
        omni.store.subscribe(lambda event: events.append((time.perf_counter(), event)))
        client = connect(Connection(omni.endpoint, omni.service_account_key))
        outputs = create(parse_cluster({"name": "bench", "workers": 2}), MARK, session(client))
        returned = time.perf_counter()
        began = time.perf_counter()
        client.state.find(SYS_VERSION, "current")
        ping = time.perf_counter() - began
        client.close()
    goal = Goal(
        "bench",
        "ready",
        {"bench-control-planes": 1, "bench-workers": 2},
        talos_version=outputs.inputs["talosVersion"],
        kubernetes_version=outputs.inputs["kubernetesVersion"],
    )
    late = returned - _ready_since([event for event in events if event[0] < returned], goal) - SETTLING_SECONDS
    if late < 0:
        raise RuntimeError(f"create returned {-late:.3f} s before the cluster had settled")
    return late, ping


def _ready_since(events: list[tuple[float, Event]], goal: Goal) -> float:
    """When the resources on the server came to say what they said when `create` returned."""
    view = ClusterView(goal.cluster)
    for kind in goal.types:
        view.apply(kind, WatchEvent("bootstrapped", None, Query(kind)))
    since, before = 0.0, False
    for at, event in events:
        kind = TYPES[event.resource.type.name]
        if kind in goal.types:
            view.apply(kind, WatchEvent(event.kind, event.resource, Query(kind)))
            now = reached(view, goal)
            since, before = (at if now and not before else since), now
    return since


def measure() -> Iterator[Figure]:
    runs = [[_late(seed) for _ in range(RUNS)] for seed in range(SEEDS)]
    # Of each order of events the quickest run, as what else this machine does only adds; of these, the slowest.
    late, ping = max(min(each) for each in runs)
    yield Figure(
        "from ready on the server to create returning, beyond the settling time",
        late * 1000,
        BOUND,
        "ms",
        f"the quickest of {RUNS} each for {SEEDS} seeds; {late / ping:.1f} of the {ping * 1000:.1f} ms of one call, "
        f"{late / (POLLING / 2):.4f} of the mean {POLLING / 2:g} s of polling every {POLLING:g} s",
        "each run: " + ", ".join(f"{seconds * 1000:.0f} ms" for each in runs for seconds, _ in each),
    )
