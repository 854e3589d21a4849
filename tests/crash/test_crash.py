"""The provider process is killed before and after every write that it makes, and the next run finishes the work."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Callable, Iterator

import pytest

from tests.crash.omni import Crash, Moment, Omni, running_omni
from tests.crash.scenarios import SCENARIOS, Scenario, wanted
from tests.crash.stack import Stack
from tests.host import Engine, Failed, Nursery

NewStack = Callable[[Omni, pathlib.Path], Stack]


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
            expected = wanted(scenario.before, str(stack.saved and stack.saved.outputs["clusterUuid"]))
            assert omni.shows(expected) == expected
        crash = Crash(omni.simulator, moment, number)
        stack.run(scenario.run, crash)
        if crash.at is not None:
            stack.run(scenario.run)
        expected = wanted(scenario.run, str(stack.saved and stack.saved.outputs["clusterUuid"]))
        assert omni.shows(expected) == expected
        return crash


@pytest.mark.parametrize(
    ("name", "moment", "number"),
    [("create", "after", 1), ("scale down", "before", 1), ("new owner", "after", 2), ("replace by name", "after", 2)],
)
def test_the_next_run_finishes_what_a_crash_left(
    name: str, moment: Moment, number: int, new_stack: NewStack, tmp_path: pathlib.Path
) -> None:
    crash = crash_at(moment, number, SCENARIOS[name], new_stack, tmp_path)
    assert crash.at is not None


@pytest.mark.sweep
@pytest.mark.timeout(600)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_crash_at_any_write_is_made_good(
    name: str, moment: Moment, new_stack: NewStack, tmp_path: pathlib.Path
) -> None:
    failures: dict[int, str] = {}
    for number in itertools.count(1):
        try:
            crash = crash_at(moment, number, SCENARIOS[name], new_stack, tmp_path / str(number))
        except (AssertionError, Failed) as error:  # all points are tried, and then told together
            failures[number] = f"{error}"
            if len(failures) > 3:
                break
            continue
        if crash.at is None:
            break
    made = number - 1
    print(f"{name}: {made} crashes {moment} a write, {made - len(failures)} made good")
    assert made >= SCENARIOS[name].least
    assert not failures, "\n\n".join(f"{moment} write {at}: {text}" for at, text in failures.items())
