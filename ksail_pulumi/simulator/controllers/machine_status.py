"""Links, Machines and MachineStatuses of all machines, in a cluster or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from random import Random

from ksail_pulumi.omni.api import siderolink_pb2, specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER_MACHINE,
    LABEL_AVAILABLE,
    LABEL_CLUSTER,
    LABEL_CONNECTED,
    LABEL_CONTROL_PLANE,
    LABEL_DISCONNECTED,
    LABEL_INSTALLED,
    LABEL_MACHINE_SET,
    LABEL_READY_TO_USE,
    LABEL_REPORTING_EVENTS,
    LABEL_TALOS_VERSION,
    LABEL_WORKER,
    LINK,
    MACHINE,
    MACHINE_LABELS,
    MACHINE_SET_NODE,
    MACHINE_STATUS,
    MACHINE_STATUS_LABELS,
    PREFIX,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator.controllers.engine import Controller, Keys, Runtime, own_id
from ksail_pulumi.simulator.machines import LINK_PREFIX, EmulatedMachine

LINK_HOLDERS = (
    "MaintenanceConfigStatusController",
    "LinkStatusController[Links.omni.sidero.dev]",
    "MachineController",
    "LinkCleanupController",
    "MachineStatusLinkController",
)
MACHINE_HOLDERS = (
    "MachineStatusSnapshotController",
    "MachineCleanupController",
    "MachineStatusController",
    "MachineJoinConfigController",
    "MachineSetStatusController",
)
STATUS_HOLDERS = (
    "MachineConfigExtractionController",
    "MachineTeardownController",
    "MachineUpgradeStatusController",
    "KernelArgsStatusController",
    "SchematicConfigurationController",
    "MachineConfigGenOptionsController",
    "LabelsExtractor[MachineStatuses.omni.sidero.dev]",
)
STATUS_ANNOTATIONS = {PREFIX + "platform-tag-labels-initialized": "", PREFIX + "kernel-args-initialized": ""}
CONNECTION = (
    "siderolink.api=grpc://127.0.0.1:8090",
    f"talos.events.sink=[{LINK_PREFIX}::1]:8091",
    f"talos.logging.kernel=tcp://[{LINK_PREFIX}::1]:8092",
)
"""The kernel arguments with which a machine finds this Omni."""
POWER_ON = 2


def register(runtime: Runtime, machine: EmulatedMachine) -> None:
    """Register an emulated machine with Omni."""
    # Omni makes these for every machine, from the tags of its platform.
    labels = Resource(
        MACHINE_LABELS,
        machine.id,
        specs_pb2.MachineLabelsSpec(),
        dict(machine.setup.labels),
        {PREFIX + "platform-tag-labels-initialized": ""},
    )
    if runtime.find(MACHINE_LABELS, machine.id) is None:
        runtime.store.create(labels)
    machine.removed = False
    _join(runtime, machine)


def _join(runtime: Runtime, machine: EmulatedMachine) -> None:
    """Register one machine with Omni."""
    link = siderolink_pb2.SiderolinkSpec(node_subnet=f"{machine.address}/64", connected=True)
    runtime.store.create(Resource(LINK, machine.id, link, finalizers=LINK_HOLDERS))
    spec = specs_pb2.MachineSpec(management_address=machine.address, connected=runtime.connected(machine))
    labels = {PREFIX + "address": machine.address}
    known = Resource(MACHINE, machine.id, spec, labels, finalizers=MACHINE_HOLDERS)
    runtime.store.create(known, owner="MachineController")
    _put(runtime, machine_status(runtime, machine))


def _put(runtime: Runtime, status: Resource) -> None:
    """Write a MachineStatus and the resource that has only its labels.

    In Omni the labels follow milliseconds later. Here they come first: a client that has seen the status finds them.
    """
    spec = specs_pb2.MachineRequestSetStatusSpec()
    owner = f"LabelsExtractor[{MACHINE_STATUS.name}]"
    runtime.store.put(Resource(MACHINE_STATUS_LABELS, status.id, spec, status.labels, owner=owner))
    runtime.store.put(status)


def machine_status(runtime: Runtime, machine: EmulatedMachine) -> Resource:
    """The MachineStatus of a machine."""
    membership = _membership(runtime, machine.id)
    # A machine with the configuration of a cluster that has released it no longer accepts calls from Omni.
    strange = membership is None and machine.config is not None
    labels = _labels(runtime, machine, strange=strange)
    spec = specs_pb2.MachineStatusSpec(management_address=machine.address) if strange else _spec(machine)
    if membership is None:
        labels[LABEL_AVAILABLE] = ""
    else:
        control_plane = LABEL_CONTROL_PLANE in membership.labels
        labels[LABEL_CLUSTER] = spec.cluster = membership.cluster
        labels[LABEL_MACHINE_SET] = membership.labels.get(LABEL_MACHINE_SET, "")
        labels[LABEL_CONTROL_PLANE if control_plane else LABEL_WORKER] = ""
        spec.role = 1 if control_plane else 2  # type: ignore[assignment]
    spec.connected = runtime.connected(machine)
    user = runtime.find(MACHINE_LABELS, machine.id)
    if user is not None and not user.tearing_down:
        labels = {**{key: value for key, value in user.labels.items() if not key.startswith(PREFIX)}, **labels}
    return Resource(
        MACHINE_STATUS,
        machine.id,
        spec,
        labels,
        STATUS_ANNOTATIONS,
        owner="MachineStatusController",
        finalizers=STATUS_HOLDERS,
    )


def _membership(runtime: Runtime, machine_id: str) -> Resource | None:
    """The resource that puts a machine into a cluster: its ClusterMachine, or its node once that is nearly gone."""
    member = runtime.find(CLUSTER_MACHINE, machine_id)
    if member is not None and (not member.tearing_down or "ClusterMachineStatusController" in member.finalizers):
        return member
    node = runtime.find(MACHINE_SET_NODE, machine_id)
    return None if node is None or node.tearing_down or not node.cluster else node


def _labels(runtime: Runtime, machine: EmulatedMachine, *, strange: bool) -> dict[str, str]:
    setup = machine.setup
    connection = LABEL_CONNECTED if runtime.connected(machine) else LABEL_DISCONNECTED
    if strange:
        return {LABEL_READY_TO_USE: "", connection: ""}
    labels = {
        PREFIX + "arch": setup.arch,
        PREFIX + "cpu": "intel",
        PREFIX + "cores": str(machine.cores),
        PREFIX + "mem": f"{machine.memory_gib}GiB",
        PREFIX + "storage": f"{machine.disk_gb}GB",
        PREFIX + "platform": setup.platform,
        LABEL_TALOS_VERSION: f"v{machine.talos_version}",
        LABEL_READY_TO_USE: "",
        LABEL_REPORTING_EVENTS: "",
        connection: "",
    }
    if machine.installed:
        labels[LABEL_INSTALLED] = ""
    return labels


def _spec(machine: EmulatedMachine) -> specs_pb2.MachineStatusSpec:
    """The facts about a machine that do not depend on a cluster."""
    spec = specs_pb2.MachineStatusSpec(
        talos_version=f"v{machine.talos_version}",
        initial_talos_version=f"v{machine.talos_version}",
        talos_version_name="Talos",
        management_address=machine.address,
        maintenance=machine.maintenance,
        power_state=POWER_ON,  # type: ignore[arg-type]
        kernel_cmdline=" ".join((*CONNECTION, *machine.schematic.kernel_args)),
        hardware=_hardware(machine.secret, machine.cores, machine.memory_gib, machine.disk_gb),
        network=_network(machine.index, machine.secret),
    )
    spec.hardware.arch = machine.setup.arch
    spec.hardware.blockdevices[0].system_disk = machine.installed
    spec.network.hostname = machine.name
    spec.platform_metadata.platform = machine.setup.platform
    spec.platform_metadata.hostname = machine.id
    schematic = spec.schematic
    schematic.extensions.extend(machine.schematic.extensions)
    schematic.full_id = machine.schematic.id
    schematic.initial_schematic = machine.schematic.id
    schematic.kernel_args.extend((*CONNECTION, *machine.schematic.kernel_args))
    schematic.raw = machine.schematic.raw(CONNECTION)
    schematic.initial_state.extensions.extend(machine.setup.extensions)
    spec.security_state.SetInParent()
    return spec


@lru_cache(maxsize=4096)
def _hardware(secret: str, cores: int, memory_gib: int, disk_gb: int) -> specs_pb2.MachineStatusSpec.HardwareStatus:
    hardware = specs_pb2.MachineStatusSpec.HardwareStatus()
    hardware.processors.add(
        core_count=cores,
        thread_count=cores * 2,
        frequency=3600,
        description="Intel(R) Xeon(R) E-2388G CPU @ 3.20GHz",
        manufacturer="Intel(R) Corporation",
    )
    hardware.memory_modules.add(size_mb=memory_gib * 1024, description="Micron Technology")
    hardware.blockdevices.add(
        size=disk_gb * 10**9,
        model="Micron_7450_MTFDKBA",
        linux_name="/dev/nvme0n1",
        serial=f"{Random(f'{secret}/disk').getrandbits(48):012X}",  # noqa: S311
        type="NVME",
        bus_path="/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme",
        transport="nvme",
    )
    return hardware


@lru_cache(maxsize=4096)
def _network(index: int, secret: str) -> specs_pb2.MachineStatusSpec.NetworkStatus:
    network = specs_pb2.MachineStatusSpec.NetworkStatus()
    network.addresses.append(f"10.5.{index // 250}.{index % 250 + 2}/16")
    network.default_gateways.append("10.5.0.1")
    octets = Random(f"{secret}/network").randbytes(3)  # noqa: S311
    mac = ":".join(f"{octet:02x}" for octet in (0x3C, 0xEC, 0xEF, *octets))
    network.network_links.add(linux_name="eth0", hardware_address=mac, speed_mbps=1000, link_up=True, description=" ")
    return network


class MachineStatus(Controller):
    """Writes Machines and MachineStatuses, with the labels that selectors use."""

    def watches(self) -> Mapping[ResourceType, Keys]:
        return dict.fromkeys((MACHINE_SET_NODE, CLUSTER_MACHINE, MACHINE_LABELS), own_id)

    def delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.allocation

    def machine_changed(self, machine: EmulatedMachine) -> Iterable[str]:
        return (machine.id,)

    def reconcile(self, key: str) -> None:
        machine = self.runtime.machines.find(key)
        current = self.runtime.find(MACHINE_STATUS, key)
        if machine is None or current is None or current.tearing_down:
            return
        wanted = machine_status(self.runtime, machine)
        wanted.spec.initial_talos_version = current.spec.initial_talos_version
        wanted.spec.schematic.initial_schematic = current.spec.schematic.initial_schematic
        _put(self.runtime, wanted)
        spec = specs_pb2.MachineSpec(management_address=machine.address, connected=wanted.spec.connected)
        known = self.runtime.find(MACHINE, key)
        if known is not None and not known.tearing_down:
            self.runtime.store.put(Resource(MACHINE, key, spec, known.labels, known.annotations, owner=known.owner))


class MachineRemoval(Controller):
    """Removes a machine from Omni when its Link is torn down; a reachable machine joins again after a while."""

    def watches(self) -> Mapping[ResourceType, Keys]:
        return {LINK: own_id, CLUSTER_MACHINE: own_id}

    def delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.finalizer

    def machine_changed(self, machine: EmulatedMachine) -> Iterable[str]:
        return (machine.id,) if machine.removed else ()

    def reconcile(self, key: str) -> None:
        link = self.runtime.find(LINK, key)
        machine = self.runtime.machines.find(key)
        if machine is None:
            return
        if link is None and machine.removed and self.runtime.reaches(machine):
            self.runtime.after(self.runtime.timings.rejoin, lambda: self._rejoin(machine))
        if link is None or not link.tearing_down:
            return
        if not machine.removed:
            machine.removed = True
            self.runtime.machine_changed(machine)
        if self.runtime.find(CLUSTER_MACHINE, key) is not None:
            return
        for resource_type in (MACHINE_STATUS, MACHINE):
            gone = self.runtime.dispose(resource_type, key)
            if (labels := self.runtime.find(MACHINE_STATUS_LABELS, key)) is not None:
                self.runtime.destroy(labels)
            if not gone:
                self.enqueue(key, self.runtime.timings.link)
                return
        if link.finalizers:
            self.runtime.release(link, link.finalizers[0])
        else:
            self.runtime.destroy(link)

    def _rejoin(self, machine: EmulatedMachine) -> None:
        if machine.removed and self.runtime.find(LINK, machine.id) is None and self.runtime.reaches(machine):
            machine.removed = False
            _join(self.runtime, machine)
            self.runtime.machine_changed(machine)
