"""`python -m benchmarks.server MACHINES`: a simulated Omni until stdin closes; prints endpoint and key as JSON."""

from __future__ import annotations

import json
import sys

from ksail_pulumi.simulator.server import Simulator


def main() -> None:
    with Simulator(machines=int(sys.argv[1]), speed="fast") as omni:
        print(json.dumps({"endpoint": omni.endpoint, "key": omni.service_account_key}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
