"""The clocks of a simulated Omni: real, fast, or moved by hand.

All callbacks of a clock run one after another, in the order of their due times; callbacks with the same due time run
in the order in which they were scheduled.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

Callback = Callable[[], None]

FAST_PACE = 15.0
"""How much faster machines work with a fast clock: a cluster of three machines is ready in about 3 s."""

_LONGEST_TURN = 0.0005
"""How long callbacks run in seconds before the threads that answer calls get the interpreter: they would wait 5 ms."""
_LONGEST_PAUSE = 0.005
"""How long callbacks wait in seconds after a turn while calls arrive. Controllers of a real Omni delay no answer."""
_QUIET = 0.002
"""The time in seconds without a new call after which callbacks go on."""

_log = logging.getLogger(__name__)


@dataclass(order=True)
class Handle:
    """A scheduled callback; after `cancel()` it does not start."""

    due: float
    order: int
    callback: Callback | None = field(compare=False)

    def cancel(self) -> None:
        """Cancel the callback; no effect if it has run already."""
        self.callback = None


class Clock(Protocol):
    """The interface of all clocks.

    Attributes:
        pace: By how much the work of machines is faster than in `controllers.timings`.
    """

    pace: float

    def now(self) -> datetime:
        """The time of day, with time zone UTC."""

    def call_later(self, delay: float, callback: Callback) -> Handle:
        """Run a callback once, `delay` seconds from now. Thread-safe."""

    def give_way(self) -> None:
        """Note that a call has arrived: callbacks that are due wait some milliseconds for its answer. Thread-safe."""

    def close(self) -> None:
        """Run no further callback; returns when the running one has ended."""


class RealClock:
    """Real time. Callbacks run in a thread of this clock, which starts with the first one."""

    pace = 1.0

    def __init__(self) -> None:
        self._due: list[Handle] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._called = float("-inf")

    def now(self) -> datetime:
        return datetime.now(UTC)

    def call_later(self, delay: float, callback: Callback) -> Handle:
        handle = Handle(time.monotonic() + max(delay, 0), next(self._order), callback)
        with self._changed:
            if self._closed:
                handle.cancel()
                return handle
            heapq.heappush(self._due, handle)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="simulator-clock", daemon=True)
                self._thread.start()
            elif self._due[0] is handle:
                self._changed.notify()
        return handle

    def give_way(self) -> None:
        self._called = time.monotonic()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._due.clear()
            self._changed.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        ran = 0.0
        while (callback := self._next()) is not None:
            began = time.monotonic()
            try:
                callback()
            except Exception:
                # One broken callback must not stop the clock.
                _log.exception("a callback of the simulator failed")
            ran += time.monotonic() - began
            if ran > _LONGEST_TURN:
                self._pause()
                ran = 0.0

    def _pause(self) -> None:
        """Give the interpreter to the threads that answer calls, for longer while calls arrive."""
        until = time.monotonic() + _LONGEST_PAUSE
        time.sleep(0)
        while (left := min(until, self._called + _QUIET) - time.monotonic()) > 0:
            time.sleep(left)

    def _next(self) -> Callback | None:
        """Wait until a callback is due and take it; None when the clock is closed."""
        with self._changed:
            while not self._closed:
                if not self._due:
                    self._changed.wait()
                    continue
                wait = self._due[0].due - time.monotonic()
                if wait > 0:
                    self._changed.wait(wait)
                    continue
                callback = heapq.heappop(self._due).callback
                if callback is not None:
                    return callback
        return None


class FastClock(RealClock):
    """Real time in which machines work faster; the reactions of controllers keep their duration."""

    pace = FAST_PACE


class ManualClock:
    """Time that stands still until `advance` moves it. For tests; callbacks run in the thread that advances."""

    pace = 1.0

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._due: list[Handle] = []
        self._order = itertools.count()
        self._lock = threading.Lock()
        self._advancing = threading.RLock()
        self._closed = False

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._elapsed

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def call_later(self, delay: float, callback: Callback) -> Handle:
        with self._lock:
            handle = Handle(self._elapsed + max(delay, 0), next(self._order), callback)
            if self._closed:
                handle.cancel()
            else:
                heapq.heappush(self._due, handle)
        return handle

    def give_way(self) -> None:
        """Nothing: callbacks run only in `advance`."""

    def advance(self, seconds: float) -> None:
        """Advance the time, and run all callbacks that become due, each at its own time."""
        with self._advancing:
            until = self._elapsed + seconds
            while (callback := self._next(until)) is not None:
                callback()
            self._elapsed = until

    def close(self) -> None:
        with self._advancing, self._lock:
            self._closed = True
            self._due.clear()

    def _next(self, until: float) -> Callback | None:
        with self._lock:
            while self._due and self._due[0].due <= until:
                handle = heapq.heappop(self._due)
                if handle.callback is not None:
                    self._elapsed = max(self._elapsed, handle.due)
                    return handle.callback
        return None
