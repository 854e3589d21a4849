"""Run the tests: prepare what some of them need, run pytest, and end with what could not run and why.

Arguments go to pytest. What cannot be prepared is a failure where `CI=true`; elsewhere the rest runs without it.
"""

from __future__ import annotations

import os
import subprocess
import sys

import obtain_pulumi


def main(arguments: list[str]) -> int:
    """Return the exit status for `make test`."""
    left_out = []
    try:
        obtain_pulumi.obtain()
    except obtain_pulumi.UnavailableError as error:
        left_out.append(f"what drives the real `pulumi` command (tests/e2e): {error}")
    try:
        _prepare_lowest()
    except obtain_pulumi.UnavailableError as error:
        left_out.append(f"the provider on the oldest supported releases: {error}")

    # Tests wait for clusters more than they compute: one process more than there are cores. A module's tests stay
    # together, so that its fixtures are set up once.
    parallel = ["-n", str((os.cpu_count() or 1) + 1), "--dist", "loadscope"]
    if any(argument.startswith("-n") for argument in arguments):
        parallel = []
    status = subprocess.run([sys.executable, "-m", "pytest", *parallel, *arguments], cwd=_ROOT, check=False).returncode
    for line in left_out:
        print(f"NOT RUN: {line}", flush=True)
    return status or (1 if left_out and os.environ.get("CI") == "true" else 0)


_ROOT = obtain_pulumi.TOOLS.parent


def _prepare_lowest() -> None:
    done = subprocess.run(["make", "-s", "lowest"], cwd=_ROOT, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise obtain_pulumi.UnavailableError(f"`make lowest` failed: {' '.join(done.stderr.split())}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
