"""`python -m benchmarks.server MACHINES SPEED`: a simulated Omni until stdin closes; prints how to reach it."""

from __future__ import annotations

import json
import os
import sys
from typing import Literal

from ksail_pulumi.simulator.server import Simulator


def main() -> None:
    speed: Literal["real", "fast"] = "real" if sys.argv[2] == "real" else "fast"
    with Simulator(machines=int(sys.argv[1]), speed=speed) as omni:
        found = {"endpoint": omni.endpoint, "key": omni.service_account_key, "process": os.getpid()}
        print(json.dumps(found), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
