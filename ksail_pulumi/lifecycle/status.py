"""How far a cluster is from healthy: what `status` shows, once or until the cluster is healthy."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from ksail_pulumi.errors import NotFoundError
from ksail_pulumi.lifecycle import facts
from ksail_pulumi.lifecycle.overview import not_found
from ksail_pulumi.lifecycle.waiting.diagnosis import Awaited
from ksail_pulumi.lifecycle.waiting.goal import Goal, goal_of, reached
from ksail_pulumi.lifecycle.waiting.machine_state import connection, own_error
from ksail_pulumi.lifecycle.waiting.machine_state import facts as machine_facts
from ksail_pulumi.lifecycle.waiting.manifest_error import reported_error
from ksail_pulumi.lifecycle.waiting.progress import describe, describe_deletion
from ksail_pulumi.lifecycle.waiting.settling import GoalCondition
from ksail_pulumi.lifecycle.waiting.view import ClusterView, read_into
from ksail_pulumi.lifecycle.waiting.watch import Condition, follow, queries
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_DESTROY_STATUS,
    CLUSTER_KUBERNETES_MANIFESTS_STATUS,
    CLUSTER_MACHINE_STATUS,
    KUBERNETES_UPGRADE_STATUS,
    LABEL_CONTROL_PLANE,
    LABEL_MACHINE_SET,
    MACHINE_SET,
    MACHINE_SET_NODE,
    MACHINE_SET_STATUS,
    MACHINE_STATUS,
    TALOS_UPGRADE_STATUS,
    Resource,
    enum_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.watch import WatchEvent

TYPES = (
    CLUSTER,
    CLUSTER_DESTROY_STATUS,
    MACHINE_SET,
    MACHINE_SET_NODE,
    MACHINE_STATUS,
    CLUSTER_KUBERNETES_MANIFESTS_STATUS,
    *Goal("", "ready").types,
)
"""The types to read or watch."""


class MemberState(TypedDict):
    """A machine of a cluster.

    Attributes:
        id: Its ID.
        hostname: Its hostname; `""` while it has none.
        stage: Omni's name for its stage: `RUNNING`, `BOOTING`, …; `""` if it has not joined yet.
        connected: Whether it is connected to Omni.
        ready: Whether it runs, is ready, and has its current configuration.
        talosVersion: The Talos version that runs on it, without `v`; `""` if not known.
        state: Its state in words.
    """

    id: str
    hostname: str
    stage: str
    connected: bool
    ready: bool
    talosVersion: str
    state: str


class SetState(TypedDict):
    """A machine set.

    Attributes:
        id: Its ID.
        phase: Omni's name for its phase: `Running`, `ScalingUp`, …
        ready: Whether it is ready.
        healthyMachines: The number of machines that Omni calls healthy.
        requestedMachines: The number of machines that it is to have.
        machines: Its machines, by ID.
    """

    id: str
    phase: str
    ready: bool
    healthyMachines: int
    requestedMachines: int
    machines: list[MemberState]


class ClusterState(TypedDict):
    """A cluster, with the keys of `overview.ClusterOverview` where it has them.

    Attributes:
        healthy: Whether all of the cluster is ready, as `waitFor: ready` means it, and no manifest has an error.
        progress: How far it is and what it waits for, as `pulumi up` reports it.
        sets: Its machine sets, by ID; that of the control plane is the first.
    """

    name: str
    healthy: bool
    phase: str
    progress: str
    talosVersion: str
    runningTalosVersion: str
    kubernetesVersion: str
    runningKubernetesVersion: str
    sets: list[SetState]


def read_view(client: Client, name: str) -> ClusterView:
    """What Omni reports about a cluster, in one round trip.

    Raises:
        NotFoundError: The account has no cluster of this name.
        OmniError: Omni did not answer.
    """
    view = ClusterView(name)
    read_into(view, client.state, TYPES)
    _cluster(view)
    return view


def wait_until_healthy(session: Session, view: ClusterView, changed: Callable[[], None]) -> None:
    """Wait until a cluster is healthy. `view` holds the last statuses, also after an error.

    The goal is what Omni has at each moment, because others may change the cluster meanwhile.

    Args:
        session: Its deadline ends the wait, and its `progress` is called with lines about how far the cluster is.
        view: A view of the cluster without resources.
        changed: Called after each change of the view.

    Raises:
        NotFoundError: The cluster does not exist, or was deleted meanwhile.
        WaitTimeoutError: The deadline passed; the text names what keeps the cluster from being healthy.
        OmniError: The watch failed.
    """

    def react(_: WatchEvent) -> None:
        if view.synced(TYPES):
            changed()

    follow(
        session,
        view,
        _Healthy(view),
        queries(view.cluster, TYPES),
        describe=lambda: _progress(view),
        awaited=lambda: awaited(view),
        waiting_for="is not healthy",
        react=react,
    )


class _Healthy(Condition):
    """The condition that a cluster is healthy, whatever Omni's goal for it is. Others may still repair what fails."""

    def __init__(self, view: ClusterView) -> None:
        self._view = view
        self._goal: Goal | None = None
        self._condition: GoalCondition | None = None

    def observe(self, now: float) -> None:
        if not self._view.synced(TYPES):
            return
        cluster = self._view.one(CLUSTER)
        if cluster is None and self._goal is not None:
            raise NotFoundError(f"cluster {self._view.cluster} was deleted")
        goal = goal_in(self._view)
        if cluster is not None and cluster.tearing_down:
            self._goal, self._condition = goal, None
            return
        if goal != self._goal or self._condition is None:
            self._goal = goal
            self._condition = GoalCondition(self._view, goal, last_write=None, grace=float("inf"))
        self._condition.observe(now)

    def done_at(self) -> float | None:
        if self._condition is None or _manifest_error(self._view):
            return None
        return self._condition.done_at()


