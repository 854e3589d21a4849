"""How many round trips a create costs, from its first call to its last write, over a link of 50 ms."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.figure import Figure
from benchmarks.lab import MARK, Omni, omni, session
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.resources import SYS_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource

ROUND_TRIP = 0.05
BOUND = 12
REPEATS = 3
SIZES = (3, 100, 1000)
OTHERS = {3: 1.95, 100: 19.3, 1000: 177.0}
"""Seconds that `omnictl cluster template sync` took for the same on a real Omni, one call after the other."""


@dataclass
class _Written:
    """What was written, and when the answer to the last write was read."""

    resources: list[Resource] = field(default_factory=list)
    last: float = 0.0


class _Noting:
    """A client that takes note of its creates, and is else the one that it stands for."""

    def __init__(self, client: Client, written: _Written) -> None:
        self._client = client
        self.state = _NotingState(client.state, written)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class _NotingState:
    def __init__(self, state: Any, written: _Written) -> None:
        self._state = state
        self._written = written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)

    def start_create(self, resource: Resource) -> Any:
        self._written.resources.append(resource)
        return _NotingCall(self._state.start_create(resource), self._written)


class _NotingCall:
    def __init__(self, call: Any, written: _Written) -> None:
        self._call = call
        self._written = written

    def result(self) -> Any:
        answer = self._call.result()
        self._written.last = time.perf_counter()
        return answer


def _create(server: Omni, machines: int, written: _Written) -> float:
    """Seconds from the first call, connecting included, to the answer of the last write."""
    spec = parse_cluster(
        {
            "name": "bench",
            "controlPlane": {"count": 1},
            "workers": machines - 1,
            "patches": [{"name": "sysctl", "inline": {"machine": {"sysctls": {"net.core.somaxconn": "1024"}}}}],
            "waitFor": "none",
        }
    )
    client: Any = _Noting(server.connect(), written)
    began = time.perf_counter()
    create(spec, MARK, session(client))
    return written.last - began


def ping(server: Omni) -> float:
    """Seconds that one call takes, the median of several; the connection stands already."""
    client = server.connect()
    client.state.find(SYS_VERSION, "current")
    return statistics.median(_timed(lambda: client.state.find(SYS_VERSION, "current")) for _ in range(9))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _one_after_the_other(machines: int, resources: list[Resource]) -> float:
    """Seconds that the same writes take when each waits for the one before."""
    with omni(machines=machines, round_trip=ROUND_TRIP) as server:
        client = server.connect()
        client.state.find(SYS_VERSION, "current")
        return _timed(lambda: [client.state.create(resource) for resource in resources])


def _best(machines: int, round_trip: float) -> tuple[float, float, list[Resource]]:
    """The create and the ping, each the quickest of some: what else runs on this machine only ever adds."""
    creates, pings, resources = [], [], []
    for _ in range(REPEATS):
        # In real time: machines that come up meanwhile would take the CPU that the writes need.
        with omni(machines=machines, round_trip=round_trip, speed="real") as server:
            written = _Written()
            creates.append(_create(server, machines, written))
            pings.append(ping(server))
            resources = written.resources
    return min(creates), min(pings), resources


def measure() -> Iterator[Figure]:
    with omni(machines=1) as server:
        _create(server, 1, _Written())  # the first create of a process imports what it needs
    for machines in SIZES:
        without, ping_without, _ = _best(machines, 0.0)
        seconds, ping, resources = _best(machines, ROUND_TRIP)
        trips = (seconds - without) / (ping - ping_without)
        beside = f"{seconds:.2f} s are {seconds / ping:.1f} pings of {ping * 1000:.1f} ms"
        if machines == SIZES[0]:
            serial = _one_after_the_other(machines, resources)
            beside += f", {seconds / serial:.2f} of the {serial:.2f} s of its {len(resources)} writes one by one"
        beside += f", {seconds / OTHERS[machines]:.3f} of the {OTHERS[machines]:g} s of omnictl"
        yield Figure(
            f"creating {machines:4} machines over {ROUND_TRIP * 1000:.0f} ms",
            trips,
            BOUND,
            "round trips",
            beside,
            f"without the link it takes {without:.2f} s, which is CPU of client and simulator on one machine",
        )
