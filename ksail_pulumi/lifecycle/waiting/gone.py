"""Waiting until resources that are being torn down are gone."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ksail_pulumi.errors import ConflictError, NotFoundError
from ksail_pulumi.lifecycle.waiting.view import ClusterView
from ksail_pulumi.lifecycle.waiting.watch import follow
from ksail_pulumi.omni.resources import CLUSTER_MACHINE, LABEL_CLUSTER, MACHINE_STATUS, TYPES, Resource
from ksail_pulumi.omni.watch import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.omni.resources import ResourceType
    from ksail_pulumi.omni.state import State
    from ksail_pulumi.omni.watch import WatchEvent

_MEMBERSHIP = (CLUSTER_MACHINE, MACHINE_STATUS)
"""What carries the cluster's label as long as a machine is in it."""


def wait_until_gone(resources: Sequence[Resource], session: Session, cluster: str) -> None:
    """Wait until each of these resources of a cluster, all in teardown, is gone; not at all if there are none.

    Raises:
        WaitTimeoutError: The session's deadline passed.
        CancelledError: The session was cancelled.
        OmniError: Omni cannot be watched.
    """
    if not resources:
        return
    _follow(
        resources,
        session,
        cluster,
        waiting_for="still has resources that are being deleted",
        react=lambda resource: finish_teardown(resource, session.client.state),
    )


def wait_until_free(machines: Collection[str], session: Session, cluster: str) -> None:
    """Wait until machines that are leaving a cluster, if any, have been reset and are back in the pool.

    Raises:
        WaitTimeoutError: The session's deadline passed.
        CancelledError: The session was cancelled.
        OmniError: Omni cannot be watched.
    """
    if not machines:
        return
    labels = {LABEL_CLUSTER: cluster}
    _follow(
        [Resource(kind, machine, kind.spec(), labels) for kind in _MEMBERSHIP for machine in machines],
        session,
        cluster,
        waiting_for="still has machines that are being removed",
    )


def _follow(
    resources: Sequence[Resource],
    session: Session,
    cluster: str,
    *,
    waiting_for: str,
    react: Callable[[Resource], None] | None = None,
) -> None:
    """Wait until none of these is there; `react` is called with each of them that is told and exists."""
    view = ClusterView(cluster)
    judge = Gone(view, resources)

    def look(event: WatchEvent) -> None:
        if react is not None and event.resource is not None and event.kind != "destroyed" and event.resource in judge:
            react(event.resource)

    follow(session, view, judge, judge.queries, describe=judge.describe, waiting_for=waiting_for, react=look)


def finish_teardown(resource: Resource, state: State) -> None:
    """Destroy a resource whose teardown has come to its end; nothing to do for any other.

    Omni does so itself, since 1.2 for clusters and since 1.9 for all types, and wins the race most of the time.
    """
    if resource.tearing_down and not resource.finalizers:
        with suppress(NotFoundError, ConflictError):
            # What was told may be past: another cluster of the same name has no finalizers at first either.
            if state.get(resource.type, resource.id).tearing_down:
                state.destroy(resource.type, resource.id)


class Gone:
    """Content once none of the resources is there."""

    def __init__(self, view: ClusterView, resources: Sequence[Resource]) -> None:
        self._view = view
        self._waiting = [(resource.type, resource.id) for resource in resources]
        self._all = {resource.key for resource in resources}
        self._torn_down = {resource.key for resource in resources if resource.tearing_down}
        by_label = {resource.type.name for resource in resources if resource.cluster}
        self.queries = [Query(TYPES[name], labels={LABEL_CLUSTER: view.cluster}) for name in sorted(by_label)]
        # One query for a type, so that a type counts as synced when all of it is.
        others: dict[str, list[str]] = {}
        for resource in resources:
            if not resource.cluster:
                others.setdefault(resource.type.name, []).append(resource.id)
        self.queries += [
            Query(TYPES[name], id=ids[0] if len(ids) == 1 else None) for name, ids in sorted(others.items())
        ]
        self._since: float | None = None

    def __contains__(self, resource: Resource) -> bool:
        return resource.key in self._all

    def observe(self, now: float) -> None:
        if self._since is not None or not self._view.synced(query.type for query in self.queries):
            return
        # Looking at the last one only, until it is gone, makes an event cost the same with thousands of them.
        while self._waiting and not self._is_there(*self._waiting[-1]):
            self._waiting.pop()
        if not self._waiting:
            self._since = now

    def _is_there(self, resource_type: ResourceType, key: str) -> bool:
        """Whether it is still there. A teardown cannot be taken back: what runs now has come after it."""
        found = self._view.get(resource_type, key)
        return found is not None and (found.tearing_down or (resource_type.name, key) not in self._torn_down)

    def done_at(self) -> float | None:
        return self._since

    def failed_at(self) -> float | None:
        return None

    def final_failures(self, now: float) -> list[str]:  # noqa: ARG002 - a judge is told the time
        return []

    def describe(self) -> str:
        left = sum(1 for resource_type, key in self._waiting if self._is_there(resource_type, key))
        return f"waiting for {left} resources to be removed"
