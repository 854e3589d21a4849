"""How long after Omni names an object that it cannot apply does `create` name it."""

from __future__ import annotations

import statistics
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.figure import Figure
from benchmarks.lab import MARK, session
from ksail_pulumi.errors import ClusterFailedError
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.resources import CLUSTER_KUBERNETES_MANIFESTS_STATUS, SYS_VERSION
from ksail_pulumi.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.simulator.store import Event

RUNS = 5
BOUND = 5.0
_SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "bad", "namespace": "default"},
    "spec": {"ports": [{"port": 99999}]},
}
_NAME = "Service/default/bad"


def _late(number: int) -> tuple[float, float]:
    """Seconds from the error in the status on the server to the line with the object, and seconds of a call."""
    reported: list[float] = []
    named: list[float] = []

    def see(event: Event) -> None:
        resource = event.resource
        if resource.type == CLUSTER_KUBERNETES_MANIFESTS_STATUS and _NAME in resource.spec.last_error:
            reported.append(time.perf_counter())

    def hear(line: str) -> None:
        if _NAME in line:
            named.append(time.perf_counter())

    with Simulator(machines=1, speed="fast", seed=number) as omni:
        omni.store.subscribe(see)
        client = connect(Connection(omni.endpoint, omni.service_account_key))
        manifest = {"name": "mine", "inline": _SERVICE, "mode": "full"}
        inputs = {"name": "bench", "controlPlane": {"count": 1}, "manifests": [manifest]}
        with suppress(ClusterFailedError):
            create(parse_cluster(inputs), MARK, replace(session(client), progress=hear, grace=2))
        began = time.perf_counter()
        client.state.find(SYS_VERSION, "current")
        ping = time.perf_counter() - began
        client.close()
    return named[0] - reported[0], ping


def measure() -> Iterator[Figure]:
    late, ping = (statistics.median(each) for each in zip(*map(_late, range(RUNS)), strict=True))
    yield Figure(
        "from Omni naming an object that it cannot apply to `create` naming it",
        late,
        BOUND,
        "s",
        f"{late / ping:.1f} of the {ping * 1000:.1f} ms of one call; median of {RUNS}",
    )
