"""The wait loop over watch events, until the condition is met, the deadline passes or the user cancels."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from ksail_pulumi.errors import ClusterFailedError, WaitTimeoutError
from ksail_pulumi.lifecycle.waiting import progress
from ksail_pulumi.lifecycle.waiting.diagnosis import diagnose
from ksail_pulumi.lifecycle.waiting.settling import GoalCondition
from ksail_pulumi.lifecycle.waiting.view import BY_ID
from ksail_pulumi.omni.resources import CLUSTER, CLUSTER_UUID, LABEL_CLUSTER
from ksail_pulumi.omni.watch import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.lifecycle.waiting.goal import Goal
    from ksail_pulumi.lifecycle.waiting.view import ClusterView
    from ksail_pulumi.omni.resources import ResourceType
    from ksail_pulumi.omni.watch import WatchEvent

_LINE_SECONDS = 1.0
_HEARTBEAT_SECONDS = 30.0


class Condition(Protocol):
    """The condition of a wait, checked after every event. Times are in seconds of `time.monotonic`."""

    def observe(self, now: float) -> None: ...
    def done_at(self) -> float | None: ...
    def failed_at(self) -> float | None: ...
    def final_failures(self, now: float) -> Sequence[str]: ...


def wait(session: Session, view: ClusterView, goal: Goal, *, last_write: float | None) -> None:
    """Wait until the cluster reaches `goal`. `view` holds the last statuses, also after an error.

    Raises:
        ClusterFailedError: A failure lasted for the grace time of the session.
        WaitTimeoutError: The session's deadline passed; the text names the machines that block it.
        CancelledError: The session was cancelled.
        OmniError: The watch failed.
    """
    follow(
        session,
        view,
        GoalCondition(view, goal, last_write=last_write, grace=session.grace),
        queries(view.cluster, goal.types),
        describe=lambda: progress.describe(view, goal),
        waiting_for={"ready": "is not ready", "running": "is not running", "none": "is not yet accepted by Omni"}[
            goal.wait_for
        ],
    )


def queries(cluster: str, types: Iterable[ResourceType]) -> list[Query]:
    """The queries for these types of one cluster."""
    return [
        Query(resource_type, id=cluster)
        if resource_type in BY_ID
        else Query(resource_type, labels={LABEL_CLUSTER: cluster})
        for resource_type in types
    ]


def follow(
    session: Session,
    view: ClusterView,
    condition: Condition,
    watched: Sequence[Query],
    *,
    describe: Callable[[], str],
    waiting_for: str,
    react: Callable[[WatchEvent], None] | None = None,
) -> None:
    """Apply events until the condition is met. `react` is called after each one."""
    presence = session.presence
    if presence is not None:
        types = {query.type for query in watched}
        watched = [*watched, *(query for query in presence.queries if query.type not in types)]
    reporter = _Reporter(session.progress, describe)
    with session.client.state.watch(*watched, cancelled=session.cancelled) as watch:
        while True:
            session.check_cancelled(f"waiting for cluster {view.cluster}")
            if presence is not None and view.synced((CLUSTER, CLUSTER_UUID)):
                presence.check(view.one(CLUSTER), view.one(CLUSTER_UUID))
            now = time.monotonic()
            done_at = condition.done_at()
            done = done_at is not None and done_at <= now
            if not done:
                _check_failures(session, view, condition, now)
            if not done and session.deadline.remaining() == 0:
                raise WaitTimeoutError(_timeout_text(session, view, describe(), waiting_for, watch.trouble))
            times = [done_at, condition.failed_at(), session.deadline.at]
            synced = view.synced(query.type for query in watched)
            if synced:
                times.append(reporter.due)
            due = min(when for when in times if when is not None)
            # Also when the condition is met: a queued event may revert it.
            event = watch.next(timeout=0.0 if done else max(0.0, due - now))
            if event is not None:
                view.apply(event.query.type, event)
                condition.observe(time.monotonic())
                if react is not None:
                    react(event)
            elif done:
                return
            if synced:
                reporter.report(time.monotonic(), changed=event is not None)


def _check_failures(session: Session, view: ClusterView, condition: Condition, now: float) -> None:
    failures = condition.final_failures(now)
    if failures:
        text = "; ".join(failures)
        raise ClusterFailedError(f"cluster {view.cluster} failed: {text}\n{diagnose(view, session.client)}".rstrip())


def _timeout_text(session: Session, view: ClusterView, state: str, waiting_for: str, trouble: Exception | None) -> str:
    lines = [f"cluster {view.cluster} {waiting_for} after {progress.duration(session.deadline.seconds)}: {state}"]
    if trouble is not None:
        lines.append(f"no connection to Omni: {trouble}")
    lines.append(diagnose(view, session.client))
    return "\n".join(line for line in lines if line)


class _Reporter:
    """Reports progress when it changes, at most once a second, and every half minute without a change."""

    def __init__(self, send: Callable[[str], None], describe: Callable[[], str]) -> None:
        self._send = send
        self._describe = describe
        self._started = time.monotonic()
        self._reported_at = self._checked_at = float("-inf")
        self._text = ""
        self._changed = True

    @property
    def due(self) -> float:
        """When the next report is due without another event."""
        return self._checked_at + _LINE_SECONDS if self._changed else self._reported_at + _HEARTBEAT_SECONDS

    def report(self, now: float, *, changed: bool) -> None:
        self._changed |= changed
        if now < self.due:
            return
        self._changed, self._checked_at = False, now
        text = self._describe()
        if text == self._text and now - self._reported_at < _HEARTBEAT_SECONDS:
            return
        self._send(text if text != self._text else f"{text} (for {progress.duration(now - self._started)})")
        self._text, self._reported_at = text, now
