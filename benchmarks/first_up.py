"""What the `up` of a new cluster takes, beside one with as many empty dynamic resources. Neither waits for anything."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from benchmarks.figure import Figure
from benchmarks.lab import omni
from benchmarks.stack import CLUSTERS, EMPTY, stacks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.stack import Stack, Used

RUNS = 9
BOUNDS = {False: 1.12, True: 1.15}
"""By whether there is a preview."""


def _first_up(stack: Stack, *, preview: bool) -> Used:
    used = stack.up(preview=preview)
    stack.destroy()
    return used


def measure() -> Iterator[Figure]:
    with stacks() as folder, omni(machines=3) as server:
        program = CLUSTERS.format(clusters=1, workers=2, inputs="wait_for='none'")
        cluster = folder.new("cluster", program, server.environment)
        empty = folder.new("empty", EMPTY.format(clusters=1), {})
        for preview, bound in BOUNDS.items():
            runs = [(_first_up(cluster, preview=preview), _first_up(empty, preview=preview)) for _ in range(RUNS)]
            ours, theirs = (min(used.seconds for used in each) for each in zip(*runs, strict=True))
            cpu = [statistics.median(used.cpu for used in each) for each in zip(*runs, strict=True)]
            yield Figure(
                f"`up` of a new cluster of 3 with{'' if preview else 'out'} a preview, beside as many empty resources",
                ours / theirs,
                bound,
                "",
                f"{ours:.2f} s beside {theirs:.2f} s, the quickest of {RUNS} each, in turn; "
                f"CPU of all processes {cpu[0]:.2f} s beside {cpu[1]:.2f} s",
                reason="the first check imports the models, the plan and the client (see `imports`)",
            )
