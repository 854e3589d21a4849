"""What a create costs, from its first call to its last write: time, trips in sequence and CPU, each with its floor."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.figure import Figure
from benchmarks.lab import MARK, Omni, omni, session
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.model.parse import parse_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource

ROUND_TRIP = 0.05
LONG, LONGER = 0.75, 1.5
"""Links so long that no CPU hides a trip: what the longer one adds are the trips in sequence."""
REPEATS = 3
SIZES = (3, 100, 1000)
TRIPS_ABOVE_FLOOR = 1
TIME = 1.3


@dataclass
class _Written:
    """What was written, and when the answer to the last write was read."""

    resources: list[Resource] = field(default_factory=list)
    last: float = 0.0


class _Noting:
    """A client that takes note of its creates, and is else the one that it stands for."""

    def __init__(self, client: Client, written: _Written) -> None:
        self._client = client
        self._written = written
        self.state = _NotingState(client.state, written)

    def until(self, at: float) -> _Noting:
        return _Noting(self._client.until(at), self._written)

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


@dataclass(frozen=True)
class _Cost:
    """What one create took, up to the answer of its last write.

    Attributes:
        seconds: From the first call, connecting included.
        cpu: Seconds of CPU of the client, until `create` returned.
        server: The same of the simulator, which is a process of its own.
        floor: The trips in sequence that cannot be avoided: one to connect, one to read, and one for each type of
            resource that must be there before the next.
        calls: The number of writes.
    """

    seconds: float
    cpu: float
    server: float
    floor: int
    calls: int


def _create(server: Omni, machines: int) -> _Cost:
    spec = parse_cluster(
        {
            "name": "bench",
            "controlPlane": {"count": 1},
            "workers": machines - 1,
            "patches": [{"name": "sysctl", "inline": {"machine": {"sysctls": {"net.core.somaxconn": "1024"}}}}],
            "waitFor": "none",
        }
    )
    written = _Written()
    client: Any = _Noting(server.connect(), written)
    began, cpu, served = time.perf_counter(), time.process_time(), server.cpu()
    create(spec, MARK, session(client))
    return _Cost(
        written.last - began,
        time.process_time() - cpu,
        server.cpu() - served,
        2 + len({resource.type for resource in written.resources}),
        len(written.resources),
    )


def _best(machines: int, round_trip: float, repeats: int) -> _Cost:
    """The quickest of some creates: what else runs on this machine only ever adds."""
    costs = []
    for _ in range(repeats):
        # In real time: machines that come up meanwhile would take the CPU that the writes need.
        with omni(machines=machines, round_trip=round_trip, speed="real") as server:
            costs.append(_create(server, machines))
    return min(costs, key=lambda cost: cost.seconds)


def measure() -> Iterator[Figure]:
    with omni(machines=1) as server:
        _create(server, 1)  # the first create of a process imports what it needs
    for machines in SIZES:
        near = _best(machines, ROUND_TRIP, REPEATS)
        long, longer = (_best(machines, link, REPEATS - 1) for link in (LONG, LONGER))
        name = f"creating {machines:4} machines"
        yield Figure(
            f"{name}, trips in sequence",
            (longer.seconds - long.seconds) / (LONGER - LONG),
            near.floor + TRIPS_ABOVE_FLOOR,
            "",
            f"the floor is {near.floor}: to connect, to read, and {near.floor - 2} types of resources",
        )
        # The client's CPU comes on top of the trips: a step is sent when the one before it is answered.
        floor = near.floor * ROUND_TRIP + near.cpu
        yield Figure(
            f"{name} over {ROUND_TRIP * 1000:.0f} ms, beside the floor",
            near.seconds / floor,
            TIME,
            "",
            f"{near.seconds:.2f} s beside {floor:.2f} s: {near.floor} trips and {near.cpu:.2f} s of CPU of the client "
            f"({near.cpu / near.calls * 1e6:.0f} µs for each of {near.calls} writes)",
            f"the simulator took {near.server:.2f} s of CPU in a process of its own",
            reason="the simulator, one Python process, answers one write after the other, and the last answer counts",
        )
