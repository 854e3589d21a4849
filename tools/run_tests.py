"""Run the tests: prepare what some of them need, run pytest, and end with what could not run and why.

With `--sweeps` it runs what `make test` runs only a sample of: the tests marked `sweep`, and all tests of Hypothesis
with more examples. All other arguments go to pytest. What cannot be prepared is a failure where `CI=true`; elsewhere
the rest runs without it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import obtain_pulumi

SWEEPS = "--sweeps"
SWEEP_SECONDS = 600
"""How long one test of the sweeps may take."""


def main(arguments: list[str]) -> int:
    """Return the exit status for `make test` or, with `--sweeps` among the arguments, for `make sweeps`."""
    # A script that runs `make test &` has SIGINT ignored. The provider processes of tests would inherit that, and never
    # end; those of the engine do not.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    left_out = []
    compiling = _compile()
    try:
        obtain_pulumi.obtain()
    except obtain_pulumi.UnavailableError as error:
        left_out.append(f"what drives the real `pulumi` command (tests/e2e): {error}")
    try:
        _prepare_lowest()
    except obtain_pulumi.UnavailableError as error:
        left_out.append(f"the provider on the oldest supported releases: {error}")

    if compiling is not None:
        compiling.wait()
    command = [sys.executable, "-m", "pytest", *_parallel(arguments), *_selected(arguments)]
    status = subprocess.run(command, cwd=_ROOT, env=_environment(), check=False).returncode
    for line in left_out:
        print(f"NOT RUN: {line}", flush=True)
    return status or (1 if left_out and os.environ.get("CI") == "true" else 0)


_ROOT = obtain_pulumi.TOOLS.parent


def _compile() -> subprocess.Popen[bytes] | None:
    """In a new checkout, compile the tests and what they import, once: otherwise each worker does so at its start."""
    if any((_ROOT / "tests").rglob("*.pyc")):
        return None
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n0"]
    return subprocess.Popen(command, cwd=_ROOT, env=_environment(), stdout=subprocess.DEVNULL)


def _parallel(arguments: list[str]) -> list[str]:
    """Several tests at once, unless the arguments say how many.

    Most tests wait for a cluster more than they compute. Who takes which is in `tests/scheduling.py`.
    """
    if any(argument.startswith("-n") for argument in arguments):
        return []
    return ["-n", str(4 * (os.cpu_count() or 1)), "--no-loadscope-reorder"]


def _selected(arguments: list[str]) -> list[str]:
    if SWEEPS not in arguments:
        return arguments
    rest = [argument for argument in arguments if argument != SWEEPS]
    chosen = ["-m", "sweep or hypothesis", "--hypothesis-profile", "sweeps"]
    return [*chosen, "--timeout", str(SWEEP_SECONDS), *rest]


def _environment() -> dict[str, str]:
    """The environment of the tests. They start hundreds of Python processes, which must not compile everything anew."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _prepare_lowest() -> None:
    done = subprocess.run(["make", "-s", "lowest"], cwd=_ROOT, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise obtain_pulumi.UnavailableError(f"`make lowest` failed: {' '.join(done.stderr.split())}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
