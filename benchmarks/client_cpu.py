"""CPU of the client: in a large account beside a small one, for long lists, and for a large cluster beside the earlier
build.
"""

from __future__ import annotations

import statistics
from dataclasses import replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from benchmarks.account import MACHINES, WAYS, account
from benchmarks.earlier import COMMIT, earlier_build
from benchmarks.figure import Figure
from benchmarks.host import provider_process
from benchmarks.lab import MARK, ROOT, cpu_for, cpu_of, omni, session
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.preview import preview
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.resources import MACHINE_STATUS_LABELS, SYS_VERSION
from ksail_pulumi.provider.cluster import OmniClusterProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ksail_pulumi.model.parse import ClusterSpec
    from ksail_pulumi.omni.client import Client

SMALL, LARGE = 108, 5000
PREVIEWS = 45
CREATES = {"of a class": 45, "named": 15, "few free": 15}
"""A create of a class takes no machine; the free ones must suffice for all others."""
ACCOUNT = 1.3
MANY = 1000
PAIRS = 5
BUILD = 0.6
LISTS = 5
LISTING = 0.3


def measure() -> Iterator[Figure]:
    yield from _accounts()
    yield _listing()
    with earlier_build() as earlier:
        runs = [(_created(ROOT), _created(earlier), _calls()) for _ in range(PAIRS)]
    now, before, calls = (statistics.median(each) for each in zip(*runs, strict=True))
    yield Figure(
        f"creating {MANY} machines, CPU of the client, beside that at {COMMIT}",
        now / before,
        BUILD,
        "",
        f"{now:.2f} s beside {before:.2f} s; medians of {PAIRS} in turn",
        reason=f"as many of the smallest signed calls alone take {calls:.2f} s, {calls / before:.2f} of it",
    )


def _listing() -> Figure:
    """The same list in one message, and in a message for each machine."""
    apart = replace(MACHINE_STATUS_LABELS, together=0)
    with omni(machines=LARGE, speed="real") as server:
        state = server.connect().state
        runs = [
            [cpu_for(partial(state.list, kind)) for kind in (MACHINE_STATUS_LABELS, apart)] for _ in range(LISTS + 1)
        ]
    together, each = (min(every) for every in zip(*runs[1:], strict=True))
    return Figure(
        f"listing the labels of {LARGE} machines, CPU beside that of a message for each machine",
        together / each,
        LISTING,
        "",
        f"{together * 1000:.0f} ms beside {each * 1000:.0f} ms; the least of {LISTS} in turn",
    )


def _created(tree: Path) -> float:
    """Seconds of CPU that a build takes to create a large cluster, after a small one: that imports what it needs."""
    with (
        omni(machines=MANY + 1, speed="real") as server,
        provider_process(OmniClusterProvider(), server.environment, tree) as host,
    ):
        host.create(_inputs("first", 1))
        before = cpu_of(host.process)
        host.create(_inputs("bench", MANY))
        return cpu_of(host.process) - before


def _calls() -> float:
    """Seconds of CPU of as many calls as there are machines."""
    with omni(machines=1, speed="real") as server:
        state = server.connect().state
        state.find(SYS_VERSION, "current")  # connects
        return cpu_for(
            lambda: [call.result() for call in [state.start_find(SYS_VERSION, "current") for _ in range(MANY)]]
        )


def _inputs(name: str, machines: int) -> dict[str, Any]:
    inputs = {"name": name, "controlPlane": {"count": 1}, "workers": machines - 1, "waitFor": "none"}
    return {**inputs, "__owner": f"o/p/s/{name}"}


def _accounts() -> Iterator[Figure]:
    with account(SMALL) as few_machines, account(LARGE) as many_machines:
        small, large = few_machines.connect(), many_machines.connect()
        for name, inputs in WAYS.items():
            for verb, runs, work in (("preview", PREVIEWS, _preview), ("create", CREATES[name], _create)):
                for client in (small, large):
                    _cpu(work, client, inputs)
                pairs = [[_cpu(work, client, inputs) for client in (small, large)] for _ in range(runs)]
                # What else the machine does only adds. A garbage collection that not every run has is left out, too.
                few, many = (min(each) * 1000 for each in zip(*pairs, strict=True))
                yield Figure(
                    f"{verb} of {MACHINES} machines, {name}: CPU in an account of {LARGE} beside one of {SMALL}",
                    many / few,
                    ACCOUNT,
                    "",
                    f"{many:.1f} ms beside {few:.1f} ms; the least of {runs} in turn",
                )


_numbers = count()


def _cpu(work: Callable[[ClusterSpec, Client], object], client: Client, inputs: Callable[[Client], Any]) -> float:
    """Seconds of CPU of one piece of work on a new cluster."""
    spec = parse_cluster({"name": f"bench-{next(_numbers)}", **inputs(client), "waitFor": "none"})
    return cpu_for(partial(work, spec, client))


def _preview(spec: ClusterSpec, client: Client) -> None:
    found = preview(spec, None, MARK, client)
    if found.failures or not found.forecasts:
        raise RuntimeError(f"no forecast: {found}")


def _create(spec: ClusterSpec, client: Client) -> None:
    create(spec, MARK, session(client))
