"""How many bytes Omni sends for a preview in a large account, and for a deletion, beside the earlier build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.account import MACHINES, WAYS, account, counted
from benchmarks.earlier import COMMIT, earlier_build
from benchmarks.figure import Figure
from benchmarks.host import provider_process
from benchmarks.lab import ROOT, Omni, omni
from ksail_pulumi.provider.cluster import OmniClusterProvider
from ksail_pulumi.provider.properties import PREVIEW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGE = 5000
ALL_FREE, FEW_FREE = 1 / 3, 1 / 50
DELETED = 1000
DELETION = 1 / 4
DELETIONS = 3
ATTEMPTS = 3
LINK = 0.001
_OWNER = {"name": "bench", "__owner": "o/p/s/bench"}


def _previewed(server: Omni, tree: Path, inputs: dict[str, Any]) -> int:
    # The earlier build gives Omni up after 10 s, within which a slow machine does not always send so much.
    for _ in range(1 if tree == ROOT else ATTEMPTS):
        with provider_process(OmniClusterProvider(), server.environment, tree) as process:
            before = server.received()
            process.check({}, {**_OWNER, **inputs, PREVIEW: True})
            if any("bench-control-planes " in text for _, text in process.lines):
                return server.received() - before
    raise RuntimeError(f"no forecast: {process.lines}")


def _deleted(tree: Path) -> int:
    inputs = {**_OWNER, "controlPlane": {"count": 1}, "workers": DELETED - 1, "waitFor": "running"}
    with (
        omni(machines=DELETED, round_trip=LINK) as server,
        provider_process(OmniClusterProvider(), server.environment, tree) as process,
    ):
        created = process.create(inputs)
        before = server.received()
        process.delete(created.properties)
        return server.received() - before


def _figure(name: str, now: int, before: int, bound: float) -> Figure:
    detail = f"{now / 1e6:.3f} MB beside {before / 1e6:.2f} MB"
    return Figure(f"bytes of {name}, beside those at {COMMIT}", now / before, bound, "", detail)


def measure() -> Iterator[Figure]:
    with earlier_build() as earlier:
        # In real time: no machine changes meanwhile.
        with omni(machines=LARGE, round_trip=LINK, speed="real") as server:
            inputs = counted(server.connect())
            now, before = (_previewed(server, tree, inputs) for tree in (ROOT, earlier))
        yield _figure(f"a preview of {MACHINES} machines where {LARGE} are free", now, before, ALL_FREE)
        with account(LARGE, LINK) as server:
            for way, inputs_of in WAYS.items():
                inputs = inputs_of(server.connect())
                now, before = (_previewed(server, tree, inputs) for tree in (ROOT, earlier))
                name = f"a preview of {MACHINES} machines, {way}, in an account of {LARGE}"
                yield _figure(name, now, before, FEW_FREE)
        now = max(_deleted(ROOT) for _ in range(DELETIONS))
        # The earlier build reads again and again: the longer its deletion takes, the more.
        before = min(_deleted(earlier) for _ in range(DELETIONS))
    yield _figure(f"the deletion of {DELETED} machines", now, before, DELETION)
