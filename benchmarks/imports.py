"""What importing `ksail_pulumi` adds to importing `pulumi`, in cold processes with compiled bytecode.

Counted is the processes' own CPU time: imports do little else, and what else runs on the machine does not matter.
"""

from __future__ import annotations

import compileall
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.figure import Figure
from benchmarks.lab import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS = 21
BOUND = 60.0
CASES = ("import ksail_pulumi", "from ksail_pulumi import OmniCluster")
_CODE = """
import time
began = time.process_time()
import pulumi
middle = time.process_time()
{statement}
print(middle - began, time.process_time() - middle)
"""


def _seconds(statement: str) -> tuple[float, float]:
    """Seconds of CPU for importing pulumi, and for the statement after that."""
    done = subprocess.run(
        [sys.executable, "-c", _CODE.format(statement=statement)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    first, second = map(float, done.stdout.split())
    return first, second


def measure() -> Iterator[Figure]:
    compileall.compile_dir(ROOT / "ksail_pulumi", quiet=1)
    for statement in CASES:
        runs = [_seconds(statement) for _ in range(RUNS)]
        pulumi = statistics.median(first for first, _ in runs)
        added = statistics.median(second for _, second in runs)
        yield Figure(
            f"`{statement}` after `import pulumi`",
            added * 1000,
            BOUND,
            "ms",
            f"{added / pulumi:.3f} of the {pulumi * 1000:.0f} ms of `import pulumi`, median of {RUNS} processes",
        )
