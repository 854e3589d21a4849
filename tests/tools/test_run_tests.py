"""`make test` runs what it can and says what it could not, here in a checkout of one test without `pulumi` and `go`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    if shutil.which("pulumi", path="/usr/bin:/bin") or shutil.which("go", path="/usr/bin:/bin"):
        pytest.skip("pulumi or go is among the system's own commands")
    shutil.copytree(TOOLS, tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "Makefile").write_text("lowest:\n")
    (tmp_path / "test_one.py").write_text("def test_one():\n    pass\n")
    return tmp_path


def run_tests(checkout: Path, **env: str) -> subprocess.CompletedProcess[str]:
    surroundings = {"PATH": "/usr/bin:/bin", "HOME": str(checkout), "XDG_CACHE_HOME": str(checkout / "cache"), **env}
    command = [sys.executable, checkout / "tools" / "run_tests.py", "-n0", "-p", "no:cacheprovider"]
    return subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)


def test_the_rest_runs_and_the_last_line_names_what_did_not_and_why(checkout: Path) -> None:
    done = run_tests(checkout)
    assert done.returncode == 0
    *_, summary, last = done.stdout.splitlines()
    assert "1 passed" in summary
    assert last.startswith("NOT RUN: what drives the real `pulumi` command (tests/e2e): no `pulumi` on PATH; ")


def test_in_ci_that_is_a_failure(checkout: Path) -> None:
    assert run_tests(checkout, CI="true").returncode == 1


def test_a_missing_environment_with_the_oldest_releases_is_named_too(checkout: Path) -> None:
    (checkout / "Makefile").write_text("lowest:\n\t@echo no wheels >&2; exit 1\n")
    last = run_tests(checkout).stdout.splitlines()[-1]
    assert last.startswith("NOT RUN: the provider on the oldest supported releases: `make lowest` failed: no wheels")


def test_a_failing_test_is_a_failure(checkout: Path) -> None:
    (checkout / "test_one.py").write_text("def test_one():\n    assert False\n")
    assert run_tests(checkout).returncode == 1
