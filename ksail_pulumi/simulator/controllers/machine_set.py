"""Machine sets: a MachineSetNode becomes a ClusterMachine; a ClusterMachine without its node is removed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_MACHINE,
    CLUSTER_MACHINE_STATUS,
    CONTROL_PLANE_STATUS,
    LABEL_CLUSTER,
    LABEL_CLUSTER_MACHINE,
    LABEL_CONTROL_PLANE,
    LABEL_MACHINE_SET,
    LABEL_WORKER,
    MACHINE_SET,
    MACHINE_SET_DESTROY_STATUS,
    MACHINE_SET_NODE,
    MACHINE_SET_STATUS,
    MACHINE_STATUS,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator.allocation import MachineAllocation, allocation_of
from ksail_pulumi.simulator.controllers.cluster import counted
from ksail_pulumi.simulator.controllers.destroy import CLUSTER_CHILDREN
from ksail_pulumi.simulator.controllers.engine import Controller, Keys, Runtime, its, own_id
from ksail_pulumi.simulator.machines import EmulatedMachine
from ksail_pulumi.simulator.store import Event

NODE_HOLDER = "MachineSetStatusController"
ROLLING = specs_pb2.MachineSetSpec.Rolling


def members_of(runtime: Runtime, resource_type: ResourceType, machine_set: Resource) -> list[Resource]:
    """The resources of a type that belong to a machine set, by ID."""
    return runtime.store.list(resource_type, {LABEL_CLUSTER: machine_set.cluster, LABEL_MACHINE_SET: machine_set.id})


def machine_class_of(machine_set: Resource) -> MachineAllocation:
    """The machine class of a set and the number of machines; the name is empty if there is no class."""
    return allocation_of(machine_set) or MachineAllocation()


def is_control_plane(resource: Resource) -> bool:
    return LABEL_CONTROL_PLANE in resource.labels


class MachineSets(Controller):
    """Creates a ClusterMachine for every node, and tears down those whose node is gone."""

    def watches(self) -> Mapping[ResourceType, Keys]:
        return {
            MACHINE_SET: own_id,
            MACHINE_SET_NODE: its(LABEL_MACHINE_SET),
            CLUSTER_MACHINE: self._its_set_and_the_next,
            MACHINE_STATUS: self._waiting_set,
        }

    def delay(self, key: str) -> float:
        return self.runtime.timings.finalizer + self.runtime.batch_delay(key)

    def machine_changed(self, machine: EmulatedMachine) -> Iterable[str]:
        return self._set_of_node(machine.id) if machine.removed else ()

    def reconcile(self, key: str) -> None:
        machine_set = self.runtime.find(MACHINE_SET, key)
        if machine_set is None:
            return
        nodes = {node.id: node for node in members_of(self.runtime, MACHINE_SET_NODE, machine_set)}
        members = members_of(self.runtime, CLUSTER_MACHINE, machine_set)
        for node in nodes.values():
            if node.tearing_down:
                self._let_go(node)
        if machine_set.tearing_down:
            self._tear_down(nodes, members)
            return
        here = {member.id for member in members}
        for node in nodes.values():
            if not node.tearing_down and node.id not in here and NODE_HOLDER in node.finalizers:
                self.runtime.after(self.runtime.timings.cluster_machine, lambda node=node: self._join(node))  # type: ignore[misc]
        leaving = [member for member in members if member.id not in nodes or self.runtime.machines[member.id].removed]
        self._remove(machine_set, leaving)

    def _let_go(self, node: Resource) -> None:
        for finalizer in ("MachineSetNodeController", NODE_HOLDER):
            self.runtime.release(node, finalizer)

    def _join(self, node: Resource) -> None:
        current = self.runtime.find(MACHINE_SET_NODE, node.id)
        cluster = self.runtime.find(CLUSTER, node.cluster)
        if current is None or current.tearing_down or current.created != node.created or cluster is None:
            return
        if cluster.tearing_down or self.runtime.find(CLUSTER_MACHINE, node.id) is not None:
            return
        if self.runtime.find(MACHINE_STATUS, node.id) is None:
            return
        role = LABEL_CONTROL_PLANE if is_control_plane(node) else LABEL_WORKER
        labels = {LABEL_CLUSTER: node.cluster, LABEL_MACHINE_SET: node.labels[LABEL_MACHINE_SET], role: ""}
        spec = specs_pb2.ClusterMachineSpec(kubernetes_version=cluster.spec.kubernetes_version)
        self.runtime.store.put(Resource(CLUSTER_MACHINE, node.id, spec, labels, owner=NODE_HOLDER))

    def _remove(self, machine_set: Resource, leaving: list[Resource]) -> None:
        """Tear down members without a node: control planes one at a time, workers as the delete strategy says."""
        quota = len(leaving)
        if is_control_plane(machine_set):
            quota = 1
        elif machine_set.spec.delete_strategy == ROLLING:
            quota = machine_set.spec.delete_strategy_config.rolling.max_parallelism or 1
        quota -= sum(member.tearing_down for member in leaving)
        for member in leaving:
            if not member.tearing_down and quota > 0:
                quota -= 1
                self.runtime.tear_down(CLUSTER_MACHINE, member.id)

    def _tear_down(self, nodes: Mapping[str, Resource], members: list[Resource]) -> None:
        for node in nodes.values():
            self.runtime.tear_down(MACHINE_SET_NODE, node.id)
        for member in members:
            if member.id not in nodes:
                self.runtime.tear_down(CLUSTER_MACHINE, member.id)

    def _its_set_and_the_next(self, event: Event) -> list[str]:
        """The set of a machine; while it leaves, also the set of its new node."""
        keys = [event.resource.labels.get(LABEL_MACHINE_SET, "")]
        if event.kind == "destroyed":
            keys += self._waiting_set(event)
        return [key for key in keys if key]

    def _waiting_set(self, event: Event) -> list[str]:
        return [] if event.kind == "updated" else self._set_of_node(event.resource.id)

    def _set_of_node(self, machine: str) -> list[str]:
        node = self.runtime.find(MACHINE_SET_NODE, machine)
        return [node.labels[LABEL_MACHINE_SET]] if node is not None and LABEL_MACHINE_SET in node.labels else []


class MachineSetTeardown(Controller):
    """Removes the finalizers of a machine set that is torn down and empty."""

    def watches(self) -> Mapping[ResourceType, Keys]:
        return {
            MACHINE_SET: own_id,
            MACHINE_SET_NODE: its(LABEL_MACHINE_SET),
            CLUSTER_MACHINE: its(LABEL_MACHINE_SET),
            MACHINE_SET_STATUS: own_id,
            MACHINE_SET_DESTROY_STATUS: own_id,
            CONTROL_PLANE_STATUS: own_id,
        }

    def delay(self, key: str) -> float:
        return self.runtime.timings.finalizer + self.runtime.batch_delay(key)

    def reconcile(self, key: str) -> None:
        machine_set = self.runtime.find(MACHINE_SET, key)
        if machine_set is None or not machine_set.tearing_down:
            return
        for finalizer in (
            "MachineProvisionController",
            "MachineSetEtcdAuditController",
            "ClusterBootstrapStatusController",
            "ControlPlaneStatusController",
            "MachineSetController",
            "MachineSetStatusController",
            "MachineSetDestroyStatusController",
        ):
            if finalizer in machine_set.finalizers:
                if self._over(finalizer, machine_set):
                    self.runtime.release(machine_set, finalizer)
                return

    def _over(self, finalizer: str, machine_set: Resource) -> bool:
        """Whether a controller no longer needs a set."""
        match finalizer:
            case "ControlPlaneStatusController":
                return self.runtime.dispose(CONTROL_PLANE_STATUS, machine_set.id)
            case "MachineSetController":
                return self._unused(machine_set) and not members_of(self.runtime, MACHINE_SET_NODE, machine_set)
            case "MachineSetStatusController":
                if members_of(self.runtime, CLUSTER_MACHINE, machine_set) or not self._without_children(machine_set):
                    return False
                return self.runtime.dispose(MACHINE_SET_STATUS, machine_set.id)
            case "MachineSetDestroyStatusController":
                return self.runtime.dispose(MACHINE_SET_DESTROY_STATUS, machine_set.id)
        return True

    def _unused(self, machine_set: Resource) -> bool:
        """Whether node allocation has ended; for a set that went from a class back to manual it never ends.

        In Omni v1.10 such a set stays until it is given a class again.
        """
        return "MachineSetNodeController" not in machine_set.finalizers

    def _without_children(self, machine_set: Resource) -> bool:
        """Tear down the patches and extensions of the set; returns whether they are gone."""
        children = [
            child
            for resource_type in CLUSTER_CHILDREN
            for child in members_of(self.runtime, resource_type, machine_set)
            if LABEL_CLUSTER_MACHINE not in child.labels and not child.owner
        ]
        for child in children:
            self.runtime.tear_down(child.type, child.id)
        if children:
            self.enqueue(machine_set.id, self.runtime.timings.destroy * 2)
        return not children


class MachineSetDestroyStatus(Controller):
    """Writes MachineSetDestroyStatuses."""

    def watches(self) -> Mapping[ResourceType, Keys]:
        return {MACHINE_SET: own_id, CLUSTER_MACHINE_STATUS: its(LABEL_MACHINE_SET)}

    def delay(self, key: str) -> float:
        return self.runtime.timings.destroy + self.runtime.batch_delay(key)

    def reconcile(self, key: str) -> None:
        machine_set = self.runtime.find(MACHINE_SET, key)
        owner = "MachineSetDestroyStatusController"
        if machine_set is None or not machine_set.tearing_down or owner not in machine_set.finalizers:
            return
        current = self.runtime.find(MACHINE_SET_DESTROY_STATUS, key)
        if current is not None and current.tearing_down:
            return
        machines = len(members_of(self.runtime, CLUSTER_MACHINE_STATUS, machine_set))
        spec = specs_pb2.DestroyStatusSpec(phase=f"Destroying: {counted(machines, 'machine')}")
        self.runtime.store.put(Resource(MACHINE_SET_DESTROY_STATUS, key, spec, owner=owner))
