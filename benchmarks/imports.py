"""What our processes import beyond what they cannot do without, in cold processes with compiled bytecode.

Counted is the processes' own CPU time: imports do little else, and what else runs on the machine does not matter.
"""

from __future__ import annotations

import compileall
import statistics
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.figure import Figure
from benchmarks.lab import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS = 15


@dataclass(frozen=True)
class _Case:
    """What a process imports.

    Attributes:
        name: The process.
        first: What it needs in any case.
        ours: What it imports of ours.
        bound: The most that this may add, in milliseconds of CPU.
    """

    name: str
    first: str
    ours: str
    bound: float


CASES = (
    _Case("a program with a cluster", "pulumi", "ksail_pulumi.provider.cluster", 60),
    _Case(
        "the provider process that checks changed inputs",
        "pulumi.dynamic, grpc",
        "ksail_pulumi.provider.check, ksail_pulumi.provider.looking, ksail_pulumi.provider.machine_fields",
        115,
    ),
    _Case("the command `list`", "grpc", "ksail_pulumi.cli.app, ksail_pulumi.cli.list", 115),
)
_CODE = """
import time
began = time.process_time()
import {first}
middle = time.process_time()
import {ours}
print(middle - began, time.process_time() - middle)
"""


def _seconds(case: _Case) -> tuple[float, float]:
    """Seconds of CPU for what is needed in any case, and for what is ours after that."""
    code = _CODE.format(first=case.first, ours=case.ours)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    first, second = map(float, done.stdout.split())
    return first, second


def measure() -> Iterator[Figure]:
    compileall.compile_dir(ROOT / "ksail_pulumi", quiet=1)
    for case in CASES:
        runs = [_seconds(case) for _ in range(RUNS)]
        needed = statistics.median(first for first, _ in runs)
        added = statistics.median(second for _, second in runs)
        yield Figure(
            f"imports of {case.name}",
            added * 1000,
            case.bound,
            "ms",
            f"beside {needed * 1000:.0f} ms of {case.first}, which it needs in any case; median of {RUNS} processes",
        )
