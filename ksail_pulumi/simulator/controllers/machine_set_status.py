"""MachineSetStatuses: sums over the ClusterMachineStatuses of a set."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER_MACHINE,
    CLUSTER_MACHINE_STATUS,
    LABEL_CLUSTER,
    LABEL_CONNECTED,
    LABEL_CONTROL_PLANE,
    LABEL_MACHINE_SET,
    LABEL_WORKER,
    MACHINE_PENDING_UPDATES,
    MACHINE_SET,
    MACHINE_SET_NODE,
    MACHINE_SET_STATUS,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator.allocation import MachineAllocation
from ksail_pulumi.simulator.controllers.cluster_machine import machine_locked
from ksail_pulumi.simulator.controllers.engine import Controller, Keys, its, own_id
from ksail_pulumi.simulator.controllers.machine_set import NODE_HOLDER, is_control_plane, machine_class_of, members_of
from ksail_pulumi.simulator.machines import Stage

SCALING_UP, SCALING_DOWN, RUNNING, DESTROYING, FAILED, RECONFIGURING, UPGRADING = 1, 2, 3, 4, 5, 6, 7
"""Phases of a machine set, numbered as in `MachineSetPhase`."""
UNLIMITED = MachineAllocation.Unlimited
NO_CONTROL_PLANES = "control plane machine set must have at least one node"


class MachineSetStatus(Controller):
    """Writes MachineSetStatuses."""

    def watches(self) -> Mapping[ResourceType, Keys]:
        members = (MACHINE_SET_NODE, CLUSTER_MACHINE, CLUSTER_MACHINE_STATUS, MACHINE_PENDING_UPDATES)
        return {MACHINE_SET: own_id, **dict.fromkeys(members, its(LABEL_MACHINE_SET))}

    def delay(self, key: str) -> float:
        return self.runtime.timings.machine_set_status + self.runtime.batch_delay(key)

    def reconcile(self, key: str) -> None:
        machine_set = self.runtime.find(MACHINE_SET, key)
        if machine_set is None or "MachineSetStatusController" not in machine_set.finalizers:
            return
        current = self.runtime.find(MACHINE_SET_STATUS, key)
        if current is not None and current.tearing_down:
            return
        nodes = [node for node in members_of(self.runtime, MACHINE_SET_NODE, machine_set) if _is_noted(node)]
        members = members_of(self.runtime, CLUSTER_MACHINE, machine_set)
        statuses = members_of(self.runtime, CLUSTER_MACHINE_STATUS, machine_set)
        pending = members_of(self.runtime, MACHINE_PENDING_UPDATES, machine_set)
        spec = specs_pb2.MachineSetStatusSpec(config_hash=_hash(machine_set, nodes))
        if (allocation := machine_class_of(machine_set)).name:
            spec.machine_allocation.CopyFrom(allocation)
        spec.locked_updates = sum(machine_locked(self.runtime, update.id) for update in pending)
        counts = spec.machines
        counts.total = len(members)
        counts.requested = _requested(machine_set, nodes)
        living = {member.id for member in members if not member.tearing_down}
        if not machine_set.tearing_down:
            counts.connected = sum(LABEL_CONNECTED in status.labels for status in statuses)
            counts.healthy = sum(status.id in living and _is_healthy(status) for status in statuses)
        spec.phase = self._phase(machine_set, nodes, members, statuses, pending)  # type: ignore[assignment]
        if spec.phase == FAILED:
            spec.error = NO_CONTROL_PLANES
        spec.ready = spec.phase == RUNNING and counts.healthy == counts.connected == counts.total == counts.requested
        role = LABEL_CONTROL_PLANE if is_control_plane(machine_set) else LABEL_WORKER
        labels = {LABEL_CLUSTER: machine_set.cluster, role: ""}
        self.runtime.store.put(Resource(MACHINE_SET_STATUS, key, spec, labels, owner="MachineSetStatusController"))

    def _phase(
        self,
        machine_set: Resource,
        nodes: Sequence[Resource],
        members: Sequence[Resource],
        statuses: Sequence[Resource],
        pending: Sequence[Resource],
    ) -> int:
        requested = _requested(machine_set, nodes)
        if machine_set.tearing_down:
            return DESTROYING
        if len(nodes) < requested or len(statuses) < len(nodes):
            return SCALING_UP
        if len(nodes) > requested or len(members) > len(nodes):
            return SCALING_DOWN
        if is_control_plane(machine_set) and not requested:
            return FAILED
        updates = [update for update in pending if not update.tearing_down]
        if any(update.spec.HasField("upgrade") for update in updates if not self._held_back(update)):
            return UPGRADING
        return RECONFIGURING if any(not self._held_back(update) for update in updates) else RUNNING

    def _held_back(self, update: Resource) -> bool:
        """Whether the lock of the cluster blocks an update; the set then shows no pending update."""
        return self.runtime.cluster_locked(update.cluster)


def _requested(machine_set: Resource, nodes: Sequence[Resource]) -> int:
    allocation = machine_class_of(machine_set)
    if allocation.name and allocation.allocation_type != UNLIMITED and not machine_set.tearing_down:
        return int(allocation.machine_count)
    return 0 if machine_set.tearing_down else len(nodes)


def _is_noted(node: Resource) -> bool:
    """Whether a node counts. Before it has its finalizer, a new control plane set has no nodes and is Failed."""
    return not node.tearing_down and NODE_HOLDER in node.finalizers


def _is_healthy(status: Resource) -> bool:
    return bool(status.spec.ready and status.spec.stage == Stage.RUNNING)


def _hash(machine_set: Resource, nodes: Sequence[Resource]) -> str:
    content = (machine_set.id, machine_set.spec.SerializeToString(deterministic=True), [node.id for node in nodes])
    return hashlib.sha256(repr(content).encode()).hexdigest()
