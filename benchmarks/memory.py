"""How much memory Pulumi's provider process takes for a cluster of 1,000 machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.empty import EmptyProvider
from benchmarks.figure import Figure
from benchmarks.host import provider_process
from benchmarks.lab import omni
from ksail_pulumi.provider.cluster import OmniClusterProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

MACHINES = 1000
BOUND = 120.0


def measure() -> Iterator[Figure]:
    with provider_process(EmptyProvider(), {}) as host:
        host.create({})
        empty = host.peak()
    cluster = {"name": "bench", "controlPlane": {"count": 3}, "workers": MACHINES - 3, "__owner": "o/p/s/bench"}
    with (
        omni(machines=MACHINES) as server,
        provider_process(OmniClusterProvider(), server.environment) as host,
    ):
        host.create(cluster)
        ours = host.peak()
    yield Figure(
        f"provider process that created {MACHINES} machines, at its peak",
        ours,
        BOUND,
        "MiB",
        f"{ours / empty:.2f} of the {empty:.0f} MiB of one with an empty dynamic provider",
    )