def _cluster(view: ClusterView) -> Resource:
    found = view.one(CLUSTER)
    if found is None:
        raise not_found(view.cluster)
    return found


def goal_in(view: ClusterView) -> Goal:
    """The goal that Omni has for a cluster at the moment."""
    return goal_of(_cluster(view), [*view.all(MACHINE_SET), *view.all(MACHINE_SET_NODE)])


def awaited(view: ClusterView) -> Awaited:
    """The machines that a healthy cluster needs."""
    joining = [node.id for node in view.all(MACHINE_SET_NODE)]
    return Awaited(joining=joining, done=view.running, control_plane=True)


def healthy(view: ClusterView) -> bool:
    """Whether a cluster is healthy at this moment."""
    return not _cluster(view).tearing_down and not _manifest_error(view) and reached(view, goal_in(view))


def state_of(view: ClusterView) -> ClusterState:
    """The state of a cluster, from what Omni reports about it."""
    cluster = _cluster(view)
    return {
        "name": view.cluster,
        "healthy": healthy(view),
        "phase": "DESTROYING" if cluster.tearing_down else facts.phase(view),
        "progress": _progress(view),
        "talosVersion": cluster.spec.talos_version,
        "runningTalosVersion": facts.running_version(view.one(TALOS_UPGRADE_STATUS)),
        "kubernetesVersion": cluster.spec.kubernetes_version,
        "runningKubernetesVersion": facts.running_version(view.one(KUBERNETES_UPGRADE_STATUS)),
        "sets": [_set(view, each) for each in sorted(view.all(MACHINE_SET), key=_workers)],
    }


def _progress(view: ClusterView) -> str:
    cluster = view.one(CLUSTER)
    if cluster is None:
        return "nothing is known of it yet"
    if cluster.tearing_down:
        return describe_deletion(view)
    return ", ".join(filter(None, (describe(view, goal_in(view)), _manifest_error(view))))


def _manifest_error(view: ClusterView) -> str:
    return reported_error(view.one(CLUSTER_KUBERNETES_MANIFESTS_STATUS))


def _workers(machine_set: Resource) -> bool:
    return LABEL_CONTROL_PLANE not in machine_set.labels


def _set(view: ClusterView, machine_set: Resource) -> SetState:
    status = view.get(MACHINE_SET_STATUS, machine_set.id)
    members = {
        each.id
        for kind in (MACHINE_SET_NODE, CLUSTER_MACHINE_STATUS)
        for each in view.all(kind)
        if each.labels.get(LABEL_MACHINE_SET) == machine_set.id
    }
    return {
        "id": machine_set.id,
        "phase": enum_name(specs_pb2.MachineSetPhase, status.spec.phase) if status else "Unknown",
        "ready": bool(status and status.spec.ready),
        "healthyMachines": status.spec.machines.healthy if status else 0,
        "requestedMachines": status.spec.machines.requested if status else len(members),
        "machines": [_member(view, machine) for machine in sorted(members)],
    }


def _member(view: ClusterView, machine_id: str) -> MemberState:
    member, machine = view.get(CLUSTER_MACHINE_STATUS, machine_id), view.get(MACHINE_STATUS, machine_id)
    state = ", ".join(machine_facts(member)) if member else "has not joined the cluster yet"
    known = member or machine
    connected = known is not None and connection(known) == "connected"
    return {
        "id": machine_id,
        "hostname": facts.hostname(member) if member else "",
        "stage": enum_name(specs_pb2.ClusterMachineStatusSpec.Stage, member.spec.stage) if member else "",
        "connected": connected,
        "ready": machine_id in view.running,
        "talosVersion": machine.spec.talos_version.removeprefix("v") if machine else "",
        "state": f"{state}{'' if connected else ', not connected to Omni'}{own_error(machine)}",
    }
