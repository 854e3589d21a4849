"""What a `pulumi up` without changes takes with an `OmniCluster`, beside one with as many empty dynamic resources."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from benchmarks.figure import Figure
from benchmarks.lab import omni
from benchmarks.stack import CLUSTERS, EMPTY, stacks

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS = 15
CPU, TIME = 1.05, 1.10


def measure() -> Iterator[Figure]:
    with stacks() as folder, omni(machines=3) as server:
        cluster = folder.new("cluster", CLUSTERS.format(clusters=1, workers=2, inputs=""), server.environment)
        empty = folder.new("empty", EMPTY.format(clusters=1), {})
        for stack in (cluster, empty):
            stack.up()
            stack.up()
        runs = [(cluster.up(), empty.up()) for _ in range(RUNS)]
    name = "`pulumi up` without changes, beside one with as many empty dynamic resources"
    ours, theirs = (statistics.median(used.cpu for used in each) for each in zip(*runs, strict=True))
    yield Figure(
        f"{name}: CPU of all processes",
        statistics.median(first.cpu / second.cpu for first, second in runs),
        CPU,
        "",
        f"{ours:.2f} s beside {theirs:.2f} s; medians of {RUNS} pairs in turn",
    )
    ours, theirs = (min(used.seconds for used in each) for each in zip(*runs, strict=True))
    yield Figure(
        f"{name}: time",
        ours / theirs,
        TIME,
        "",
        f"{ours:.2f} s beside {theirs:.2f} s, the quickest of {RUNS} each, in turn",
    )
