"""The wait loop over watch events, until the condition is met, the deadline passes or the user cancels."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from ksail_pulumi.errors import ClusterFailedError, WaitTimeoutError
from ksail_pulumi.lifecycle.waiting import progress
from ksail_pulumi.lifecycle.waiting.diagnosis import Awaited, diagnose, hold_ups, silence
from ksail_pulumi.lifecycle.waiting.goal import still_leaving
from ksail_pulumi.lifecycle.waiting.reporting import Reporter
from ksail_pulumi.lifecycle.waiting.settling import GoalCondition
from ksail_pulumi.lifecycle.waiting.view import BY_ID, LATE
from ksail_pulumi.omni.resources import CLUSTER, CLUSTER_UUID, LABEL_CLUSTER
from ksail_pulumi.omni.watch import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.lifecycle.waiting.goal import Goal
    from ksail_pulumi.lifecycle.waiting.view import ClusterView
    from ksail_pulumi.omni.resources import ResourceType
    from ksail_pulumi.omni.watch import WatchEvent


class Condition(Protocol):
    """The condition of a wait, checked after every event. Times are in seconds of `time.monotonic`."""

    def observe(self, now: float) -> None: ...
    def done_at(self) -> float | None: ...

    def failed_at(self) -> float | None:
        """When the oldest failure becomes final; None where nothing can fail."""
        return None

    def final_failures(self, now: float) -> Sequence[str]:  # noqa: ARG002 - for those that can fail
        """The failures that are final."""
        return ()


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
        awaited=lambda: Awaited(
            joining=goal.machines,
            leaving=still_leaving(view, goal),
            done=view.applied if goal.wait_for == "running" else view.running,
            control_plane=goal.wait_for == "ready",
        ),
        waiting_for={"ready": "is not ready", "running": "is not running", "none": "is not yet accepted by Omni"}[
            goal.wait_for
        ],
    )


def queries(cluster: str, types: Iterable[ResourceType]) -> list[Query]:
    """The queries for these types of one cluster."""
    return [
        Query(resource_type, id=cluster, late=resource_type in LATE)
        if resource_type in BY_ID
        else Query(resource_type, labels={LABEL_CLUSTER: cluster}, late=resource_type in LATE)
        for resource_type in types
    ]


def follow(
    session: Session,
    view: ClusterView,
    condition: Condition,
    watched: Sequence[Query],
    *,
    describe: Callable[[], str],
    awaited: Callable[[], Awaited],
    waiting_for: str,
    react: Callable[[WatchEvent], None] | None = None,
    every: float | None = None,
) -> None:
    """Apply events until the condition is met. `react` is called after each one.

    `every`: how often the condition observes the view although nothing changes, in seconds.
    """
    presence = session.presence
    if presence is not None:
        types = {query.type for query in watched}
        watched = [*watched, *(query for query in presence.queries if query.type not in types)]
    client, waiting = session.client, f"cluster {view.cluster} {waiting_for}"
    reporter = Reporter(
        session.progress,
        describe,
        lambda: hold_ups(view, awaited(), client),
        session.stall,
        silence=lambda: silence(client),
    )
    with session.client.state.watch(*watched, cancelled=session.cancelled) as watch:
        while True:
            session.check_cancelled(f"waiting for cluster {view.cluster}", reporter.held_up)
            if presence is not None and view.synced((CLUSTER, CLUSTER_UUID)):
                presence.check(view.one(CLUSTER), view.one(CLUSTER_UUID))
            now = time.monotonic()
            done_at = condition.done_at()
            done = done_at is not None and done_at <= now
            if not done:
                _check_failures(session, view, condition, awaited, now)
            if not done and session.deadline.remaining() == 0:
                raise WaitTimeoutError(
                    _timeout_text(session, str(diagnose(view, awaited(), client)), waiting, describe(), watch.trouble)
                )
            times = [done_at, condition.failed_at(), session.deadline.at, reporter.due]
            times += [now + every] if every is not None else []
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
            elif every is not None:
                condition.observe(time.monotonic())
            synced = view.synced(query.type for query in watched)
            reporter.report(time.monotonic(), changed=event is not None, synced=synced)


def _check_failures(
    session: Session, view: ClusterView, condition: Condition, awaited: Callable[[], Awaited], now: float
) -> None:
    failures = condition.final_failures(now)
    if failures:
        diagnosis = diagnose(view, awaited(), session.client)
        raise ClusterFailedError(f"cluster {view.cluster} failed: {'; '.join(failures)}\n{diagnosis}".rstrip())


def _timeout_text(session: Session, diagnosis: str, waiting: str, state: str, trouble: Exception | None) -> str:
    silent = silence(session.client)  # the diagnosis has asked Omni
    lines = [f"{waiting} after {progress.duration(session.deadline.seconds)}: "]
    lines[0] += f"{silent}. Before that: {state}" if silent else state
    if trouble is not None:
        lines.append(f"no connection to Omni: {trouble}")
    return "\n".join(line for line in (*lines, diagnosis) if line)
