"""When a wait reports its progress, and when it adds what holds it up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ksail_pulumi.lifecycle.waiting import progress

if TYPE_CHECKING:
    from collections.abc import Callable

_LINE_SECONDS = 1.0
_HEARTBEAT_SECONDS = 30.0
_LISTEN_SECONDS = 5.0
"""How often to look whether Omni still answers: no event reports that it does not."""


class Reporter:
    """Reports progress when it changes, at most once a second, and every half minute without a change.

    Progress is a line that this wait has not had before: statuses also alternate without getting anywhere.

    """

    def __init__(
        self,
        send: Callable[[str], None],
        describe: Callable[[], str],
        hold_ups: Callable[[], str],
        stall: float,
        silence: Callable[[], str],
    ) -> None:
        """Create a reporter.

        Args:
            send: Called with each line.
            describe: How far the wait is.
            hold_ups: What holds the wait up.
            stall: How many seconds without progress it takes until `hold_ups` is called.
            silence: Since when Omni has not answered; `""` if it answers.
        """
        self._held_up = ""
        self._send = send
        self._describe = describe
        self._hold_ups = hold_ups
        self._stall = stall
        self._silence = silence
        self._silent = ""
        self._described = ""
        self._started = self._moved_at = time.monotonic()
        self._reported_at = self._looked_at = self._asked_at = float("-inf")
        self._text = ""
        self._had: set[str] = set()
        self._changed = True

    @property
    def held_up(self) -> str:
        """What has held the wait up since there was no progress for a while; `""` for nothing."""
        return ", ".join(filter(None, (self._silence(), self._held_up)))

    @property
    def due(self) -> float:
        """When the next report is due without another event; the first one is due when all statuses are known."""
        if not self._described:
            return float("inf")
        soon = self._looked_at + _LINE_SECONDS
        if self._changed:
            return soon
        due = min(self._reported_at + _HEARTBEAT_SECONDS, self._looked_at + _LISTEN_SECONDS)
        return max(soon, due if self._asked_at >= self._moved_at else min(due, self._moved_at + self._stall))

    def report(self, now: float, *, changed: bool, synced: bool) -> None:
        """Report if it is time.

        Args:
            now: The time, in seconds of `time.monotonic`.
            changed: Whether there was an event.
            synced: Whether all statuses are known; otherwise the wait is where it was.
        """
        self._changed |= changed
        if now < self.due and not (synced and not self._described):
            return
        self._changed, self._looked_at = False, now
        if synced:
            self._look(now)
        # The text has the time since then, which alone is no reason for another line.
        repeated, silent = now - self._reported_at >= _HEARTBEAT_SECONDS, self._silence()
        if repeated or bool(silent) != bool(self._silent):
            self._silent = silent
        text = ", ".join(filter(None, (self._described, self._silent, self._held_up)))
        if text == self._text and not repeated:
            return
        self._send(text if text != self._text else f"{text} (for {progress.duration(now - self._started)})")
        self._text, self._reported_at = text, now

    def _look(self, now: float) -> None:
        self._described = self._describe()
        if self._described not in self._had:
            self._had.add(self._described)
            self._moved_at, self._held_up = now, ""
        elif now >= max(self._moved_at + self._stall, self._asked_at + _HEARTBEAT_SECONDS):
            self._held_up, self._asked_at = self._hold_ups(), now
