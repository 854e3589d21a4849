"""Deletes a cluster and waits until its machines are free again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ksail_pulumi import listing
from ksail_pulumi.errors import KsailPulumiError, LifecycleError, NotFoundError
from ksail_pulumi.lifecycle.account import writing
from ksail_pulumi.lifecycle.backup_first import back_up_before_deletion
from ksail_pulumi.lifecycle.cut_off import connected, remove_machine
from ksail_pulumi.lifecycle.needed import OF_MACHINES
from ksail_pulumi.lifecycle.ownership import refuse_locked_deletion, refuse_lost
from ksail_pulumi.lifecycle.waiting.asking import ask
from ksail_pulumi.lifecycle.waiting.diagnosis import Awaited
from ksail_pulumi.lifecycle.waiting.progress import describe_deletion
from ksail_pulumi.lifecycle.waiting.view import ClusterView
from ksail_pulumi.lifecycle.waiting.watch import follow, queries
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_BOOTSTRAP_STATUS,
    CLUSTER_DESTROY_STATUS,
    CLUSTER_UUID,
    LABEL_CLUSTER,
    LABEL_CONNECTED,
    MACHINE_SET_NODE,
    MACHINE_STATUS,
    MACHINE_STATUS_LABELS,
    machine_name,
)
from ksail_pulumi.plan.diff import release
from ksail_pulumi.plan.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ksail_pulumi.lifecycle.identity import Identity
    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.omni.resources import Resource, ResourceType
    from ksail_pulumi.omni.state import State
    from ksail_pulumi.omni.watch import WatchEvent
    from ksail_pulumi.plan.ownership import OwnershipMark

OnDisconnected = Literal["wait", "fail", "remove"]

_NEXT_STEP = (
    "Omni continues the deletion. Run `pulumi destroy` again to wait for it, or `pulumi refresh` "
    "before the next `pulumi up`"
)
_OF_MACHINES = (MACHINE_STATUS_LABELS, MACHINE_STATUS)
_CUT_OFF = (LABEL_CONNECTED,)
"""The label that a machine lacks which Omni cannot reach."""


def delete(
    name: str,
    session: Session,
    *,
    identity: Identity | None = None,
    on_disconnected: OnDisconnected = "fail",
    backup_first: bool = False,
) -> None:
    """Delete cluster `name`; its machines are wiped and become free. Does nothing if it does not exist.

    Args:
        name: The cluster's name.
        session: The Omni and the deadline.
        identity: The cluster to delete; another one of this name is not touched. None: any cluster of this name.
        on_disconnected: Omni cannot wipe a disconnected machine, which blocks the deletion until it returns: `wait`
            for it, `fail` with its name (before anything is deleted, if it is known by then), or `remove` it from
            Omni without a wipe.
        backup_first: Whether a backup of etcd is taken first; if it fails, nothing is deleted.

    Raises:
        ForeignClusterError: The cluster now belongs to someone else.
        LifecycleError: The cluster is locked, has disconnected machines, cannot be backed up, or is missing in an Omni
            other than the one where it was last seen.
        WaitTimeoutError: The deadline passed; the text names what still exists.
        CancelledError: The user interrupted. Omni continues the deletion.
        OmniError: Omni refused, or did not answer.
    """
    state = session.client.state
    find, find_uuid = state.start_find(CLUSTER, name), state.start_find(CLUSTER_UUID, name)
    bootstrap = state.start_find(CLUSTER_BOOTSTRAP_STATUS, name)
    cut_off = state.start_list(MACHINE_STATUS, {LABEL_CLUSTER: name}, without=_CUT_OFF)
    of_machines = [(question, question.send(state)) for question in OF_MACHINES]
    cluster, uuid = find.result(), find_uuid.result()
    kept = [resource for question, call in of_machines for resource in question.answer(call)]
    if identity is not None and not identity.is_in(cluster, uuid, session.client.endpoint):
        session.warn(f"{identity.missing(cluster)}: there is nothing to delete")
        if cluster is not None:
            return  # the resources of its machines may belong to the other cluster
    elif cluster is not None:
        if identity is not None:
            refuse_lost(cluster, identity.mark, "delete")
        refuse_locked_deletion(cluster)
        with writing(session.client):
            if on_disconnected == "fail":
                _refuse_cut_off(name, cut_off.result())
            if backup_first and not cluster.tearing_down:
                found = Snapshot(resources=[cluster], cluster_uuid=uuid, bootstrap_status=bootstrap.result())
                back_up_before_deletion(found, session)
            _take_down(cluster, session, on_disconnected)
    if identity is not None:
        with writing(session.client):
            _release(kept, name, identity.mark, state)


def _refuse_cut_off(name: str, machines: Sequence[Resource]) -> None:
    if machines:
        raise LifecycleError(_cut_off_text(name, map(machine_name, machines)))


def _take_down(cluster: Resource, session: Session, on_disconnected: OnDisconnected) -> None:
    state, name = session.client.state, cluster.id
    if not cluster.tearing_down:
        try:
            state.teardown(CLUSTER, name)
        except NotFoundError:
            return
    try:
        _wait_until_deleted(name, session, on_disconnected)
    except KsailPulumiError as error:
        error.args = (f"{error}. {_NEXT_STEP}",)
        raise


def _wait_until_deleted(name: str, session: Session, on_disconnected: OnDisconnected) -> None:
    # The labels of a machine are an eighth of its status, and change less often. They follow it, so a machine that has
    # lost the label of the cluster there has left. One that is removed from Omni loses its labels first.
    view = ClusterView(name)
    for kind in _OF_MACHINES:
        condition = _Deletion(view, kind, session, session.grace if on_disconnected == "fail" else None)
        _follow(condition, view, session, _Remover(session.client.state, name) if on_disconnected == "remove" else None)
        if condition.certain:
            break
    if condition.replaced:
        session.warn(
            f"cluster {name!r} was deleted, and someone has created another cluster with the same name in the meantime"
        )


def _follow(condition: _Deletion, view: ClusterView, session: Session, remover: _Remover | None) -> None:
    def react(event: WatchEvent) -> None:
        condition.take(event)
        if remover is not None and event.resource is not None and event.kind != "destroyed":
            remover.look_at(event.resource)

    follow(
        session,
        view,
        condition,
        queries(view.cluster, (CLUSTER, CLUSTER_DESTROY_STATUS, condition.kind)),
        describe=lambda: _describe(view, condition),
        awaited=lambda: Awaited(leaving={machine.id for machine in view.all(condition.kind)}),
        waiting_for="is not deleted",
        react=react,
    )


class _Deletion:
    """Reached once the cluster is gone and no machine has its label.

    Attributes:
        kind: The resources of machines that are watched: their statuses, or the labels of these.
        certain: Whether the statuses can have no label where the labels have none.
    """

    def __init__(self, view: ClusterView, kind: ResourceType, session: Session, grace: float | None) -> None:
        self.kind = kind
        self.certain = True
        self._view = view
        self._session = session
        self._grace = grace
        self._since: float | None = None
        self._cut_off_since: dict[str, float] = {}
        self._cut_off: set[str] = set()
        self._names: dict[str, str] = {}

    @property
    def replaced(self) -> bool:
        """Whether another cluster has the name: a teardown is never reverted, so a running cluster is a new one."""
        cluster = self._view.one(CLUSTER)
        return cluster is not None and not cluster.tearing_down

    def take(self, event: WatchEvent) -> None:
        """Record a machine that loses or regains its connection, or is gone with the label of the cluster."""
        machine = event.resource
        if event.query.type != self.kind:
            return
        if machine is None:
            self.certain = self.certain and (event.kind != "resync" or self.kind == MACHINE_STATUS)
        elif event.kind == "destroyed" or connected(machine):
            self._cut_off.discard(machine.id)
            removed = event.kind == "destroyed" and machine.cluster == self._view.cluster
            self.certain = self.certain and (not removed or self.kind == MACHINE_STATUS)
        else:
            self._cut_off.add(machine.id)

    @property
    def cut_off(self) -> list[str]:
        """The names of machines without a connection."""
        unknown = sorted(self._cut_off - self._names.keys())
        if unknown:
            found = ask([(MACHINE_STATUS, machine) for machine in unknown], self._session.client)
            self._names |= {machine.id: machine_name(machine) for machine in found}
        return [self._names.get(machine, machine) for machine in self._cut_off]

    def observe(self, now: float) -> None:
        # Where the labels do not show all, the statuses are followed from now on.
        gone = not self.certain or (
            self._view.synced((CLUSTER, self.kind))
            and (self.replaced or (self._view.one(CLUSTER) is None and not self._view.count(self.kind)))
        )
        self._since = (self._since or now) if gone else None
        self._cut_off_since = {key: self._cut_off_since.get(key, now) for key in self._cut_off}

    def done_at(self) -> float | None:
        return self._since

    def failed_at(self) -> float | None:
        if self._grace is None or not self._cut_off_since:
            return None
        return min(self._cut_off_since.values()) + self._grace

    def final_failures(self, now: float) -> list[str]:
        due = self.failed_at()
        return [_cut_off_text(self._view.cluster, self.cut_off)] if due is not None and due <= now else []


class _Remover:
    """Removes the machines of the cluster that are not connected."""

    def __init__(self, state: State, cluster: str) -> None:
        self._state = state
        self._cluster = cluster
        self._removed: set[str] = set()

    def look_at(self, resource: Resource) -> None:
        if resource.type not in _OF_MACHINES or connected(resource) or resource.id in self._removed:
            return
        # The labels may be older than the status: the machine may be in another cluster by now.
        status = self._state.find(MACHINE_STATUS, resource.id)
        if status is not None and status.cluster == self._cluster and not connected(status):
            self._removed.add(resource.id)
            remove_machine(resource.id, self._state)


def _release(resources: Iterable[Resource], name: str, mark: OwnershipMark, state: State) -> None:
    """Remove our mark from resources that stay with a machine, unless it is in another cluster of ours by now."""
    ours = [resource for resource in resources if mark.owns(resource)]
    nodes = {resource.id: state.start_find(MACHINE_SET_NODE, resource.id) for resource in ours}
    for resource in ours:
        node = nodes[resource.id].result()
        if node is not None and node.cluster != name:
            continue
        try:
            state.modify(resource.type, resource.id, lambda resource: release(resource, mark))
        except NotFoundError:
            continue


def _describe(view: ClusterView, condition: _Deletion) -> str:
    text = describe_deletion(view)
    if cut_off := condition.cut_off:
        text += f", waiting for machines that are not connected to Omni: {_named(cut_off)}"
    return text


def _named(machines: Iterable[str]) -> str:
    return listing.names(sorted(machines))


def _cut_off_text(cluster: str, machines: Iterable[str]) -> str:
    return (
        f"cluster {cluster!r} cannot be deleted: Omni cannot wipe machines that are not connected: {_named(machines)}. "
        "Connect them, or set onDelete.disconnectedMachines to 'wait' to wait for them, or to 'remove' to remove them "
        "from Omni without a wipe"
    )
