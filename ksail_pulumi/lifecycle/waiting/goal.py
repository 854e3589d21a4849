"""When is a cluster where it was asked to be: a pure predicate over what Omni tells, and the same told in words.

No single status of Omni proves it. ClusterStatus' versions are the desired ones, its `ready` ignores the Kubernetes API
and flaps during an upgrade, and an upgrade status says Done for the old version until its controller has looked. Only
all of them together, at one time, are a sign; `ksail_pulumi.lifecycle.waiting.settling` adds for how long.
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
    KUBERNETES_UPGRADE_STATUS,
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
    """Where a cluster is asked to be.

    Attributes:
        cluster: Its name.
        wait_for: How far: `ready`, `running` (nodes may still lack their network), or `none` (Omni has taken it in).
        sets: How many machines each machine set shall have, by the set's ID; None: as many as Omni finds for it.
        talos_version: The Talos version to run, without `v`.
        kubernetes_version: The Kubernetes version to run, without `v`.
        leaving: IDs of machines that shall be out of the cluster and back in the pool.
        shrinks: Whether machines leave at all: Omni itself chooses those of a set that is served by a machine class.
    """

    cluster: str
    wait_for: WaitFor
    sets: Mapping[str, int | None] = field(default_factory=dict)
    talos_version: str = ""
    kubernetes_version: str = ""
    leaving: frozenset[str] = frozenset()
    shrinks: bool = False

    @property
    def types(self) -> tuple[ResourceType, ...]:
        """What must be watched to see it."""
        types: tuple[ResourceType, ...] = (CLUSTER_UUID,)
        if self.wait_for != "none":
            types += (
                CLUSTER_STATUS,
                MACHINE_SET_STATUS,
                CLUSTER_MACHINE_STATUS,
                CLUSTER_MACHINE_IDENTITY,
                TALOS_UPGRADE_STATUS,
                KUBERNETES_UPGRADE_STATUS,
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
    """Whether the cluster is, at this moment, where it was asked to be.

    What costs the same for any number of machines is asked first, so that most events cost no more.
    """
    if not view.synced(goal.types):
        return False
    if goal.wait_for == "none":
        return view.one(CLUSTER_UUID) is not None
    if not _running(view, goal) or (goal.wait_for == "ready" and not _ready(view, goal)):
        return False
    return not still_leaving(view, goal)


def expected_machines(view: ClusterView, goal: Goal) -> int | None:
    """How many machines the cluster shall have, None while that is not known."""
    total = 0
    for set_id, count in goal.sets.items():
        if count is None:
            status = view.get(MACHINE_SET_STATUS, set_id)
            if status is None:
                return None
            count = status.spec.machines.requested  # noqa: PLW2901 - the set's own number stands in for ours
        total += count
    return total


def still_leaving(view: ClusterView, goal: Goal) -> frozenset[str]:
    """The machines that shall leave and are not back in the pool yet.

    A MachineSetNode that is gone frees nothing: its ClusterMachine lives on until the machine has been reset, and the
    machine is `available` again at the moment when its MachineStatus loses the cluster label.
    """
    if not goal.shrinks:
        return frozenset()
    allocated = {status.id for status in view.all(MACHINE_STATUS)}
    members = {machine.id: machine for machine in view.all(CLUSTER_MACHINE)}
    going = {machine.id for machine in members.values() if machine.tearing_down}
    return frozenset(going | (allocated - members.keys()) | (goal.leaving & (allocated | members.keys())))


def _running(view: ClusterView, goal: Goal) -> bool:
    status = view.one(CLUSTER_STATUS)
    return (
        status is not None
        and not status.tearing_down
        and status.spec.phase == _PHASE.RUNNING
        and status.spec.machines.connected == expected_machines(view, goal)
    )


def _ready(view: ClusterView, goal: Goal) -> bool:
    status = view.one(CLUSTER_STATUS)
    if status is None:
        return False
    spec = status.spec
    if not (spec.ready and spec.available and spec.controlplaneReady and spec.kubernetesAPIReady):
        return False
    if not all(_set_ready(view, set_id, count) for set_id, count in goal.sets.items()):
        return False
    machines = view.count(CLUSTER_MACHINE_STATUS)
    if machines != expected_machines(view, goal) or machines != len(view.running):
        return False
    return talos_done(view, goal) and kubernetes_done(view, goal)


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


def talos_done(view: ClusterView, goal: Goal) -> bool:
    """Whether every machine runs the Talos version that was asked for."""
    return _upgraded(view.one(TALOS_UPGRADE_STATUS), _TALOS_PHASE.Done, goal.talos_version)


def kubernetes_done(view: ClusterView, goal: Goal) -> bool:
    """Whether every node runs the Kubernetes version that was asked for."""
    return _upgraded(view.one(KUBERNETES_UPGRADE_STATUS), _KUBERNETES_PHASE.Done, goal.kubernetes_version)


def _upgraded(status: Resource | None, done: int, version: str) -> bool:
    """Whether an upgrade status is done with this version: only that it is done with another one is no sign."""
    return status is not None and status.spec.phase == done and status.spec.last_upgrade_version == version
