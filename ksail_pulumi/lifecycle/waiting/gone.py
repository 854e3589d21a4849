"""Waits until resources in teardown are gone."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from ksail_pulumi.errors import ConflictError, NotFoundError
from ksail_pulumi.lifecycle.waiting.diagnosis import Awaited
from ksail_pulumi.lifecycle.waiting.view import ClusterView
from ksail_pulumi.lifecycle.waiting.watch import Condition, follow
from ksail_pulumi.omni.resources import CLUSTER, CLUSTER_MACHINE, LABEL_CLUSTER, MACHINE_STATUS, TYPES, Resource
from ksail_pulumi.omni.watch import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.omni.resources import ResourceType
    from ksail_pulumi.omni.state import State
    from ksail_pulumi.omni.watch import WatchEvent

_MEMBERSHIP = (CLUSTER_MACHINE, MACHINE_STATUS)
"""Types that have the label of the cluster while a machine is in it."""


def wait_until_gone(resources: Sequence[Resource], session: Session, cluster: str) -> None:
    """Wait until these resources of a cluster, all in teardown, are gone.

    Raises:
        WaitTimeoutError: The session's deadline passed.
        CancelledError: The session was cancelled.
        OmniError: The watch failed.
    """
    while resources:
        finisher = _Finisher(session.client.state, cluster)
        waiting_for = "still has resources that are being deleted"
        _follow(resources, session, cluster, waiting_for=waiting_for, look=finisher.look)
        resources = finisher.relabelled


def wait_until_free(machines: Collection[str], session: Session, cluster: str) -> None:
    """Wait until machines that leave a cluster have been reset and are free: they lose the label of the cluster.

    Raises:
        WaitTimeoutError: The session's deadline passed.
        CancelledError: The session was cancelled.
        OmniError: The watch failed.
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
    look: Callable[[WatchEvent], None] | None = None,
) -> None:
    """Wait until none of these exists, or has the cluster's label; `look` is called with each event about them."""
    view = ClusterView(cluster)
    gone = Gone(view, resources)

    def react(event: WatchEvent) -> None:
        if look is not None and event.resource is not None and event.resource in gone:
            look(event)

    follow(
        session,
        view,
        gone,
        gone.queries,
        describe=gone.describe,
        awaited=lambda: Awaited(leaving=gone.machines),
        waiting_for=waiting_for,
        react=react,
    )


class _Finisher:
    """Destroys what is ready for it, and collects what only lost the label of the cluster."""

    def __init__(self, state: State, cluster: str) -> None:
        self._state = state
        self._cluster = cluster
        self.relabelled: list[Resource] = []

    def look(self, event: WatchEvent) -> None:
        resource = event.resource
        if resource is None:
            return
        if event.kind != "destroyed":
            _finish_teardown(resource, self._state)
        elif event.query.labels and resource.cluster != self._cluster:
            # It still exists, but a watch with a label query does not report when it is really gone.
            self.relabelled.append(replace(resource, labels={}))


def _finish_teardown(resource: Resource, state: State) -> None:
    """Destroy a resource that is torn down and has no finalizers.

    Omni also does this since 1.9, and is usually faster.
    """
    if resource.type == CLUSTER:
        return  # Omni does it since 1.2. A Destroy that arrives late removes a new cluster of the same name.
    if resource.tearing_down and not resource.finalizers:
        with suppress(NotFoundError, ConflictError):
            # The event may be old: a new resource of the same ID has no finalizers at first either.
            if state.get(resource.type, resource.id).tearing_down:
                state.destroy(resource.type, resource.id)


class Gone(Condition):
    """Reached once none of the resources exists."""

    def __init__(self, view: ClusterView, resources: Sequence[Resource]) -> None:
        self._view = view
        self._waiting = [(resource.type, resource.id) for resource in resources]
        self._all = {resource.key for resource in resources}
        self._torn_down = {resource.key for resource in resources if resource.tearing_down}
        by_label = {resource.type.name for resource in resources if resource.cluster}
        self.queries = [Query(TYPES[name], labels={LABEL_CLUSTER: view.cluster}) for name in sorted(by_label)]
        # One query per type: a type is synced when all its resources are.
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
        # Checks only the last one until it is gone, so the cost of an event does not depend on their number.
        while self._waiting and not self._is_there(*self._waiting[-1]):
            self._waiting.pop()
        if not self._waiting:
            self._since = now

    def _is_there(self, resource_type: ResourceType, key: str) -> bool:
        """Whether it still exists. A teardown is never reverted, so a running resource is a new one."""
        found = self._view.get(resource_type, key)
        return found is not None and (found.tearing_down or (resource_type.name, key) not in self._torn_down)

    def done_at(self) -> float | None:
        return self._since

    @property
    def machines(self) -> set[str]:
        """The machines that are still there, if it waits for machines."""
        return {key for kind, key in self._waiting if kind in _MEMBERSHIP and self._is_there(kind, key)}

    def describe(self) -> str:
        left = sum(1 for resource_type, key in self._waiting if self._is_there(resource_type, key))
        if not left:  # they may be gone before the first report
            return "resources removed"
        return f"waiting for {left} {'resource' if left == 1 else 'resources'} to be removed"
