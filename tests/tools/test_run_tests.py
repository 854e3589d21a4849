"""`make test` and `make sweeps` run what they can and say what they could not: here without `pulumi` and `go`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = """\
import os
import signal

import pytest
from hypothesis import given, strategies


def test_one():
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(3))
def test_sweep(seed):
    pass


@given(strategies.integers())
def test_any(number):
    pass
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    if shutil.which("pulumi", path="/usr/bin:/bin") or shutil.which("go", path="/usr/bin:/bin"):
        pytest.skip("pulumi or go is among the system's own commands")
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "Makefile").write_text("lowest:\n")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "tests").mkdir()
    for name in ("conftest.py", "scheduling.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path / "tests")
    (tmp_path / "tests" / "test_one.py").write_text(TESTS)
    return tmp_path


def run_tests(checkout: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    surroundings = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(checkout),
        "XDG_CACHE_HOME": str(checkout / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
        **env,
    }
    command = [sys.executable, checkout / "tools" / "run_tests.py", "-n0", "-p", "no:cacheprovider", *arguments]
    # As a script starts what it runs in the background.
    ignoring = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command]
    return subprocess.run(ignoring, env=surroundings, capture_output=True, text=True, check=False)


def test_the_rest_runs_and_the_last_line_names_what_did_not_and_why(checkout: Path) -> None:
    done = run_tests(checkout)
    assert done.returncode == 0
    *_, summary, last = done.stdout.splitlines()
    assert "2 passed, 3 deselected" in summary
    assert last.startswith("NOT RUN: what drives the real `pulumi` command (tests/e2e): no `pulumi` on PATH; ")


def test_the_sweeps_are_what_is_marked_and_all_of_hypothesis_with_more_examples(checkout: Path) -> None:
    sample = run_tests(checkout, "--hypothesis-show-statistics").stdout
    assert " 20 passing, " in sample
    sweeps = run_tests(checkout, "--sweeps", "--hypothesis-show-statistics")
    assert sweeps.returncode == 0
    assert " 300 passing, " in sweeps.stdout
    assert "4 passed, 1 deselected" in sweeps.stdout
    assert sweeps.stdout.splitlines()[-1].startswith("NOT RUN: ")


@pytest.mark.parametrize("arguments", [(), ("--sweeps",)])
def test_in_ci_that_is_a_failure(checkout: Path, arguments: tuple[str, ...]) -> None:
    assert run_tests(checkout, *arguments, CI="true").returncode == 1


def test_a_missing_environment_with_the_oldest_releases_is_named_too(checkout: Path) -> None:
    (checkout / "Makefile").write_text("lowest:\n\t@echo no wheels >&2; exit 1\n")
    last = run_tests(checkout).stdout.splitlines()[-1]
    assert last.startswith("NOT RUN: the provider on the oldest supported releases: `make lowest` failed: no wheels")


def test_a_failing_test_is_a_failure(checkout: Path) -> None:
    (checkout / "tests" / "test_one.py").write_text("def test_one():\n    assert False\n")
    assert run_tests(checkout).returncode == 1
