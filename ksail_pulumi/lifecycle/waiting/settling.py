"""For how long must the predicate hold, and a failure stand, before a wait believes it.

Omni's statuses flap while a cluster comes up, and stand stale for a moment after a write: after a change of versions
the old "all is done" stays readable until the controllers have looked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.lifecycle.waiting.goal import reached

if TYPE_CHECKING:
    from ksail_pulumi.lifecycle.waiting.goal import Goal
    from ksail_pulumi.lifecycle.waiting.view import ClusterView

SETTLING_SECONDS = 0.5
"""How long the predicate must hold without a break."""

STALE_SECONDS = 2.0
"""How long after our last write statuses may still show the state before it. Seen on a real Omni: 0.18 s."""


class Judgement:
    """Watches a view settle. Told the time by its caller, so that it needs no clock.

    Call `observe` after every single change of the view: a break that comes and goes within one batch of events counts.
    """

    def __init__(self, view: ClusterView, goal: Goal, *, last_write: float | None, grace: float) -> None:
        self._view = view
        self._goal = goal
        self._grace = grace
        # That Omni has taken a cluster in neither flaps nor stands stale.
        doubtful = goal.wait_for != "none"
        self._settling = SETTLING_SECONDS if doubtful else 0.0
        self._not_before = float("-inf")
        if doubtful and last_write is not None:
            self._not_before = last_write + STALE_SECONDS
        self._holds_since: float | None = None
        self._failures: dict[tuple[str, str], str] = {}
        self._fails_since: dict[tuple[str, str], float] = {}

    def observe(self, now: float) -> None:
        """Take note of how the view is since `now`, in seconds of any steady clock."""
        if not reached(self._view, self._goal):
            self._holds_since = None
        elif self._holds_since is None:
            self._holds_since = now
        self._failures = self._view.standing_failures()
        if self._failures or self._fails_since:
            self._fails_since = {key: self._fails_since.get(key, now) for key in self._failures}

    def done_at(self) -> float | None:
        """When the goal counts as reached if nothing changes until then; None while it is not reached."""
        return None if self._holds_since is None else max(self._holds_since + self._settling, self._not_before)

    def failed_at(self) -> float | None:
        """When the failure that stands longest becomes final if nothing changes until then; None where none stands."""
        return min(self._fails_since.values()) + self._grace if self._fails_since else None

    def final_failures(self, now: float) -> list[str]:
        """The failures that have stood for the grace time, in Omni's words."""
        return [self._failures[key] for key, since in self._fails_since.items() if now - since >= self._grace]
