"""The time that a simulated Omni lives in: real, quicker than real, or moved by hand.

All callbacks of one clock run one after another, in the order in which they are due; what is due at the same moment
runs in the order in which it was asked for.
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
"""How many seconds of machine work a fast clock puts into one: a cluster of three machines is ready in about 3 s."""

_log = logging.getLogger(__name__)


@dataclass(order=True)
class Handle:
    """A callback that is due at some time; `cancel()` makes sure that it does not start any more."""

    due: float
    order: int
    callback: Callback | None = field(compare=False)

    def cancel(self) -> None:
        """Forget the callback; nothing happens if it has run already."""
        self.callback = None


class Clock(Protocol):
    """What controllers know about time.

    Attributes:
        pace: How much quicker the emulated machines work than the stories of the controllers say (see
            `controllers.timings`).
    """

    pace: float

    def now(self) -> datetime:
        """The time of day, with time zone UTC."""

    def call_later(self, delay: float, callback: Callback) -> Handle:
        """Have a callback run once, `delay` seconds from now. Thread-safe."""

    def close(self) -> None:
        """Run no further callback; returns when the one that is running has ended."""


class RealClock:
    """Time as it is. Callbacks run in a thread of the clock's own, which starts with the first one."""

    pace = 1.0

    def __init__(self) -> None:
        self._due: list[Handle] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

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

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._due.clear()
            self._changed.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        while (callback := self._next()) is not None:
            try:
                callback()
            except Exception:
                # One broken callback must not stop the time of everybody else.
                _log.exception("a callback of the simulator failed")

    def _next(self) -> Callback | None:
        """Sleep until a callback is due and take it; None when the clock is closed."""
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
    """Real time in which machines work quicker; what takes a moment anyway takes the same moment."""

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

    def advance(self, seconds: float) -> None:
        """Let time pass, running all that is due on the way, each at its own time."""
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
