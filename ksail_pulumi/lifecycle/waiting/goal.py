"""The goal of a wait: a pure predicate over the statuses of a cluster.

No single status of Omni is enough. The versions in ClusterStatus are the desired ones, its `ready` ignores the
Kubernetes API and flaps during an upgrade, and an upgrade status stays Done for the old version until its controller
runs. Only all statuses together, at the same time, are reliable; `settling` adds how long they must hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER_MACHINE,
    CLUSTER_MACHINE_IDENTITY,
    CLUSTER_MACHINE_STATUS,
    CLUSTER_STATUS,
    CLUSTER_UUID,
    CONTROL_PLANE_STATUS,
    KUBERNETES_UPGRADE_STATUS,
    LABEL_CONTROL_PLANE,
    LABEL_MACHINE_SET,
    MACHINE_SET,
    MACHINE_SET_NODE,
    MACHINE_SET_STATUS,
    MACHINE_STATUS,
    TALOS_UPGRADE_STATUS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ksail_pulumi.lifecycle.waiting.view import ClusterView
    from ksail_pulumi.omni.resources import Resource, ResourceType

WaitFor = Literal["ready", "running", "none"]

_PHASE = specs_pb2.ClusterStatusSpec.Phase
_SET_PHASE = specs_pb2.MachineSetPhase
_TALOS_PHASE = specs_pb2.TalosUpgradeStatusSpec.Phase
_KUBERNETES_PHASE = specs_pb2.KubernetesUpgradeStatusSpec.Phase


@dataclass(frozen=True)
class Goal:
    """The state to wait for.

    Attributes:
        cluster: The name of the cluster.
        wait_for: `ready`, `running` (all machines run and have their configuration and image, but nodes need not be
            ready: they may have no network yet), or `none` (Omni has accepted the cluster).
        sets: The number of machines of each machine set, by ID; None: as many as Omni allocates.
        talos_version: The desired Talos version, without `v`.
        kubernetes_version: The desired Kubernetes version, without `v`.
        leaving: IDs of machines that must leave the cluster and become free.
        shrinks: Whether machines leave at all. With a machine class, Omni chooses which ones.
        machines: IDs of the machines that the cluster has in the end, without those of machine classes.
    """

    cluster: str
    wait_for: WaitFor
    sets: Mapping[str, int | None] = field(default_factory=dict)
    talos_version: str = ""
    kubernetes_version: str = ""
    leaving: frozenset[str] = frozenset()
    shrinks: bool = False
    machines: frozenset[str] = frozenset()

    @property
    def types(self) -> tuple[ResourceType, ...]:
        """The types to watch."""
        types: tuple[ResourceType, ...] = (CLUSTER_UUID,)
        if self.wait_for != "none":
            types += (
                CLUSTER_STATUS,
                MACHINE_SET_STATUS,
                CLUSTER_MACHINE_STATUS,
                CLUSTER_MACHINE_IDENTITY,
                TALOS_UPGRADE_STATUS,
                KUBERNETES_UPGRADE_STATUS,
                CONTROL_PLANE_STATUS,
            )
            if self.shrinks:
                types += (CLUSTER_MACHINE, MACHINE_STATUS)
        return types


def goal_of(cluster: Resource, resources: Sequence[Resource]) -> Goal:
    """The goal of a cluster as it is set in Omni, given its machine sets and nodes among its resources."""
    sets: dict[str, int | None] = {}
    for machine_set in resources:
        if machine_set.type == MACHINE_SET:
            by_class = machine_set.spec.HasField("machine_allocation")
            sets[machine_set.id] = None if by_class else 0
    for node in resources:
        if node.type == MACHINE_SET_NODE:
            set_id = node.labels.get(LABEL_MACHINE_SET, "")
            count = sets.get(set_id)
            if count is not None:
                sets[set_id] = count + 1
    spec = cluster.spec
    return Goal(cluster.id, "ready", sets, talos_version=spec.talos_version, kubernetes_version=spec.kubernetes_version)


def reached(view: ClusterView, goal: Goal) -> bool:
    """Whether the cluster has reached the goal at this moment.

    Checks whose cost does not depend on the number of machines come first: most events stop at one of them.
    """
    if not view.synced(goal.types):
        return False
    if goal.wait_for == "none":
        # Omni makes the UUID once it has accepted the cluster, and the state needs it as the identity.
        return view.one(CLUSTER_UUID) is not None
    if not _running(view, goal) or (goal.wait_for == "ready" and not _ready(view, goal)):
        return False
    return not still_leaving(view, goal)


def expected_machines(view: ClusterView, goal: Goal) -> int | None:
    """The final number of machines of the cluster, None while it is not known."""
    total = 0
    for set_id, count in goal.sets.items():
        if count is None:
            status = view.get(MACHINE_SET_STATUS, set_id)
            if status is None:
                return None
            count = status.spec.machines.requested  # noqa: PLW2901 - None means as many as Omni allocates
        total += count
    return total


def still_leaving(view: ClusterView, goal: Goal) -> frozenset[str]:
    """The machines that leave the cluster and are not free yet."""
    if not goal.shrinks:
        return frozenset()
    # A deleted MachineSetNode does not mean that the machine is free: its ClusterMachine exists until the machine has
    # been reset, and it becomes `available` when its MachineStatus loses the cluster label.
    allocated = {status.id for status in view.all(MACHINE_STATUS)}
    members = {machine.id: machine for machine in view.all(CLUSTER_MACHINE)}
    going = {machine.id for machine in members.values() if machine.tearing_down}
    return frozenset(going | (allocated - members.keys()) | (goal.leaving & (allocated | members.keys())))


def _running(view: ClusterView, goal: Goal) -> bool:
    status = view.one(CLUSTER_STATUS)
    expected = expected_machines(view, goal)
    return (
        status is not None
        and not status.tearing_down
        # The phase may still be the one from before a scale-up, so the machines are counted too.
        and status.spec.phase == _PHASE.RUNNING
        and status.spec.machines.connected == expected
        # Unlike the counts of the sets, `applied` requires that the current configuration is applied.
        and view.count(CLUSTER_MACHINE_STATUS) == expected == len(view.applied)
        # Machines are healthy before, between and after the steps of an upgrade. Kernel arguments and extensions are
        # applied as an upgrade too.
        and talos_done(view, goal)
    )


def _ready(view: ClusterView, goal: Goal) -> bool:
    status = view.one(CLUSTER_STATUS)
    if status is None:
        return False
    spec = status.spec
    # `ready` sums up the machine sets and ignores the Kubernetes API.
    if not (spec.ready and spec.available and control_plane_ready(view) and spec.kubernetesAPIReady):
        return False
    # ClusterStatus is computed from the machine sets, so it lags behind them.
    if not all(_set_ready(view, set_id, count) for set_id, count in goal.sets.items()):
        return False
    return len(view.running) == len(view.applied) and kubernetes_done(view, goal)


def _set_ready(view: ClusterView, set_id: str, count: int | None) -> bool:
    status = view.get(MACHINE_SET_STATUS, set_id)
    if status is None or status.tearing_down:
        return False
    spec = status.spec
    expected = spec.machines.requested if count is None else count
    return bool(
        spec.phase == _SET_PHASE.Running
        and spec.ready
        and spec.machines.total == spec.machines.requested == spec.machines.healthy == expected
    )


def control_plane_ready(view: ClusterView) -> bool:
    """Whether the control plane is ready, as far as Omni reports it.

    Omni never writes the ControlPlaneStatus of a control plane that begins with an even number of machines, so its
    `controlplaneReady` stays false. Then the other conditions decide: machines, machine sets and Kubernetes API.
    """
    status = view.one(CLUSTER_STATUS)
    if status is None:
        return False
    if status.spec.controlplaneReady:
        return True
    sets = [item.spec.machines for item in view.all(MACHINE_SET_STATUS) if LABEL_CONTROL_PLANE in item.labels]
    even = bool(sets) and all(machines.requested and machines.requested % 2 == 0 for machines in sets)
    return even and not view.count(CONTROL_PLANE_STATUS)


def talos_done(view: ClusterView, goal: Goal) -> bool:
    """Whether every machine runs the desired Talos version."""
    return _upgraded(view.one(TALOS_UPGRADE_STATUS), _TALOS_PHASE.Done, goal.talos_version)


def kubernetes_done(view: ClusterView, goal: Goal) -> bool:
    """Whether every node runs the desired Kubernetes version."""
    return _upgraded(view.one(KUBERNETES_UPGRADE_STATUS), _KUBERNETES_PHASE.Done, goal.kubernetes_version)


def _upgraded(status: Resource | None, done: int, version: str) -> bool:
    # Done alone is not enough: until its controller runs, the status stays Done for the previous version.
    return status is not None and status.spec.phase == done and status.spec.last_upgrade_version == version
