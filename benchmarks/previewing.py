"""What the preview of a changed cluster of 1,000 machines costs over a link of 50 ms, once the connection stands."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.creating import LONG, LONGER
from benchmarks.figure import Figure
from benchmarks.lab import MARK, cpu_for, omni, session
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.preview import preview
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.resources import MACHINE_STATUS

if TYPE_CHECKING:
    from collections.abc import Iterator

MACHINES = 1000
ROUND_TRIP = 0.05
RUNS = 15
TRIPS = 2.5
"""Two calls that depend on each other; the half is for what the link carries in more than one piece."""
CPU = 2.0
"""Beside one list of the MachineStatuses, which any plan of a change needs."""


@dataclass(frozen=True)
class _Measured:
    seconds: float
    cpu: float
    listing: float


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
        listings = [cpu_for(lambda: client.state.list(MACHINE_STATUS)) for _ in range(RUNS)]
        return _Measured(min(run[0] for run in runs), min(run[1] for run in runs), min(listings))


def measure() -> Iterator[Figure]:
    near, long, longer = (_measured(link) for link in (ROUND_TRIP, LONG, LONGER))
    name = f"previewing a change of {MACHINES} machines"
    yield Figure(
        f"{name}, trips in sequence",
        (longer.seconds - long.seconds) / (LONGER - LONG),
        TRIPS,
        "",
        f"{near.seconds:.2f} s over {ROUND_TRIP * 1000:.0f} ms, {longer.seconds:.2f} s over {LONGER * 1000:.0f} ms",
    )
    yield Figure(
        f"{name}, CPU of the client, beside a list of their statuses",
        near.cpu / near.listing,
        CPU,
        "",
        f"{near.cpu * 1000:.0f} ms beside {near.listing * 1000:.0f} ms",
    )
