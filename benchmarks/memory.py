"""How much memory Pulumi's provider process takes: for a large cluster, for many, and in a large account."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from benchmarks.empty import EmptyProvider
from benchmarks.figure import Figure
from benchmarks.host import URN_OF, provider_process
from benchmarks.lab import omni
from ksail_pulumi.lifecycle.account import FRESH_SECONDS
from ksail_pulumi.provider.cluster import OmniClusterProvider
from ksail_pulumi.provider.properties import PREVIEW

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pulumi.dynamic import ResourceProvider

MACHINES = 1000
BOUND = 120.0
SMALL, LARGE = 100, 5000
WAITING, MANY = 8, 32
SIZE_OF_ACCOUNT = 1.2
"""The most that a large account may take beside a small one."""
PEAK = 240.0
"""MiB: a sixth of what it was at commit d36ab4c."""
PREVIEWS = 8
GROWTH = 3.0


def _inputs(name: str, machines: int) -> dict[str, Any]:
    return {"name": name, "controlPlane": {"count": 1}, "workers": machines - 1, "__owner": f"o/p/s/{name}"}


def _peak_of_create(provider: ResourceProvider, inputs: dict[str, Any], environment: Mapping[str, str]) -> float:
    with provider_process(provider, environment) as process:
        process.create(inputs)
        return process.memory("VmHWM")


def _while_waiting(machines: int, clusters: int) -> tuple[float, float]:
    """MiB while clusters of three machines come up in an account of a size, and at the peak before that."""
    # In real time: the machines take minutes to come up, and the creates wait for them.
    with (
        omni(machines=machines, speed="real") as server,
        provider_process(OmniClusterProvider(), server.environment) as process,
    ):
        names = [f"bench-{number}" for number in range(clusters)]
        calls = [process.start_create(_inputs(name, 3), URN_OF.format(name)) for name in names]
        until = time.monotonic() + 240
        while len({urn for urn, text in process.lines if " machines " in text}) < clusters:
            if time.monotonic() > until or any(call.done() for call in calls):
                raise RuntimeError(f"not all creates wait: {process.lines[-5:]}")
            time.sleep(0.5)
        return process.memory(), process.memory("VmHWM")


def _growth_of_previews(machines: int) -> tuple[float, float]:
    """MiB by which previews grow a process from the second to the last one, and its size at the end."""
    with (
        omni(machines=machines, speed="real") as server,
        provider_process(OmniClusterProvider(), server.environment) as process,
    ):
        sizes = []
        for number in range(PREVIEWS):
            process.check({}, {**_inputs(f"bench-{number}", 3), PREVIEW: True}, URN_OF.format(f"bench-{number}"))
            if not any(urn.endswith(f"bench-{number}") and " gets " in text for urn, text in process.lines):
                raise RuntimeError(f"no forecast: {process.lines[-5:]}")
            sizes.append(process.memory())
            time.sleep(FRESH_SECONDS / 2)  # some of them read again
        return sizes[-1] - sizes[1], sizes[-1]


def measure() -> Iterator[Figure]:
    empty = _peak_of_create(EmptyProvider(), {}, {})
    with omni(machines=MACHINES) as server:
        cluster = _peak_of_create(OmniClusterProvider(), _inputs("bench", MACHINES), server.environment)
    yield Figure(
        f"provider process that created {MACHINES} machines, at its peak",
        cluster,
        BOUND,
        "MiB",
        f"{cluster / empty:.2f} of the {empty:.0f} MiB of one with an empty dynamic provider",
    )
    (small, _), (large, _) = (_while_waiting(machines, WAITING) for machines in (SMALL, LARGE))
    yield Figure(
        f"{WAITING} creates of 3 machines that wait, in an account of {LARGE} beside one of {SMALL}",
        large / small,
        SIZE_OF_ACCOUNT,
        "",
        f"{large:.0f} MiB beside {small:.0f} MiB; 420 MiB at commit d36ab4c",
    )
    _, peak = _while_waiting(LARGE, MANY)
    yield Figure(
        f"{MANY} creates of 3 machines in an account of {LARGE}, at the peak",
        peak,
        PEAK,
        "MiB",
        "1440 MiB at commit d36ab4c",
    )
    (_, small), (growth, large) = (_growth_of_previews(machines) for machines in (SMALL, LARGE))
    name = f"{PREVIEWS} previews in a row in an account of {LARGE}"
    yield Figure(f"{name}, growth from the second one on", growth, GROWTH, "MiB", f"{large:.0f} MiB at the end")
    yield Figure(
        f"{name}, beside one of {SMALL}", large / small, SIZE_OF_ACCOUNT, "", f"{large:.0f} MiB beside {small:.0f} MiB"
    )
