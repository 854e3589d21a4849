"""`python -m benchmarks [NAME …]`: measure the figures, print each beside its bound; 1 if one is missed.

`python -m benchmarks scale [--write PATH]`: the tables of `docs/scale.md`, which have no bounds.
"""

from __future__ import annotations

import importlib
import os
import sys
import time

from benchmarks import scale

NAMES = (
    "imports",
    "settling",
    "naming",
    "creating",
    "client_cpu",
    "previewing",
    "traffic",
    "memory",
    "no_op_up",
    "first_up",
    "many",
)


def main() -> int:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if sys.argv[1:2] == ["scale"]:
        scale.write(*sys.argv[3:4])
        return 0
    names = sys.argv[1:] or list(NAMES)
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    missed = 0
    for name in names:
        began = time.perf_counter()
        for figure in importlib.import_module(f"benchmarks.{name}").measure():
            print(figure, flush=True)
            missed += not figure.held
        print(f"     ({name} took {time.perf_counter() - began:.0f} s)", flush=True)
    print(f"{missed} missed" if missed else "all bounds held")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
