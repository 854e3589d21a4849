"""The provider process is killed before and after every write that it makes, and the next run finishes the work."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Callable, Iterator

import pytest

from tests.crash.omni import Crash, Moment, Omni, running_omni
from tests.crash.scenarios import NOTHING, SCENARIOS, Scenario, wanted
from tests.crash.stack import Program, Stack
from tests.host import Engine, Failed, Nursery

NewStack = Callable[[Omni, pathlib.Path], Stack]
MOST_FAILURES = 3
"""After so many, the other writes are not tried: each takes its time."""


@pytest.fixture(scope="module")
def new_stack() -> Iterator[NewStack]:
    nursery, engine = Nursery(), Engine()
    yield lambda omni, folder: Stack(omni, engine, nursery, folder)
    engine.server.stop(None).wait()
    nursery.close()


def crash_at(moment: Moment, number: int, scenario: Scenario, new_stack: NewStack, folder: pathlib.Path) -> Crash:
    """Kill the process at one write of the scenario, run again, and look at what Omni has then."""
    with running_omni() as omni:
        stack = new_stack(omni, folder)
        if scenario.before is not None:
            stack.run(scenario.before)
            expect(scenario.before, stack)
        if scenario.tainted:
            stack.taint()
        had = stack.uuid
        crash = Crash(omni.simulator, moment, number)
        step = stack.run(scenario.run, crash)
        if crash.at is None:
            assert step == scenario.step
        elif stack.run(scenario.run) == "same":
            # The state has all of it. What Omni has too much is found where Omni is asked.
            stack.run(scenario.run, refresh=True)
        expect(scenario.run, stack)
        assert (stack.uuid == had) is (scenario.step == "update")
        if scenario.run is not NOTHING:
            assert stack.run(scenario.run) == "same"
        return crash


def expect(program: Program, stack: Stack) -> None:
    expected = wanted(program, stack.uuid)
    assert stack.omni.shows(expected) == expected


@pytest.mark.parametrize(
    ("name", "moment", "number"),
    [("create", "after", 1), ("scale down", "before", 1), ("new owner", "after", 2), ("replace by name", "after", 2)],
)
def test_the_next_run_finishes_what_a_crash_left(
    name: str, moment: Moment, number: int, new_stack: NewStack, tmp_path: pathlib.Path
) -> None:
    crash = crash_at(moment, number, SCENARIOS[name], new_stack, tmp_path)
    assert crash.at is not None


def every_moment() -> Iterator[tuple[Moment, int]]:
    """Before the first write, and after each: after one is before the next."""
    yield "before", 1
    for number in itertools.count(1):
        yield "after", number


@pytest.mark.sweep
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_crash_at_any_write_is_made_good(name: str, new_stack: NewStack, tmp_path: pathlib.Path) -> None:
    failures = []
    crashes = 0
    for moment, number in every_moment():
        try:
            crash = crash_at(moment, number, SCENARIOS[name], new_stack, tmp_path / f"{moment}-{number}")
        except (AssertionError, Failed) as error:  # the other writes are tried, too
            failures.append(f"{moment} write {number}: {error}")
            if len(failures) == MOST_FAILURES:
                break
            continue
        if crash.at is None:
            break
        crashes += 1
    print(f"{name}: {crashes + len(failures)} crashes, {crashes} made good")
    assert not failures, "\n\n".join(failures)
    assert crashes > SCENARIOS[name].writes
