"""One machine of a cluster: its configuration, and its removal from the cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    ANNOTATION_LOCKED,
    CLUSTER,
    CLUSTER_MACHINE,
    CLUSTER_MACHINE_IDENTITY,
    CLUSTER_MACHINE_STATUS,
    CONFIG_PATCH,
    EXTENSIONS_CONFIGURATION,
    KERNEL_ARGS,
    LABEL_CLUSTER,
    LABEL_CLUSTER_MACHINE,
    LABEL_MACHINE,
    LABEL_MACHINE_SET,
    LINK,
    MACHINE_PENDING_UPDATES,
    MACHINE_SET,
    MACHINE_SET_NODE,
    NODE_FORCE_DESTROY_REQUEST,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator.controllers.config import desired_config
from ksail_pulumi.simulator.controllers.engine import Controller, Keys, Runtime, own_id
from ksail_pulumi.simulator.controllers.talos import Talos
from ksail_pulumi.simulator.machines import EmulatedMachine, MachineConfig
from ksail_pulumi.simulator.store import Event


def needs_upgrade(machine: EmulatedMachine, config: MachineConfig) -> bool:
    """Whether a configuration needs a Talos image that the machine does not run."""
    return (machine.talos_version, machine.schematic) != (config.talos_version, config.schematic)


def is_locked(runtime: Runtime, member: Resource) -> bool:
    """Whether a machine is locked, by its own lock or its cluster's."""
    return machine_locked(runtime, member.id) or runtime.cluster_locked(member.cluster)


def machine_locked(runtime: Runtime, machine_id: str) -> bool:
    node = runtime.find(MACHINE_SET_NODE, machine_id)
    return node is not None and ANNOTATION_LOCKED in node.annotations


@dataclass
class _Queue:
    """The machines of a set that are being updated, and those that wait for their turn."""

    busy: set[str] = field(default_factory=set)
    waiting: dict[str, None] = field(default_factory=dict)


class ClusterMachineConfig(Controller):
    """Applies the desired configuration to every machine of a cluster.

    A new Talos image is only recorded as pending here; TalosUpgrade decides when each machine gets it.
    """

    def __init__(self, runtime: Runtime, talos: Talos) -> None:
        super().__init__(runtime)
        self.talos = talos
        self._queues: dict[str, _Queue] = {}

    def watches(self) -> Mapping[ResourceType, Keys]:
        return {
            CLUSTER_MACHINE: own_id,
            CLUSTER: self._members_of_cluster,
            CONFIG_PATCH: self._in_scope,
            EXTENSIONS_CONFIGURATION: self._in_scope,
            KERNEL_ARGS: own_id,
            MACHINE_SET_NODE: own_id,
            MACHINE_SET: self._members_of_set,
        }

    def delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.pending

    def machine_delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.machine_status

    def machine_changed(self, machine: EmulatedMachine) -> Iterable[str]:
        return () if machine.doing in ("configure", "apply", "reset") else (machine.id,)

    def reconcile(self, key: str) -> None:
        member = self.runtime.find(CLUSTER_MACHINE, key)
        machine = self.runtime.machines.find(key)
        if member is None or machine is None or member.tearing_down:
            self.runtime.dispose(MACHINE_PENDING_UPDATES, key)
            self._leave_queues(key)
            return
        config = desired_config(self.runtime, member, machine)
        if config is None or (machine.config is not None and machine.config.digest == config.digest):
            machine.error = machine.error if machine.doing else ""
            self.runtime.dispose(MACHINE_PENDING_UPDATES, key)
            self._leave_queues(key)
            return
        self._note_pending(member, machine, config)
        if machine.doing or not self.runtime.reaches(machine):
            return
        if machine.maintenance:
            self.talos.configure(machine, config)
        elif not needs_upgrade(machine, config) and not is_locked(self.runtime, member) and self._may_apply(member):
            self.talos.apply(machine, config)

    def _note_pending(self, member: Resource, machine: EmulatedMachine, config: MachineConfig) -> None:
        spec = specs_pb2.MachinePendingUpdatesSpec()
        if not machine.maintenance and needs_upgrade(machine, config):
            spec.upgrade.from_version, spec.upgrade.to_version = machine.talos_version, config.talos_version
            spec.upgrade.from_schematic, spec.upgrade.to_schematic = machine.schematic.id, config.schematic.id
        before = machine.config.digest if machine.config else ""
        spec.config_diff = f"@@ -1 +1 @@\n-{before}\n+{config.digest}\n"
        owner = "MachinePendingUpdatesController"
        labels = dict(member.labels)
        current = self.runtime.find(MACHINE_PENDING_UPDATES, member.id)
        if current is None or not current.tearing_down:
            self.runtime.store.put(Resource(MACHINE_PENDING_UPDATES, member.id, spec, labels, owner=owner))

    def _may_apply(self, member: Resource) -> bool:
        """Whether the update strategy of the machine set allows one more machine now; if not, the machine is queued."""
        set_id = member.labels.get(LABEL_MACHINE_SET, "")
        machine_set = self.runtime.find(MACHINE_SET, set_id)
        if machine_set is None:
            return False
        queue = self._queues.setdefault(set_id, _Queue())
        if member.id in queue.busy or len(queue.busy) < (
            machine_set.spec.update_strategy_config.rolling.max_parallelism or 1
        ):
            queue.waiting.pop(member.id, None)
            queue.busy.add(member.id)
            return True
        queue.waiting[member.id] = None
        return False

    def _leave_queues(self, key: str) -> None:
        """Remove a machine from its queue, and wake the next one of its set."""
        for set_id, queue in tuple(self._queues.items()):
            queue.waiting.pop(key, None)
            if key in queue.busy:
                queue.busy.discard(key)
                for other in tuple(queue.waiting)[:1]:
                    self.enqueue(other, self.runtime.timings.machine_status)
            if not queue.busy and not queue.waiting:
                del self._queues[set_id]

    def _members_of_cluster(self, event: Event) -> Iterable[str]:
        if event.old is not None and (event.old.spec, event.old.annotations) == (
            event.resource.spec,
            event.resource.annotations,
        ):
            return ()
        return self._members({LABEL_CLUSTER: event.resource.id})

    def _members_of_set(self, event: Event) -> Iterable[str]:
        if event.old is None or event.old.spec == event.resource.spec:
            return ()
        return self._members({LABEL_CLUSTER: event.resource.cluster, LABEL_MACHINE_SET: event.resource.id})

    def _in_scope(self, event: Event) -> Iterable[str]:
        found: dict[str, None] = {}
        for resource in (event.resource,) if event.old is None else (event.old, event.resource):
            for label in (LABEL_MACHINE, LABEL_CLUSTER_MACHINE):
                if label in resource.labels:
                    found[resource.labels[label]] = None
                    break
            else:
                scope = {label: resource.labels[label] for label in _GROUPS if label in resource.labels}
                found.update(dict.fromkeys(self._members(scope) if scope else ()))
        return found

    def _members(self, labels: Mapping[str, str]) -> list[str]:
        return [member.id for member in self.runtime.store.list(CLUSTER_MACHINE, labels)]


