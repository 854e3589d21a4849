"""What the preview of a changed cluster of 1,000 machines costs over a link of 50 ms, once the connection stands."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.creating import ping
from benchmarks.figure import Figure
from benchmarks.lab import MARK, omni, session
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.preview import preview
from ksail_pulumi.model.parse import parse_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

MACHINES = 1000
ROUND_TRIP = 0.05
LONGER = 0.55
"""A link so long that the difference shows the number of round trips, whatever the CPU does."""
RUNS = 5
TRIPS = 2.5
"""Two calls that depend on each other; the half is for what the link carries in more than one piece."""
CPU_MS = 300.0


@dataclass(frozen=True)
class _Measured:
    seconds: float
    cpu: float
    ping: float


def _measured(round_trip: float) -> _Measured:
    """The quickest of some previews: what else runs on this machine only ever adds."""
    inputs = {"name": "bench", "controlPlane": {"count": 1}, "workers": MACHINES - 1, "waitFor": "none"}
    before = parse_cluster(inputs)
    patch = {"name": "sysctl", "inline": {"machine": {"sysctls": {"net.core.somaxconn": "1024"}}}}
    after = parse_cluster({**inputs, "labels": {"a": "b"}, "patches": [patch]})
    # In real time: machines that come up meanwhile would take the CPU that the preview needs.
    with omni(machines=MACHINES, round_trip=round_trip, speed="real") as server:
        client = server.connect()
        create(before, MARK, session(client))
        runs = []
        for _ in range(RUNS):
            began, cpu = time.perf_counter(), time.process_time()
            found = preview(after, before, MARK, client)
            runs.append((time.perf_counter() - began, time.process_time() - cpu))
            if found.failures or not found.forecasts:
                raise RuntimeError(f"no forecast: {found}")
        return _Measured(min(run[0] for run in runs), min(run[1] for run in runs), ping(server))


def measure() -> Iterator[Figure]:
    near, far = _measured(ROUND_TRIP), _measured(LONGER)
    name = f"previewing a change of {MACHINES} machines"
    yield Figure(
        name,
        (far.seconds - near.seconds) / (far.ping - near.ping),
        TRIPS,
        "round trips",
        f"{near.seconds:.2f} s over pings of {near.ping * 1000:.0f} ms, "
        f"{far.seconds:.2f} s over pings of {far.ping * 1000:.0f} ms",
    )
    yield Figure(
        f"{name}, CPU of the client",
        near.cpu * 1000,
        CPU_MS,
        "ms",
        f"{near.cpu / near.seconds:.2f} of the {near.seconds:.2f} s that it takes over {ROUND_TRIP * 1000:.0f} ms",
    )
