"""Machine classes: Omni chooses the machines of the sets that use one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    LABEL_AVAILABLE,
    LABEL_CLUSTER,
    LABEL_CONNECTED,
    LABEL_CONTROL_PLANE,
    LABEL_INVALID_STATE,
    LABEL_MACHINE_SET,
    LABEL_MANAGED_NODE,
    LABEL_NO_MANUAL_ALLOCATION,
    LABEL_READY_TO_USE,
    LABEL_REPORTING_EVENTS,
    LABEL_TALOS_VERSION,
    LABEL_WORKER,
    MACHINE_CLASS,
    MACHINE_SET,
    MACHINE_SET_NODE,
    MACHINE_STATUS,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator.allocation import MachineAllocation
from ksail_pulumi.simulator.controllers.engine import Controller, Keys, its, own_id
from ksail_pulumi.simulator.controllers.machine_set import is_control_plane, machine_class_of, members_of
from ksail_pulumi.simulator.controllers.versions import parts
from ksail_pulumi.simulator.selectors import matches_any
from ksail_pulumi.simulator.store import Event, StoreError

OWNER = "MachineSetNodeController"
UNLIMITED = MachineAllocation.Unlimited
USABLE = (LABEL_AVAILABLE, LABEL_CONNECTED, LABEL_READY_TO_USE, LABEL_REPORTING_EVENTS)


class MachineSetNodes(Controller):
    """Allocates and releases the machines of sets that have a machine class."""

    def watches(self) -> Mapping[ResourceType, Keys]:
        return {
            MACHINE_SET: own_id,
            MACHINE_SET_NODE: its(LABEL_MACHINE_SET),
            MACHINE_CLASS: self._sets_of_class,
            MACHINE_STATUS: self._hungry_sets,
        }

    def delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.machine_class

    def reconcile(self, key: str) -> None:
        machine_set = self.runtime.find(MACHINE_SET, key)
        if machine_set is None:
            return
        allocation = machine_class_of(machine_set)
        nodes = members_of(self.runtime, MACHINE_SET_NODE, machine_set)
        if machine_set.tearing_down:
            # Omni v1.10 no longer reconciles a set without a class, so the finalizer stays.
            if allocation.name and not nodes:
                self.runtime.release(machine_set, OWNER)
            return
        if not allocation.name:
            return
        self.runtime.hold(machine_set, OWNER)
        living = [node for node in nodes if not node.tearing_down]
        wanted = None if allocation.allocation_type == UNLIMITED else allocation.machine_count
        if wanted is not None and len(living) > wanted:
            self._give_back(living, len(living) - wanted)
        elif wanted is None or len(living) < wanted:
            self._allocate(machine_set, allocation.name, None if wanted is None else wanted - len(living))

    def _allocate(self, machine_set: Resource, class_name: str, most: int | None) -> None:
        machine_class = self.runtime.find(MACHINE_CLASS, class_name)
        cluster = self.runtime.find(CLUSTER, machine_set.cluster)
        if machine_class is None or machine_class.tearing_down or cluster is None or cluster.tearing_down:
            return
        role = LABEL_CONTROL_PLANE if is_control_plane(machine_set) else LABEL_WORKER
        labels = {LABEL_CLUSTER: cluster.id, LABEL_MACHINE_SET: machine_set.id, role: "", LABEL_MANAGED_NODE: ""}
        taken = 0
        for status in self.runtime.store.list(MACHINE_STATUS):
            if most is not None and taken >= most:
                return
            if not _fits(status, machine_class, cluster.spec.talos_version):
                continue
            if self.runtime.find(MACHINE_SET_NODE, status.id) is not None:
                continue
            node = Resource(MACHINE_SET_NODE, status.id, specs_pb2.MachineSetNodeSpec(), labels, finalizers=(OWNER,))
            try:
                self.runtime.store.create(node)
            except StoreError:
                continue
            taken += 1

    def _give_back(self, nodes: list[Resource], number: int) -> None:
        """Release the oldest nodes, disconnected machines first."""

        def order(node: Resource) -> tuple[bool, bool, object, str]:
            status = self.runtime.find(MACHINE_STATUS, node.id)
            here = status is not None and not status.tearing_down
            return (here, here and bool(status and status.spec.connected), node.created, node.id)

        for node in sorted(nodes, key=order)[:number]:
            self.runtime.tear_down(MACHINE_SET_NODE, node.id)

    def _sets_of_class(self, event: Event) -> Iterable[str]:
        sets = self.runtime.store.list(MACHINE_SET)
        return [item.id for item in sets if machine_class_of(item).name == event.resource.id]

    def _hungry_sets(self, event: Event) -> Iterable[str]:
        """The sets that can use a machine that became free or now matches their class."""
        if event.kind == "destroyed" or LABEL_AVAILABLE not in event.resource.labels:
            return ()
        if event.old is not None and event.old.labels == event.resource.labels:
            return ()
        return [item.id for item in self.runtime.store.list(MACHINE_SET) if machine_class_of(item).name]


def _fits(status: Resource, machine_class: Resource, talos_version: str) -> bool:
    labels = status.labels
    if status.tearing_down or not all(label in labels for label in USABLE):
        return False
    if LABEL_INVALID_STATE in labels or LABEL_NO_MANUAL_ALLOCATION in labels:
        return False
    if parts(labels.get(LABEL_TALOS_VERSION, "0.0"))[:2] > parts(talos_version)[:2]:
        return False
    return matches_any(machine_class.spec.match_labels, labels)
