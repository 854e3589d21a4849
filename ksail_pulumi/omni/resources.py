"""Omni's resources as data: types, labels and annotations, and their encoding (COSI)."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ksail_pulumi.omni.api import resource_pb2, siderolink_pb2, specs_pb2, system_pb2, virtual_pb2

if TYPE_CHECKING:
    from google.protobuf.internal.enum_type_wrapper import _EnumTypeWrapper as EnumTypeWrapper
    from google.protobuf.message import Message

PREFIX = "omni.sidero.dev/"
LABEL_CLUSTER = PREFIX + "cluster"
LABEL_MACHINE_SET = PREFIX + "machine-set"
LABEL_CLUSTER_MACHINE = PREFIX + "cluster-machine"
LABEL_MACHINE = PREFIX + "machine"
LABEL_CONTROL_PLANE = PREFIX + "role-controlplane"
LABEL_WORKER = PREFIX + "role-worker"
LABEL_HOSTNAME = PREFIX + "hostname"
LABEL_NODE_NAME = PREFIX + "node-name"
LABEL_AVAILABLE = PREFIX + "available"
LABEL_CONNECTED = PREFIX + "connected"
LABEL_DISCONNECTED = PREFIX + "disconnected"
LABEL_READY_TO_USE = PREFIX + "ready-to-use"
LABEL_REPORTING_EVENTS = PREFIX + "reporting-events"
LABEL_INVALID_STATE = PREFIX + "invalid-state"
LABEL_INSTALLED = PREFIX + "installed"
LABEL_TALOS_VERSION = PREFIX + "talos-version"
LABEL_NO_MANUAL_ALLOCATION = PREFIX + "no-manual-allocation"
LABEL_MANAGED_NODE = PREFIX + "managed-by-machine-set-node-controller"
LABEL_SYSTEM_PATCH = PREFIX + "system-patch"
LABEL_DISABLED = PREFIX + "disabled"
LABEL_CLUSTER_UUID = PREFIX + "cluster-uuid"
LABEL_LOCKED_UPDATE = PREFIX + "locked-update"
ANNOTATION_LOCKED = PREFIX + "locked"
ANNOTATION_CLUSTER_LOCKED = PREFIX + "cluster-locked"
ANNOTATION_MANAGED_BY_TEMPLATES = PREFIX + "managed-by-cluster-templates"
ANNOTATION_MANAGED_BY_GITOPS = PREFIX + "managed-by-gitops-tools"
ANNOTATION_NAME = "name"
ANNOTATION_DESCRIPTION = "description"

MOST_STORED_BYTES = 2 * 1024 * 1024
"""The size of the largest message that Omni can send to etcd, where it stores its resources."""

RUNNING = "running"
TEARING_DOWN = "tearingDown"


ALL = sys.maxsize
"""The value of `ResourceType.together` for types whose resources have about 1 kB each."""


@dataclass(frozen=True)
class ResourceType:
    """A resource type of Omni. Types are equal if their names are equal.

    Attributes:
        name: The type's name on the wire, `Clusters.omni.sidero.dev`.
        namespace: The namespace of its resources, such as `default`.
        spec: The protobuf message that holds a resource's spec.
        together: The largest list that is read in a few messages, from the beginning of a watch. 0 for clusters: they
            change all the time while a stack is created, and a watch sends each change until its answer is read.
    """

    name: str
    namespace: str = field(compare=False)
    spec: type[Message] = field(compare=False)
    together: int = field(default=0, compare=False)


def _type(name: str, spec: type[Message], namespace: str = "default", *, together: int = 0) -> ResourceType:
    return ResourceType(name if "." in name else f"{name}.omni.sidero.dev", namespace, spec, together)


CLUSTER = _type("Clusters", specs_pb2.ClusterSpec)
MACHINE_SET = _type("MachineSets", specs_pb2.MachineSetSpec)
MACHINE_SET_NODE = _type("MachineSetNodes", specs_pb2.MachineSetNodeSpec, together=ALL)
CONFIG_PATCH = _type("ConfigPatches", specs_pb2.ConfigPatchSpec)
EXTENSIONS_CONFIGURATION = _type("ExtensionsConfigurations", specs_pb2.ExtensionsConfigurationSpec)
KERNEL_ARGS = _type("KernelArgs", specs_pb2.KernelArgsSpec, together=ALL)
KUBERNETES_MANIFEST_GROUP = _type("KubernetesManifestGroups", specs_pb2.KubernetesManifestGroupSpec)
KUBERNETES_HEALTH_CHECK = _type("KubernetesHealthChecks", specs_pb2.KubernetesHealthCheckSpec)
KUBERNETES_HEALTH_CHECK_STATUS = _type("KubernetesHealthCheckStatuses", specs_pb2.KubernetesHealthCheckStatusSpec)
MACHINE_INSTALL_DISK_CONFIG = _type("MachineInstallDiskConfigs", specs_pb2.MachineInstallDiskConfigSpec, together=ALL)
MACHINE_CLASS = _type("MachineClasses", specs_pb2.MachineClassSpec)
MACHINE_LABELS = _type("MachineLabels", specs_pb2.MachineLabelsSpec)
ETCD_MANUAL_BACKUP = _type("EtcdManualBackups", specs_pb2.EtcdManualBackupSpec, "ephemeral")
NODE_FORCE_DESTROY_REQUEST = _type("NodeForceDestroyRequests", specs_pb2.NodeForceDestroyRequestSpec)

MACHINE = _type("Machines", specs_pb2.MachineSpec)
MACHINE_STATUS = _type("MachineStatuses", specs_pb2.MachineStatusSpec, together=512)  # 3 MB
MACHINE_STATUS_LABELS = _type("MachineStatusLabels", specs_pb2.MachineRequestSetStatusSpec, together=ALL)
"""The labels of MachineStatuses, with an empty spec: an eighth of the bytes."""
CLUSTER_STATUS = _type("ClusterStatuses", specs_pb2.ClusterStatusSpec)
CLUSTER_MACHINE = _type("ClusterMachines", specs_pb2.ClusterMachineSpec, together=ALL)
CLUSTER_MACHINE_STATUS = _type("ClusterMachineStatuses", specs_pb2.ClusterMachineStatusSpec, together=ALL)
CLUSTER_MACHINE_IDENTITY = _type("ClusterMachineIdentities", specs_pb2.ClusterMachineIdentitySpec, together=ALL)
MACHINE_SET_STATUS = _type("MachineSetStatuses", specs_pb2.MachineSetStatusSpec)
CONTROL_PLANE_STATUS = _type("ControlPlaneStatuses", specs_pb2.ControlPlaneStatusSpec)
CLUSTER_BOOTSTRAP_STATUS = _type("ClusterBootstrapStatuses", specs_pb2.ClusterBootstrapStatusSpec)
LOAD_BALANCER_STATUS = _type("LoadBalancerStatuses", specs_pb2.LoadBalancerStatusSpec)
TALOS_UPGRADE_STATUS = _type("TalosUpgradeStatuses", specs_pb2.TalosUpgradeStatusSpec)
KUBERNETES_UPGRADE_STATUS = _type("KubernetesUpgradeStatuses", specs_pb2.KubernetesUpgradeStatusSpec)
KUBERNETES_STATUS = _type("KubernetesStatuses", specs_pb2.KubernetesStatusSpec)
CLUSTER_DESTROY_STATUS = _type("ClusterDestroyStatuses", specs_pb2.DestroyStatusSpec)
MACHINE_SET_DESTROY_STATUS = _type("MachineSetDestroyStatuses", specs_pb2.DestroyStatusSpec, "ephemeral")
CLUSTER_UUID = _type("ClusterUUIDs", specs_pb2.ClusterUUID)
CLUSTER_CONFIG_VERSION = _type("ClusterConfigVersions", specs_pb2.ClusterConfigVersionSpec)
CLUSTER_ENDPOINT = _type("ClusterEndpoints", specs_pb2.ClusterEndpointSpec)
CLUSTER_KUBERNETES_MANIFESTS_STATUS = _type(
    "ClusterKubernetesManifestsStatuses", specs_pb2.ClusterKubernetesManifestsStatusSpec
)
MACHINE_PENDING_UPDATES = _type("MachinePendingUpdates", specs_pb2.MachinePendingUpdatesSpec)
ETCD_BACKUP = _type("EtcdBackups", specs_pb2.EtcdBackupSpec, "external")
ETCD_BACKUP_STATUS = _type("EtcdBackupStatuses", specs_pb2.EtcdBackupStatusSpec, "metrics")
ETCD_BACKUP_OVERALL_STATUS = _type("EtcdBackupOverallStatuses", specs_pb2.EtcdBackupOverallStatusSpec, "metrics")
TALOS_VERSION = _type("TalosVersions", specs_pb2.TalosVersionSpec)
KUBERNETES_VERSION = _type("KubernetesVersions", specs_pb2.KubernetesVersionSpec)
TALOS_EXTENSIONS = _type("TalosExtensions", specs_pb2.TalosExtensionsSpec)
FEATURES_CONFIG = _type("FeaturesConfigs", specs_pb2.FeaturesConfigSpec)
INFRA_PROVIDER_STATUS = _type("InfraProviderStatuses", specs_pb2.MachineRequestSetStatusSpec, "infra-provider")
"""Only the IDs are used: the spec is that of another type without fields, which keeps all fields as unknown ones."""
LINK = _type("Links", siderolink_pb2.SiderolinkSpec)
SYS_VERSION = _type("SysVersions.system.sidero.dev", system_pb2.SysVersionSpec, "ephemeral")
CURRENT_USER = _type("CurrentUsers", virtual_pb2.CurrentUserSpec, "virtual")

TYPES: Mapping[str, ResourceType] = {
    value.name: value for value in list(globals().values()) if isinstance(value, ResourceType)
}


@dataclass(frozen=True)
class Resource:
    """A resource of Omni, with the metadata of COSI (https://github.com/cosi-project/specification).

    Attributes:
        type: The resource type.
        id: The ID, unique in type and namespace.
        spec: The spec, a message of `type.spec`. Must not be changed in place.
        version: Increases with every write; 0 before the first one.
        phase: `RUNNING` or `TEARING_DOWN`.
        owner: The controller that owns it; `""` for resources of users.
        finalizers: Must be empty before it can be destroyed.
    """

    type: ResourceType
    id: str
    spec: Any = field(repr=False)
    labels: Mapping[str, str] = field(default_factory=dict, repr=False)
    annotations: Mapping[str, str] = field(default_factory=dict, repr=False)
    version: int = 0
    phase: str = RUNNING
    owner: str = ""
    finalizers: tuple[str, ...] = ()
    created: datetime | None = None
    updated: datetime | None = None

    def __str__(self) -> str:
        """The name of a resource as in Omni: `Clusters.omni.sidero.dev(default/prod)`."""
        return f"{self.type.name}({self.type.namespace}/{self.id})"

    @property
    def key(self) -> tuple[str, str]:
        """The unique key in an Omni: type name and ID."""
        return self.type.name, self.id

    @property
    def tearing_down(self) -> bool:
        return self.phase == TEARING_DOWN

    @property
    def cluster(self) -> str:
        """The cluster in its label; `""` for none."""
        return self.labels.get(LABEL_CLUSTER, "")


def enum_name(enum: EnumTypeWrapper[Any], number: int) -> str:
    """The name of an enum value; the number if only a newer Omni has a name for it."""
    return enum.Name(number) if number in enum.values() else str(number)


def to_wire(resource: Resource) -> resource_pb2.Resource:
    """Encode a resource for Create or Update."""
    metadata = resource_pb2.Metadata(
        namespace=resource.type.namespace,
        type=resource.type.name,
        id=resource.id,
        version=str(resource.version) if resource.version else "undefined",
        owner=resource.owner,
        phase=resource.phase,
        finalizers=resource.finalizers,
        labels=resource.labels,
        annotations=resource.annotations,
    )
    if resource.created:
        metadata.created.FromDatetime(resource.created)
    if resource.updated:
        metadata.updated.FromDatetime(resource.updated)
    return resource_pb2.Resource(
        metadata=metadata, spec=resource_pb2.Spec(proto_spec=resource.spec.SerializeToString(deterministic=True))
    )


def from_wire(wire: resource_pb2.Resource) -> Resource:
    """Decode a resource of a known type.

    Raises:
        KeyError: The type is not in `TYPES`.
        google.protobuf.message.DecodeError: The spec is not a message of that type.
    """
    metadata = wire.metadata
    resource_type = TYPES[metadata.type]
    spec = resource_type.spec()
    spec.ParseFromString(wire.spec.proto_spec)
    if metadata.namespace != resource_type.namespace:
        resource_type = replace(resource_type, namespace=metadata.namespace)
    return Resource(
        type=resource_type,
        id=metadata.id,
        spec=_decompressed(spec, wire.spec.yaml_spec),
        labels=dict(metadata.labels),
        annotations=dict(metadata.annotations),
        version=int(metadata.version) if metadata.version.isdecimal() else 0,
        phase=metadata.phase,
        owner=metadata.owner,
        finalizers=tuple(metadata.finalizers),
        created=metadata.created.ToDatetime(UTC) if metadata.HasField("created") else None,
        updated=metadata.updated.ToDatetime(UTC) if metadata.HasField("updated") else None,
    )


def _decompressed(spec: Any, yaml_spec: str) -> Any:
    """Replace a compressed payload by its text, which Omni also sends in `yaml_spec`.

    Omni compresses patches and manifests larger than 2 KiB with its own dictionary.
    """
    fields = spec.DESCRIPTOR.fields_by_name
    if "compressed_data" in fields and "data" in fields and spec.compressed_data and not spec.data and yaml_spec:
        from ksail_pulumi.goyaml.loaders import load  # rarely needed, and slow to import

        spec.data = load(yaml_spec)["data"]
        spec.ClearField("compressed_data")
    return spec


def stored_bytes(data: bytes) -> int:
    """About how many bytes Omni stores for `data`, a resource on the wire: exact enough for `MOST_STORED_BYTES`.

    Omni compresses with zstd, which Python 3.11 does not have. Unlike zlib it also finds what repeats far away; lines
    that do are counted once.
    """
    if len(data) <= MOST_STORED_BYTES:
        return len(data)
    return len(zlib.compress(b"\n".join(dict.fromkeys(data.split(b"\n")))))


def with_known_fields(actual: Any, desired: Any) -> Any:
    """The actual spec with all fields that this client knows set as in `desired`.

    Unknown fields of a newer Omni are kept at every depth; lists are replaced as a whole.
    """
    merged = type(actual)()
    merged.CopyFrom(actual)
    for descriptor in merged.DESCRIPTOR.fields:
        name = descriptor.name
        if not descriptor.is_repeated and descriptor.message_type is not None:
            if not desired.HasField(name):
                merged.ClearField(name)
            elif merged.HasField(name):
                getattr(merged, name).CopyFrom(with_known_fields(getattr(merged, name), getattr(desired, name)))
            else:
                getattr(merged, name).CopyFrom(getattr(desired, name))
            continue
        merged.ClearField(name)
        if descriptor.is_repeated:
            getattr(merged, name).MergeFrom(getattr(desired, name))
        elif desired.HasField(name) if descriptor.has_presence else getattr(desired, name):
            setattr(merged, name, getattr(desired, name))
    return merged


def machine_name(machine: Resource) -> str:
    """The name of a machine in texts, given any resource of it: `hostname (ID)`, or its ID while it has no hostname."""
    hostname = machine.labels.get(LABEL_HOSTNAME, "")
    if not hostname and machine.type == MACHINE_STATUS:
        hostname = machine.spec.network.hostname
    return f"{hostname} ({machine.id})" if hostname not in ("", machine.id) else machine.id