_GROUPS = (LABEL_CLUSTER, LABEL_MACHINE_SET)
Step = Callable[[str], bool]


class ClusterMachineTeardown(Controller):
    """Removes a machine from its cluster: wipes it and deletes the resources of its membership."""

    def __init__(self, runtime: Runtime, talos: Talos) -> None:
        super().__init__(runtime)
        self.talos = talos
        self.steps: tuple[tuple[str, Step], ...] = (
            ("ClusterMachineController", lambda _: True),
            ("ClusterMachineConfigPatchesController", self._without_patches),
            ("ClusterMachineConfigController", self._wiped),
            ("ClusterMachineTeardownController", self._wiped),
            ("ClusterMachineStatusController", lambda key: self.runtime.dispose(CLUSTER_MACHINE_STATUS, key)),
            ("ClusterMachineEncryptionKeyController", lambda _: True),
        )

    def watches(self) -> Mapping[ResourceType, Keys]:
        types = (CLUSTER_MACHINE, CLUSTER_MACHINE_STATUS, LINK, NODE_FORCE_DESTROY_REQUEST)
        return dict.fromkeys(types, own_id)

    def delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.finalizer

    def machine_changed(self, machine: EmulatedMachine) -> Iterable[str]:
        return (machine.id,)

    def reconcile(self, key: str) -> None:
        member = self.runtime.find(CLUSTER_MACHINE, key)
        if member is None:
            self.runtime.dispose(CLUSTER_MACHINE_IDENTITY, key)
            self.runtime.tear_down(NODE_FORCE_DESTROY_REQUEST, key)
            return
        if not member.tearing_down:
            return
        for finalizer, over in self.steps:
            if finalizer in member.finalizers:
                if over(key):
                    self.runtime.release(member, finalizer)
                return
        self.runtime.destroy(member)

    def _without_patches(self, key: str) -> bool:
        for resource_type in (CONFIG_PATCH, EXTENSIONS_CONFIGURATION):
            for patch in self.runtime.scopes.of(resource_type, LABEL_CLUSTER_MACHINE, key):
                if patch.owner:
                    self.runtime.destroy(patch)
                else:
                    self.runtime.tear_down(resource_type, patch.id)
        return True

    def _wiped(self, key: str) -> bool:
        machine = self.runtime.machines[key]
        if machine.maintenance or (machine.config is None and machine.doing == "reset") or self._given_up(key):
            if machine.doing not in ("", "reset"):
                self.talos.stop(machine)
                machine.config = None
            return True
        if machine.doing != "reset" and self.runtime.reaches(machine):
            self.talos.reset(machine, lambda: self.enqueue(key))
        return False

    def _given_up(self, key: str) -> bool:
        """Whether the machine is not wiped: it was removed from Omni, or is unreachable and was force-destroyed."""
        link = self.runtime.find(LINK, key)
        if link is None or link.tearing_down:
            return True
        forced = self.runtime.find(NODE_FORCE_DESTROY_REQUEST, key) is not None
        return forced and not self.runtime.connected(self.runtime.machines[key])
