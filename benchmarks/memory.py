"""How much memory Pulumi's provider process takes: for a large cluster, for many, and in a large account."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from benchmarks.earlier import COMMIT, earlier_build
from benchmarks.empty import EmptyProvider
from benchmarks.figure import Figure
from benchmarks.host import URN_OF, provider_process
from benchmarks.lab import ROOT, omni
from ksail_pulumi.lifecycle.account import FRESH_SECONDS
from ksail_pulumi.provider.cluster import OmniClusterProvider
from ksail_pulumi.provider.properties import PREVIEW

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pulumi.dynamic import ResourceProvider

    from benchmarks.host import Host

MACHINES = 1000
CREATED = 2.5
"""Beside a process with an empty dynamic provider."""
SMALL, LARGE = 100, 5000
WAITING, MANY = 8, 32
SIZE_OF_ACCOUNT = 1.2
"""The most that a large account may take beside a small one."""
EARLIER_WAITING, EARLIER_PEAK = 1 / 3.5, 1 / 6
"""The most beside the earlier build, for `WAITING` and `MANY` clusters."""
PREVIEWS = 8
GROWTH = 3.0
"""The most MiB that a process may grow by from the second of the previews to the last."""


def _inputs(name: str, machines: int) -> dict[str, Any]:
    return {"name": name, "controlPlane": {"count": 1}, "workers": machines - 1, "__owner": f"o/p/s/{name}"}


def _peak_of_create(provider: ResourceProvider, inputs: dict[str, Any], environment: Mapping[str, str]) -> float:
    with provider_process(provider, environment) as process:
        process.create(inputs)
        return process.memory("VmHWM")


def _while_waiting(machines: int, clusters: int, tree: Path = ROOT, *, may_fail: bool = False) -> tuple[float, float]:
    """MiB while clusters of three machines come up in an account of a size, and at the peak before that."""
    # In real time: the machines take minutes to come up, and the creates wait for them.
    with (
        omni(machines=machines, speed="real") as server,
        provider_process(OmniClusterProvider(), server.environment, tree) as process,
    ):
        names = [f"bench-{number}" for number in range(clusters)]
        calls = {URN_OF.format(name): process.start_create(_inputs(name, 3), URN_OF.format(name)) for name in names}
        until = time.monotonic() + 240
        while True:
            ended = {urn for urn, call in calls.items() if call.done()}
            if time.monotonic() > until or (ended and not may_fail):
                raise RuntimeError(f"not all creates wait: {process.lines[-5:]}")
            if _waiting(process) | ended == set(calls):
                return process.memory(), process.memory("VmHWM")
            time.sleep(0.5)


def _waiting(process: Host) -> set[str]:
    return {urn for urn, text in process.lines if " machines " in text}


def _growth_of_previews(machines: int) -> tuple[float, float]:
    """MiB of a process after the second preview, and after the last one."""
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
        return sizes[1], sizes[-1]


def measure() -> Iterator[Figure]:
    empty = _peak_of_create(EmptyProvider(), {}, {})
    with omni(machines=MACHINES) as server:
        cluster = _peak_of_create(OmniClusterProvider(), _inputs("bench", MACHINES), server.environment)
    yield Figure(
        f"provider process that created {MACHINES} machines, at its peak",
        cluster / empty,
        CREATED,
        "",
        f"{cluster:.0f} MiB beside the {empty:.0f} MiB of one with an empty dynamic provider",
    )
    (small, _), (large, _) = (_while_waiting(machines, WAITING) for machines in (SMALL, LARGE))
    yield Figure(
        f"{WAITING} creates of 3 machines that wait, in an account of {LARGE} beside one of {SMALL}",
        large / small,
        SIZE_OF_ACCOUNT,
        "",
        f"{large:.0f} MiB beside {small:.0f} MiB",
    )
    _, peak = _while_waiting(LARGE, MANY)
    with earlier_build() as earlier:
        before, _ = _while_waiting(LARGE, WAITING, earlier)
        # Its creates may run out of time before they have read everything, and would take more.
        _, peak_before = _while_waiting(LARGE, MANY, earlier, may_fail=True)
    yield Figure(
        f"{WAITING} creates of 3 machines that wait, in an account of {LARGE}, beside {COMMIT}",
        large / before,
        EARLIER_WAITING,
        "",
        f"{large:.0f} MiB beside {before:.0f} MiB",
    )
    yield Figure(
        f"{MANY} creates of 3 machines in an account of {LARGE}, at the peak, beside {COMMIT}",
        peak / peak_before,
        EARLIER_PEAK,
        "",
        f"{peak:.0f} MiB beside at least {peak_before:.0f} MiB",
        reason="the creates of the earlier build run out of time here before they have read everything",
    )
    (_, small), (second, large) = (_growth_of_previews(machines) for machines in (SMALL, LARGE))
    name = f"a process after {PREVIEWS} previews in a row in an account of {LARGE}"
    yield Figure(
        f"{name}, beside it after two",
        large / second,
        1 + GROWTH / second,
        "",
        f"{large:.1f} MiB beside {second:.1f} MiB; the bound is a growth of {GROWTH:g} MiB",
    )
    yield Figure(
        f"{name}, beside one of {SMALL}", large / small, SIZE_OF_ACCOUNT, "", f"{large:.0f} MiB beside {small:.0f} MiB"
    )
