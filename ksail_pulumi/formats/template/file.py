"""The shape of omnictl's cluster templates: one model for each kind of document.

Only what a template alone can get wrong is judged here; what holds for a cluster however it is written is judged by the
cluster's own model.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from ksail_pulumi.model.base import Guarded, MachineId


def _texts(value: Any) -> Any:
    """For Go, a label without a value is one with an empty value."""
    return {key: "" if text is None else text for key, text in value.items()} if isinstance(value, dict) else value


Metadata = Annotated[
    dict[str, str], BeforeValidator(_texts, json_schema_input_type=dict[str, str | int | float | bool | None])
]


class _Part(Guarded):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, defer_build=True)


class _Described(_Part):
    labels: Metadata | None = None
    annotations: Metadata | None = None


class Patch(_Described):
    """A patch of the Talos machine configuration, in one of two forms: `inline` or `file`.

    Attributes:
        name: Its name, unique in its place; required with `inline`, the file's path otherwise.
        id_override: The whole ID of its resource in Omni, in place of the one that is made from the name.
        file: A file with the patch, relative to the template.
        inline: The patch: a mapping, a list of mappings (several documents), or YAML text that is passed on untouched.
        labels: Labels of its resource in Omni.
        annotations: Annotations of its resource in Omni.
    """

    name: str | None = None
    id_override: str | None = None
    file: str | None = None
    inline: Any = None


class Manifest(_Described):
    """Kubernetes manifests that Omni applies to the cluster.

    Attributes:
        name: Its name, unique in the cluster.
        mode: `full` keeps them as they are here, `one-time` only creates them.
        file: A file with the manifests, relative to the template.
        inline: The manifests: a mapping, a list of mappings, or YAML text.
        labels: Labels of its resource in Omni.
        annotations: Annotations of its resource in Omni.
    """

    name: str | None = None
    mode: Annotated[str | None, Field(json_schema_extra={"enum": ["full", "one-time", None]})] = None
    file: str | None = None
    inline: Any = None


class HealthCheck(_Described):
    """A Kubernetes Job that Omni runs to tell whether the cluster is well.

    Attributes:
        name: Its name, unique in the cluster.
        id_override: The whole ID of its resource in Omni, in place of the one that is made from the name.
        job: The manifest of the Job.
        file: A file with that manifest, relative to the template.
        interval: How often it runs, as Go writes durations: `30s`.
        labels: Labels of its resource in Omni.
        annotations: Annotations of its resource in Omni.
    """

    name: str | None = None
    id_override: str | None = None
    job: Any = None
    file: str | None = None
    interval: str | None = None


class Kubernetes(_Part):
    """Kubernetes in the cluster.

    Attributes:
        version: The version of Kubernetes, `v1.36.3`.
        manifests: Manifests that Omni applies, in this order.
        healthchecks: Jobs that tell whether the cluster is well.
    """

    model_config = ConfigDict(json_schema_extra={"required": ["version"]})

    version: str = ""
    manifests: list[Manifest] | None = None
    healthchecks: list[HealthCheck] | None = None


class Talos(_Part):
    """Talos on the machines.

    Attributes:
        version: The version of Talos with its `v`, `v1.13.8`.
    """

    model_config = ConfigDict(json_schema_extra={"required": ["version"]})

    version: str = ""


class BackupConfiguration(_Part):
    """Backups of etcd.

    Attributes:
        interval: The time from one to the next, as Go writes durations: `1h`. None at all without it.
    """

    interval: str | None = None


class Features(_Part):
    """What Omni does for the cluster beside running it.

    Attributes:
        disk_encryption: Encrypt the machines' disks with keys that Omni keeps.
        enable_workload_proxy: Reach services of the cluster through Omni.
        use_embedded_discovery_service: Let machines find each other through Omni, not through Sidero's public service.
        disable_public_discovery_service: Turn Sidero's public discovery service off.
        enable_node_audit_skip: Leave the requests of nodes out of the audit log.
        backup_configuration: Backups of etcd.
    """

    disk_encryption: bool | None = None
    enable_workload_proxy: bool | None = None
    use_embedded_discovery_service: bool | None = None
    disable_public_discovery_service: bool | None = None
    enable_node_audit_skip: bool | None = None
    backup_configuration: BackupConfiguration | None = None


class _Configured(_Described):
    patches: list[Patch] | None = None
    system_extensions: list[str] | None = None
    kernel_args: list[str] | None = None


class Cluster(_Configured):
    """The cluster itself.

    Attributes:
        kind: `Cluster`.
        name: The cluster's name.
        kubernetes: Kubernetes in the cluster.
        talos: Talos on its machines.
        features: What Omni does for the cluster beside running it.
        patches: Patches for all machines.
        system_extensions: Talos system extensions of all machines; an empty list is not the same as none.
        kernel_args: Kernel arguments of all machines whose set or own document has none.
        labels: Labels of the cluster in Omni.
        annotations: Annotations of the cluster in Omni.
    """

    model_config = ConfigDict(json_schema_extra={"required": ["kind", "name", "kubernetes", "talos"]})

    kind: Literal["Cluster"]
    name: str = ""
    kubernetes: Kubernetes | None = None
    talos: Talos | None = None
    features: Features | None = None


class MachineClass(_Part):
    """Machines that Omni allocates itself.

    Attributes:
        name: The machine class.
        size: How many machines, or `unlimited`.
    """

    name: str
    size: Annotated[str, Field(json_schema_extra={"type": ["integer", "string"]})] = "0"


class Rolling(_Part):
    """How machines are changed one after another.

    Attributes:
        max_parallelism: How many at a time.
    """

    max_parallelism: int | None = None


class Strategy(_Part):
    """How a change goes through the machines of a set.

    Attributes:
        type: `Rolling`: a few at a time; `Unset`: all at once.
        rolling: How many at a time.
    """

    type: Annotated[str | None, Field(json_schema_extra={"enum": ["Rolling", "Unset", None]})] = None
    rolling: Rolling | None = None


class BootstrapSpec(_Part):
    """The backup that a new cluster starts from.

    Attributes:
        cluster_uuid: Omni's UUID of the cluster that was backed up.
        snapshot: Name of the backup.
    """

    cluster_uuid: Annotated[str | None, Field(alias="clusterUUID")] = None
    snapshot: str | None = None


class _MachineSet(_Configured):
    machines: list[MachineId] | None = None
    machine_class: MachineClass | None = None
    upgrade_strategy: Strategy | None = None


class ControlPlane(_MachineSet):
    """The machines that run etcd and the Kubernetes control plane.

    Attributes:
        kind: `ControlPlane`.
        machines: The IDs of the machines.
        machine_class: Machines that Omni allocates, in place of `machines`.
        bootstrap_spec: The backup that a new cluster starts from.
        upgrade_strategy: How an upgrade goes through the machines.
        patches: Patches for these machines.
        system_extensions: Talos system extensions of these machines; an empty list is not the same as none.
        kernel_args: Kernel arguments of these machines.
        labels: Labels of the machine set in Omni.
        annotations: Annotations of the machine set in Omni.
    """

    kind: Literal["ControlPlane"]
    bootstrap_spec: BootstrapSpec | None = None


class Workers(_MachineSet):
    """A set of machines that run workloads.

    Attributes:
        kind: `Workers`.
        name: Its name, `workers` by default; the sets of a cluster have different names.
        machines: The IDs of the machines.
        machine_class: Machines that Omni allocates, in place of `machines`.
        update_strategy: How a change of the configuration goes through the machines.
        delete_strategy: How machines leave.
        upgrade_strategy: How an upgrade goes through the machines.
        patches: Patches for these machines.
        system_extensions: Talos system extensions of these machines; an empty list is not the same as none.
        kernel_args: Kernel arguments of these machines.
        labels: Labels of the machine set in Omni.
        annotations: Annotations of the machine set in Omni.
    """

    kind: Literal["Workers"]
    name: str | None = None
    update_strategy: Strategy | None = None
    delete_strategy: Strategy | None = None


class Install(_Part):
    """The disk that Talos is installed on; one of the two.

    Attributes:
        disk: Its device, `/dev/sda`.
        disk_selector: An expression (CEL) that is true for it, `disk.size > 100u * GB`.
    """

    disk: str | None = None
    disk_selector: str | None = None


class Machine(_Configured):
    """What is special about one machine.

    Attributes:
        kind: `Machine`.
        name: The machine's ID.
        locked: Leave the machine alone: neither configuration nor upgrades reach it.
        install: The disk that Talos is installed on.
        patches: Patches for this machine alone.
        system_extensions: Talos system extensions of this machine; an empty list is not the same as none.
        kernel_args: Kernel arguments of this machine.
        labels: Labels of its place in the cluster (`MachineSetNode`) in Omni.
        annotations: Annotations of the same.
    """

    model_config = ConfigDict(json_schema_extra={"required": ["kind", "name"]})

    kind: Literal["Machine"]
    name: MachineId = ""
    locked: bool | None = None
    install: Install | None = None


KINDS: dict[str, type[_Part]] = {
    "Cluster": Cluster,
    "ControlPlane": ControlPlane,
    "Workers": Workers,
    "Machine": Machine,
}
