"""When a wait reports its progress, and when it adds what holds it up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ksail_pulumi.lifecycle.waiting import progress

if TYPE_CHECKING:
    from collections.abc import Callable

_LINE_SECONDS = 1.0
_HEARTBEAT_SECONDS = 30.0


class Reporter:
    """Reports progress when it changes, at most once a second, and every half minute without a change.

    Progress is a line that this wait has not had before: statuses also alternate without getting anywhere.

    Attributes:
        held_up: What has held the wait up since there was no progress for a while; `""` for nothing.
    """

    def __init__(
        self, send: Callable[[str], None], describe: Callable[[], str], hold_ups: Callable[[], str], stall: float
    ) -> None:
        """Create a reporter.

        Args:
            send: Called with each line.
            describe: How far the wait is.
            hold_ups: What holds the wait up.
            stall: How many seconds without progress it takes until `hold_ups` is called.
        """
        self.held_up = ""
        self._send = send
        self._describe = describe
        self._hold_ups = hold_ups
        self._stall = stall
        self._started = self._moved_at = time.monotonic()
        self._reported_at = self._looked_at = self._asked_at = float("-inf")
        self._text = ""
        self._had: set[str] = set()
        self._changed = True

    @property
    def due(self) -> float:
        """When the next report is due without another event."""
        if self._changed:
            return self._looked_at + _LINE_SECONDS
        heartbeat = self._reported_at + _HEARTBEAT_SECONDS
        return heartbeat if self._asked_at >= self._moved_at else min(heartbeat, self._moved_at + self._stall)

    def report(self, now: float, *, changed: bool) -> None:
        self._changed |= changed
        if now < self.due:
            return
        self._changed, self._looked_at = False, now
        described = self._describe()
        if described not in self._had:
            self._had.add(described)
            self._moved_at, self.held_up = now, ""
        elif now >= max(self._moved_at + self._stall, self._asked_at + _HEARTBEAT_SECONDS):
            self.held_up, self._asked_at = self._hold_ups(), now
        text = f"{described}, {self.held_up}" if self.held_up else described
        if text == self._text and now - self._reported_at < _HEARTBEAT_SECONDS:
            return
        self._send(text if text != self._text else f"{text} (for {progress.duration(now - self._started)})")
        self._text, self._reported_at = text, now
