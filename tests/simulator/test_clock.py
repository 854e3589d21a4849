from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from ksail_pulumi.simulator.clock import FastClock, ManualClock, RealClock


def test_a_manual_clock_runs_what_is_due_in_order_and_each_at_its_own_time() -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    seen: list[tuple[str, float]] = []
    clock.call_later(2, lambda: seen.append(("second", clock.elapsed)))
    clock.call_later(1, lambda: seen.append(("first", clock.elapsed)))
    clock.call_later(1, lambda: seen.append(("first too", clock.elapsed)))
    clock.call_later(9, lambda: seen.append(("never", clock.elapsed)))

    clock.advance(5)

    assert seen == [("first", 1), ("first too", 1), ("second", 2)]
    assert clock.now() == datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=5)


def test_what_a_callback_asks_for_runs_in_the_same_advance_if_it_is_due() -> None:
    clock = ManualClock()
    seen: list[float] = []

    def again() -> None:
        seen.append(clock.elapsed)
        clock.call_later(1, again)

    clock.call_later(0, again)
    clock.advance(3)

    assert seen == [0, 1, 2, 3]


def test_a_cancelled_callback_does_not_run() -> None:
    clock = ManualClock()
    seen: list[str] = []
    clock.call_later(1, lambda: seen.append("cancelled")).cancel()
    clock.call_later(2, lambda: seen.append("kept"))
    clock.advance(2)
    assert seen == ["kept"]


def test_a_closed_manual_clock_runs_nothing() -> None:
    clock = ManualClock()
    seen: list[str] = []
    clock.call_later(1, lambda: seen.append("before"))
    clock.close()
    clock.call_later(1, lambda: seen.append("after"))
    clock.advance(5)
    assert seen == []


@pytest.mark.parametrize("kind", [RealClock, FastClock])
def test_a_running_clock_calls_back_in_one_thread_of_its_own_and_in_order(kind: type[RealClock]) -> None:
    clock = kind()
    seen: list[tuple[int, str]] = []
    done = threading.Event()
    clock.call_later(1.0, lambda: seen.append((2, threading.current_thread().name)))
    clock.call_later(0.01, lambda: seen.append((1, threading.current_thread().name)))
    clock.call_later(1.01, done.set)

    assert done.wait(60)
    clock.close()

    assert [number for number, _ in seen] == [1, 2]
    assert {name for _, name in seen} == {"simulator-clock"}


def test_closing_waits_for_the_callback_that_is_running() -> None:
    clock = RealClock()
    started, finished = threading.Event(), threading.Event()

    def slow() -> None:
        started.set()
        time.sleep(0.05)
        finished.set()

    clock.call_later(0, slow)
    assert started.wait(60)
    clock.close()
    assert finished.is_set()


def test_callbacks_wait_for_the_answer_to_a_call_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet, longest = 0.05, 0.1
    monkeypatch.setattr("ksail_pulumi.simulator.clock._QUIET", quiet)
    monkeypatch.setattr("ksail_pulumi.simulator.clock._LONGEST_PAUSE", longest)
    clock = RealClock()
    called: list[float] = []
    began: list[float] = []
    done, busy = threading.Event(), threading.Event()

    def long_turn() -> None:
        began.append(time.monotonic())
        time.sleep(0.001)
        called.append(time.monotonic())
        clock.give_way()

    def call_without_end() -> None:
        while not done.is_set():
            clock.give_way()
            busy.set()

    def begin_calls() -> None:
        threading.Thread(target=call_without_end, daemon=True).start()
        busy.wait(60)

    clock.call_later(0, long_turn)
    clock.call_later(0.001, long_turn)
    clock.call_later(0.002, begin_calls)
    clock.call_later(0.003, long_turn)
    clock.call_later(0.004, done.set)
    try:
        assert done.wait(60)
    finally:
        done.set()
    clock.close()

    assert busy.is_set()
    assert began[1] - called[0] >= quiet


def test_a_clock_that_was_never_used_has_no_thread_and_closes() -> None:
    before = set(threading.enumerate())
    clock = RealClock()
    assert set(threading.enumerate()) <= before
    clock.close()


def test_a_broken_callback_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    clock = RealClock()
    done = threading.Event()

    def broken() -> None:
        raise ValueError("on purpose")

    clock.call_later(0, broken)
    clock.call_later(0.01, done.set)
    assert done.wait(60)
    clock.close()
    assert "a callback of the simulator failed" in caplog.text
