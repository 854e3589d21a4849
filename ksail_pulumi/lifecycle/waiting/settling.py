"""How long the goal must hold, and a failure must last, before a wait ends.

Omni's statuses flap while a cluster starts, and are stale for a moment after a write: after a change of versions they
still report the previous upgrade as done until the controllers run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.lifecycle.waiting.goal import reached

if TYPE_CHECKING:
    from ksail_pulumi.lifecycle.waiting.goal import Goal
    from ksail_pulumi.lifecycle.waiting.view import ClusterView

SETTLING_SECONDS = 0.5
"""How long the goal must hold without a break, in seconds."""

STALE_SECONDS = 2.0
"""How long statuses may be stale after our last write, in seconds. Seen on a real Omni: 0.18 s."""


class GoalCondition:
    """Decides when a view has settled. The caller passes the time.

    Call `observe` after every single change of the view: a short break within a batch of events counts too.
    """

    def __init__(self, view: ClusterView, goal: Goal, *, last_write: float | None, grace: float) -> None:
        self._view = view
        self._goal = goal
        self._grace = grace
        # The UUID of a cluster neither flaps nor is stale.
        doubtful = goal.wait_for != "none"
        self._settling = SETTLING_SECONDS if doubtful else 0.0
        self._not_before = float("-inf")
        if doubtful and last_write is not None:
            self._not_before = last_write + STALE_SECONDS
        self._holds_since: float | None = None
        self._failures: dict[tuple[str, str], str] = {}
        self._fails_since: dict[tuple[str, str], float] = {}

    def observe(self, now: float) -> None:
        """Record the view as it is since `now`, in seconds of a monotonic clock."""
        if not reached(self._view, self._goal):
            self._holds_since = None
        elif self._holds_since is None:
            self._holds_since = now
        self._failures = self._view.standing_failures()
        if self._failures or self._fails_since:
            self._fails_since = {key: self._fails_since.get(key, now) for key in self._failures}

    def done_at(self) -> float | None:
        """When the goal counts as reached if nothing changes; None while it is not reached."""
        return None if self._holds_since is None else max(self._holds_since + self._settling, self._not_before)

    def failed_at(self) -> float | None:
        """When the oldest failure becomes final if nothing changes; None if there is none."""
        return min(self._fails_since.values()) + self._grace if self._fails_since else None

    def final_failures(self, now: float) -> list[str]:
        """The failures that have lasted for the grace time, with Omni's texts."""
        return [self._failures[key] for key, since in self._fails_since.items() if now - since >= self._grace]
