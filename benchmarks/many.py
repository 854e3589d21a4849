"""A stack of 50 clusters over a long link, beside the floor.

The floor of a preview is that of as many empty dynamic resources, and the round trips of one check: the others find
what it has read. The floor of an `up` is that of empty resources, and what one cluster takes longer than its empty
resources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.earlier import COMMIT, earlier_build
from benchmarks.figure import Figure
from benchmarks.lab import omni
from benchmarks.stack import CLUSTERS, EMPTY, stacks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.stack import Stack, Used

COUNT = 50
ROUND_TRIP = 0.05
TRIPS = 3
"""Of the first check: to connect, to read the clusters, and to read the rest."""
PREVIEWS, UPS = 5, 3
PREVIEW, UP = 1.15, 1.1
BYTES = 0.5
_INPUTS = "control_plane={'count': 1}"


def _up(stack: Stack) -> Used:
    used = stack.up("--parallel", "64")
    stack.destroy()
    return used


def _quickest(runs: Sequence[Used]) -> float:
    return min(used.seconds for used in runs)


def _least(runs: Sequence[Used]) -> float:
    return min(used.cpu for used in runs)


def measure() -> Iterator[Figure]:
    over = f"over {ROUND_TRIP * 1000:.0f} ms"
    with stacks() as folder, earlier_build() as tree, omni(machines=COUNT + 10, round_trip=ROUND_TRIP) as server:
        program = CLUSTERS.format(clusters=COUNT, workers=0, inputs=_INPUTS)
        one = folder.new("one", CLUSTERS.format(clusters=1, workers=0, inputs=_INPUTS), server.environment)
        many = folder.new("many", program, server.environment)
        earlier = folder.new("earlier", program, server.environment, tree)
        empty, empty_one = (folder.new(f"empty-{number}", EMPTY.format(clusters=number), {}) for number in (COUNT, 1))

        runs = [[each.pulumi("preview") for each in (many, empty, earlier)] for _ in range(PREVIEWS)]
        ours, theirs, before = zip(*runs, strict=True)
        floor = _quickest(theirs) + TRIPS * ROUND_TRIP
        yield Figure(
            f"preview of {COUNT} new clusters {over}, beside the floor",
            _quickest(ours) / floor,
            PREVIEW,
            "",
            f"{_quickest(ours):.2f} s beside {floor:.2f} s; {_quickest(before):.2f} s at {COMMIT}, one resource each",
            f"CPU {_least(ours):.2f} s beside {_least(theirs):.2f} s of the empty resources",
            reason="Pulumi resolves each of the 50 properties of a cluster, and the engine checks one after the other",
        )

        alone, empty_alone = (_quickest([_up(stack) for _ in range(UPS)]) for stack in (one, empty_one))
        served, received = server.cpu(), server.received()
        runs = [[_up(each) for each in (many, empty)] for _ in range(UPS)]
        served, received = server.cpu() - served, server.received() - received
        ours, theirs = zip(*runs, strict=True)
        received_before = server.received()
        up_before = _up(earlier)
        received_before = server.received() - received_before
        floor = _quickest(theirs) + alone - empty_alone
        yield Figure(
            f"`up` of {COUNT} clusters of one machine {over} with --parallel 64, beside the floor",
            _quickest(ours) / floor,
            UP,
            "",
            f"{_quickest(ours):.2f} s beside {floor:.2f} s; {up_before.seconds:.2f} s at {COMMIT}, one resource each",
            f"CPU {_least(ours):.2f} s beside {_least(theirs):.2f} s of the empty resources; "
            f"the simulator took {served / UPS:.1f} s for one `up` and `destroy`",
            reason="the calls and watches of all clusters share one Python process, beside Pulumi and the simulator",
        )
        yield Figure(
            f"bytes of `up` and `destroy` of {COUNT} clusters {over}, beside those at {COMMIT}",
            received / UPS / received_before,
            BYTES,
            "",
            f"{received / UPS / 1e6:.1f} MB beside {received_before / 1e6:.1f} MB",
        )
