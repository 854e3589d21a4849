"""Status and node identity of the machines of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    ANNOTATION_CLUSTER_LOCKED,
    ANNOTATION_LOCKED,
    CLUSTER,
    CLUSTER_MACHINE,
    CLUSTER_MACHINE_IDENTITY,
    CLUSTER_MACHINE_STATUS,
    LABEL_CLUSTER,
    LABEL_CONNECTED,
    LABEL_HOSTNAME,
    LABEL_LOCKED_UPDATE,
    LABEL_NODE_NAME,
    LINK,
    MACHINE_PENDING_UPDATES,
    MACHINE_SET_NODE,
    MACHINE_STATUS,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator.controllers.cluster_machine import is_locked
from ksail_pulumi.simulator.controllers.cluster_resources import DISCOVERY_ENDPOINT
from ksail_pulumi.simulator.controllers.config import desired_config
from ksail_pulumi.simulator.controllers.engine import Controller, Keys, own_id
from ksail_pulumi.simulator.machines import EmulatedMachine, Stage
from ksail_pulumi.simulator.store import Event

BEFORE_DESTROY = specs_pb2.ClusterMachineStatusSpec.BEFORE_DESTROY
DESTROYING = specs_pb2.ClusterMachineStatusSpec.DESTROYING
PENDING, APPLIED, FAILED = 1, 2, 3


class ClusterMachineStatus(Controller):
    """Writes ClusterMachineStatuses."""

    def watches(self) -> Mapping[ResourceType, Keys]:
        known = (MACHINE_STATUS, CLUSTER_MACHINE_IDENTITY, MACHINE_PENDING_UPDATES, LINK)
        return {**dict.fromkeys((CLUSTER_MACHINE, MACHINE_SET_NODE, *known), own_id), CLUSTER: self._locked_or_not}

    def delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.cluster_machine_status

    def machine_changed(self, machine: EmulatedMachine) -> Iterable[str]:
        return (machine.id,)

    def reconcile(self, key: str) -> None:
        member = self.runtime.find(CLUSTER_MACHINE, key)
        machine = self.runtime.machines.find(key)
        if member is None or machine is None or "ClusterMachineStatusController" not in member.finalizers:
            return
        current = self.runtime.find(CLUSTER_MACHINE_STATUS, key)
        if current is not None and current.tearing_down:
            return
        config = desired_config(self.runtime, member, machine)
        up_to_date = config is not None and machine.config is not None and machine.config.digest == config.digest
        connected = self.runtime.connected(machine)
        spec = specs_pb2.ClusterMachineStatusSpec(
            ready=machine.ready and connected and not machine.removed,
            stage=self._stage(member, machine),  # type: ignore[arg-type]
            config_up_to_date=up_to_date,
            last_config_error=machine.error,
            management_address=machine.address,
            config_apply_status=FAILED if machine.error else APPLIED if up_to_date else PENDING,  # type: ignore[arg-type]
            provision_status=specs_pb2.ClusterMachineStatusSpec.ProvisionStatus(),
        )
        owner = "ClusterMachineStatusController"
        labels = dict(member.labels) | self._labels(machine, connected=connected)
        locked = is_locked(self.runtime, member)
        if locked and not up_to_date:
            labels[LABEL_LOCKED_UPDATE] = ""
        annotations = {ANNOTATION_LOCKED: ""} if locked else {}
        self.runtime.store.put(Resource(CLUSTER_MACHINE_STATUS, key, spec, labels, annotations, owner=owner))

    def _stage(self, member: Resource, machine: EmulatedMachine) -> int:
        if machine.removed:
            return Stage.UNKNOWN
        if member.tearing_down:
            return DESTROYING
        node = self.runtime.find(MACHINE_SET_NODE, member.id)
        if node is None or node.cluster != member.cluster:
            return BEFORE_DESTROY
        return Stage.CONFIGURING if machine.doing == "reset" else machine.stage

    def _labels(self, machine: EmulatedMachine, *, connected: bool) -> dict[str, str]:
        labels = {LABEL_CONNECTED: ""} if connected else {}
        status = self.runtime.find(MACHINE_STATUS, machine.id)
        labels[LABEL_HOSTNAME] = status.spec.network.hostname if status is not None else machine.id
        identity = self.runtime.find(CLUSTER_MACHINE_IDENTITY, machine.id)
        if identity is not None and identity.spec.nodename:
            labels[LABEL_NODE_NAME] = identity.spec.nodename
        return labels

    def _locked_or_not(self, event: Event) -> Iterable[str]:
        before = event.old is not None and ANNOTATION_CLUSTER_LOCKED in event.old.annotations
        if before == (ANNOTATION_CLUSTER_LOCKED in event.resource.annotations):
            return ()
        members = self.runtime.store.list(CLUSTER_MACHINE, {LABEL_CLUSTER: event.resource.id})
        return [member.id for member in members]


class ClusterMachineIdentity(Controller):
    """Writes ClusterMachineIdentities; the fields of a new one appear one by one."""

    def watches(self) -> Mapping[ResourceType, Keys]:
        return {CLUSTER_MACHINE: own_id, CLUSTER_MACHINE_IDENTITY: own_id}

    def delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.identity

    def machine_changed(self, machine: EmulatedMachine) -> Iterable[str]:
        return (machine.id,) if machine.config is not None and machine.ready else ()

    def reconcile(self, key: str) -> None:
        member = self.runtime.find(CLUSTER_MACHINE, key)
        machine = self.runtime.machines.find(key)
        if member is None or machine is None or member.tearing_down or machine.config is None or not machine.ready:
            return
        current = self.runtime.find(CLUSTER_MACHINE_IDENTITY, key)
        spec = specs_pb2.ClusterMachineIdentitySpec()
        if current is not None:
            if current.tearing_down:
                return
            spec.CopyFrom(current.spec)
        self._add_piece(spec, machine)
        owner = "ClusterMachineIdentityController"
        self.runtime.store.put(Resource(CLUSTER_MACHINE_IDENTITY, key, spec, dict(member.labels), owner=owner))

    def _add_piece(self, spec: specs_pb2.ClusterMachineIdentitySpec, machine: EmulatedMachine) -> None:
        assert machine.config is not None
        draw = machine.random(f"identity {machine.config.cluster}")
        identity = "".join(draw.choices("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", k=44))
        member_id = draw.getrandbits(63)
        if not spec.node_identity:
            spec.node_identity = identity
        elif not spec.nodename:
            spec.nodename = machine.name
        elif not spec.node_ips:
            spec.node_ips.append(machine.address)
        elif not spec.discovery_service_endpoint:
            spec.discovery_service_endpoint = DISCOVERY_ENDPOINT
            spec.discovery_service_endpoints.append(DISCOVERY_ENDPOINT)
        elif machine.config.control_plane and not spec.etcd_member_id:
            spec.etcd_member_id = member_id
