"""The model of a cluster: every input of `OmniCluster`, its name, type, bounds, default and description.

Fields are named after omnictl's cluster template wherever it has one. A field that was not set stays unset, which is
not the same as an empty one. After a change here: `make args`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from ksail_pulumi.model.addons import Addons
from ksail_pulumi.model.base import (
    MOST_MACHINES,
    Count,
    Duration,
    FilePath,
    Formerly,
    Inline,
    MachineId,
    Metadata,
    Model,
    Size,
    Version,
    machine_count,
)
from ksail_pulumi.model.durations import duration
from ksail_pulumi.model.machine_ids import machine_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.problems import FieldPath


def _control_plane(value: Any) -> Any:
    if (count := machine_count(value)) is not None:
        return {"count": count}
    if not isinstance(value, dict | ControlPlane):
        raise PydanticCustomError("control_plane", "should be a number of machines or a mapping, not {input}")
    return value


def _worker_sets(value: Any) -> Any:
    """An integer means one default set of that many machines, 0 no set at all."""
    if (count := machine_count(value)) is not None:
        if count < 0:
            raise PydanticCustomError("count", "should be 0 or more")
        return [{"count": count}] if count else []
    if not isinstance(value, list | tuple):
        raise PydanticCustomError("workers", "should be a number of machines or a list of machine sets, not {input}")
    return value


def _machines_once(value: Any) -> Any:
    """Refuse two entries for one machine: as a mapping they would be one, and the first would be lost."""
    if isinstance(value, dict):
        seen: set[str] = set()
        for key in value:
            machine = machine_id(str(key))
            if machine in seen:
                raise PydanticCustomError("machines", "machine {input} is described more than once", {"value": machine})
            seen.add(machine)
    return value


class Patch(Model):
    """A patch of the Talos machine configuration. Give either `inline` or `file`."""

    name: str | None = None
    """Name of the patch, unique in its list. Default with `file`: its path, relative to the project if it is
    absolute. Required with `inline`."""

    inline: Inline = None
    """The patch: a mapping, a list of mappings (several documents), or YAML text, which Omni gets unchanged."""

    file: FilePath | None = None
    """Path of a file with the patch, relative to the program's folder. The program reads it when it runs."""

    id_override: str | None = None
    """Complete ID of the resource in Omni. Default: an ID made from the place of the patch and its name."""

    labels: Metadata | None = None
    """Labels of the `ConfigPatch` resource in Omni."""

    annotations: Metadata | None = None
    """Annotations of the `ConfigPatch` resource in Omni."""

    description: str | None = None
    """Description of the patch, shown in Omni."""


class Rolling(Model):
    """How many machines change at the same time."""

    # Omni takes 0, and then never changes any machine.
    max_parallelism: Annotated[int, Field(ge=1, le=MOST_MACHINES)]
    """Number of machines that change at the same time, at least 1. Required."""


class Strategy(Model):
    """How a change goes through the machines of a set."""

    type: Literal["Rolling", "Unset"] | None = None
    """`Rolling`: a few machines at a time. `Unset`: all at once."""

    rolling: Rolling | None = None
    """Number of machines at a time. Only with `Rolling`."""


class BootstrapSpec(Model):
    """The etcd backup that a new cluster starts from. It has no effect once the cluster is bootstrapped."""

    cluster_uuid: Annotated[str, Field(alias="clusterUUID")]
    """Omni's UUID of the cluster that was backed up. Required."""

    snapshot: str
    """Name of the backup. Required."""


class MachineClass(Model):
    """Machines that Omni allocates by a machine class."""

    name: str
    """Name of the machine class in Omni. Required."""

    size: Size
    """Number of machines, or `unlimited` for all machines of the class. Required."""


class MachineSet(Model):
    """Machines of one role. Give at most one of `count`, `machines` and `machine_class`."""

    count: Count | None = None
    """Number of free machines to take. Default: 1, unless `machines` or `machine_class` is given."""

    machines: tuple[MachineId, ...] | None = None
    """IDs (UUIDs) of the machines to take, exactly these."""

    machine_class: MachineClass | None = None
    """Machine class that Omni allocates the machines from."""

    selector: str | None = None
    """Label selector that a free machine must match, such as `zone = b, !gpu, mem >= 16GiB`. Only with `count`."""

    upgrade_strategy: Strategy | None = None
    """How Talos upgrades and changes of system extensions go through the set."""

    patches: tuple[Patch, ...] | None = None
    """Talos patches for the machines of this set."""

    system_extensions: tuple[str, ...] | None = None
    """Talos system extensions of these machines. Default: those of the cluster. An empty list: none."""

    kernel_args: tuple[str, ...] | None = None
    """Kernel arguments of these machines. Default: those of the cluster. An empty list: none."""

    labels: Metadata | None = None
    """Labels of the `MachineSet` resource in Omni."""

    annotations: Metadata | None = None
    """Annotations of the `MachineSet` resource in Omni."""

    @property
    def wanted(self) -> int | None:
        """How many free machines to take; None where the machines are named or left to a class."""
        if self.machines is not None or self.machine_class is not None:
            return None
        return 1 if self.count is None else self.count

    @property
    def set_name(self) -> str:
        raise NotImplementedError

    def id(self, cluster: str) -> str:
        """The ID of its resource in Omni."""
        return f"{cluster}-{self.set_name}"


class ControlPlane(MachineSet):
    """The machines that run etcd and the Kubernetes control plane."""

    bootstrap_spec: BootstrapSpec | None = None
    """The etcd backup that a new cluster starts from."""

    @property
    def set_name(self) -> str:
        return "control-planes"


class Workers(MachineSet):
    """A set of machines that run workloads."""

    name: str | None = None
    """Name of the set, unique in the cluster. Default: `workers`."""

    update_strategy: Strategy | None = None
    """How changes of the machine configuration go through the set. Default: one machine after the other."""

    delete_strategy: Strategy | None = None
    """How machines leave the set. Default: all at once; with `Rolling` and no number, one after the other."""

    @property
    def set_name(self) -> str:
        return "workers" if self.name is None else self.name


class Install(Model):
    """The disk that Talos is installed on. Give either `disk` or `disk_selector`."""

    disk: str | None = None
    """Device name of the disk, such as `/dev/sda`."""

    disk_selector: str | None = None
    """CEL expression that is true for the disk, such as `disk.size > 100u * GB`. Needs version 3 of the Omni API."""


class Machine(Model):
    """Settings of one machine, whichever set it is in."""

    locked: bool | None = None
    """True locks the machine: it gets no changes and stays in the cluster. False unlocks it. Default: as it is."""

    install: Install | None = None
    """The disk that Talos is installed on."""

    patches: tuple[Patch, ...] | None = None
    """Talos patches for this machine."""

    system_extensions: tuple[str, ...] | None = None
    """Talos system extensions of this machine. Default: those of its set or the cluster. An empty list: none."""

    kernel_args: tuple[str, ...] | None = None
    """Kernel arguments of this machine. Default: those of its set or the cluster. An empty list: none."""

    labels: Metadata | None = None
    """Labels of the machine's `MachineSetNode` resource in Omni."""

    annotations: Metadata | None = None
    """Annotations of the machine's `MachineSetNode` resource in Omni."""


class Features(Model):
    """Optional features of a cluster. Each is off by default."""

    disk_encryption: bool | None = None
    """Encrypts the disks of the machines with keys that Omni keeps. It cannot be changed later."""

    enable_workload_proxy: bool | None = None
    """Makes services of the cluster reachable through Omni."""

    use_embedded_discovery_service: bool | None = None
    """Machines find each other through Omni's own discovery service instead of the public one."""

    disable_public_discovery_service: bool | None = None
    """Machines do not use the public discovery service."""

    enable_node_audit_skip: bool | None = None
    """Omni's node audit, which deletes Kubernetes nodes without a machine in the cluster, skips nodes with the
    annotation `omni.sidero.dev/node-audit-skip`."""


class Backup(Model):
    """Backups of etcd."""

    interval: Duration
    """Time between two backups, as a Go duration such as `1h`. Required."""


class Manifest(Model):
    """Kubernetes objects that Omni applies to the cluster. Give either `inline` or `file`."""

    name: str | None = None
    """Name of the manifest, unique in the cluster. Default with `file`: its path as written. Required with
    `inline`."""

    inline: Inline = None
    """The objects: a mapping, a list of mappings, or YAML text, which Omni gets unchanged."""

    file: FilePath | None = None
    """Path of a file with the objects, relative to the program's folder. The program reads it when it runs."""

    weight: Annotated[int, Field(ge=0, le=999)] | None = None
    """First number in the ID of the resource: Omni sorts groups of manifests by it. Default: from 200 on, by the place
    in the list. Under another number, it is another resource with the same objects, which stay in Kubernetes."""

    mode: Literal["full", "one-time"] | None = None
    """How Omni applies the objects. `full`: keeps them as they are written. `one-time`: creates them once. Required."""

    labels: Metadata | None = None
    """Labels of the `KubernetesManifestGroup` resource in Omni."""

    annotations: Metadata | None = None
    """Annotations of the `KubernetesManifestGroup` resource in Omni."""


class HealthCheck(Model):
    """A Kubernetes Job that must succeed before an upgrade continues. Give either `job` or `file`."""

    name: str | None = None
    """Name of the health check, unique in the cluster. Required without `id_override`."""

    id_override: str | None = None
    """Complete ID of the resource in Omni. Default: an ID made from the names of cluster and health check."""

    job: Inline = None
    """The Job: a mapping or YAML text, which Omni gets unchanged."""

    file: FilePath | None = None
    """Path of a file with the Job, relative to the program's folder. The program reads it when it runs."""

    interval: Duration | None = None
    """Time between two attempts, as a Go duration of at least `5s`. Default: `30s`."""

    labels: Metadata | None = None
    """Labels of the `KubernetesHealthCheck` resource in Omni."""

    annotations: Metadata | None = None
    """Annotations of the `KubernetesHealthCheck` resource in Omni."""


class Kubeconfig(Model):
    """The kubeconfig that the cluster outputs, and the context that `up` keeps in a kubeconfig file."""

    form: Literal["token", "exec"] = "token"
    """What the kubeconfig contains. `token`: a token, which expires. `exec`: a call of `ksail-pulumi token`, which
    requests a token for each use; it never expires, and needs the command and the service account key where it is used.
    Default: `token`."""

    context: str | None = None
    """Name of a context that `up` keeps in a kubeconfig file, and `destroy` removes. Default with `file`: `admin@` and
    the name of the cluster."""

    file: str | None = None
    """Path of the kubeconfig file with the context, relative to the program's folder. Default with `context`: the file
    that kubectl uses: the one in `KUBECONFIG` that has the context, else the first existing one; or `~/.kube/config`.
    """

    user: str = "pulumi"
    """Name of the user in Kubernetes. Default: `pulumi`."""

    groups: tuple[str, ...] = ("system:masters",)
    """Kubernetes groups of the user. Default: `system:masters`."""

    ttl: Duration = "720h"
    """How long a token is valid, as a Go duration of at most ten years. Default: `720h`; with `exec`: `1h`."""

    renew_before: Duration | None = None
    """How long before it expires an `up` renews it, as a Go duration; not with `exec`. Default: a quarter of `ttl`, at
    most a week."""

    @property
    def renewal(self) -> timedelta:
        """How long before its end it is renewed."""
        if self.renew_before is not None:
            return duration(self.renew_before)
        return min(duration(self.ttl) / 4, timedelta(days=7))


class OnDelete(Model):
    """What happens when the cluster is deleted."""

    disconnected_machines: Literal["wait", "fail", "remove"] = "fail"
    """What to do about machines that Omni cannot reach and therefore cannot wipe. `fail`: list them and delete nothing.
    `wait`: wait for them. `remove`: remove them from Omni. Default: `fail`."""


class OnUpdate(Model):
    """What happens to what leaves the cluster in an update."""

    disconnected_machines: Literal["wait", "fail", "remove"] = "fail"
    """What to do about leaving machines that Omni cannot reach and therefore cannot wipe. `fail`: list them and change
    nothing. `wait`: wait for them. `remove`: remove them from Omni. Default: `fail`."""

    custom_resource_definitions: Literal["keep", "delete"] = "keep"
    """What to do about the custom resource definitions and namespaces of an add-on that is removed. `keep`: they stay,
    with all objects of these kinds and in these namespaces. `delete`: all of that is deleted. Default: `keep`."""


class ClusterSpec(Model):
    """The inputs of an `OmniCluster`."""

    name: str
    """Name of the cluster in Omni. A change replaces the cluster. Default: the name that the resource has when the
    cluster is created."""

    endpoint: str | None = None
    """URL of the cluster's Omni. A change to another Omni replaces the cluster. Default: the Omni of the stack."""

    service_account_key_env_var: str | None = None
    """Name of the environment variable with the service account key for the cluster's Omni. Default: the key of the
    stack."""

    kubernetes_version: Version | None = None
    """Kubernetes version, with or without `v`. Default: the newest that Omni supports, chosen when the cluster is
    created and kept."""

    talos_version: Version | None = None
    """Talos version, with or without `v`. Default: the newest that Omni supports, chosen when the cluster is created
    and kept."""

    control_plane: Annotated[
        ControlPlane, BeforeValidator(_control_plane, json_schema_input_type=Count | ControlPlane)
    ] = Field(default_factory=ControlPlane)
    """Machines of the control plane: a number of free machines, or a machine set. Default: one machine."""

    workers: Annotated[
        tuple[Workers, ...], BeforeValidator(_worker_sets, json_schema_input_type=Count | tuple[Workers, ...])
    ] = ()
    """Machines that run workloads: a number of free machines, or a list of machine sets. Default: none."""

    machines: Annotated[dict[MachineId, Machine], BeforeValidator(_machines_once)] = Field(default_factory=dict)
    """Settings of single machines, by machine ID. The case of letters in a machine ID does not matter."""

    patches: tuple[Patch, ...] | None = None
    """Talos patches for all machines of the cluster."""

    system_extensions: tuple[str, ...] | None = None
    """Talos system extensions of all machines. Default: as Omni decides. An empty list: none."""

    kernel_args: tuple[str, ...] | None = None
    """Kernel arguments of all machines. An empty list: none."""

    features: Features = Field(default_factory=Features)
    """Optional features of the cluster."""

    backup: Backup | None = None
    """Backups of etcd. Default: none."""

    manifests: tuple[Manifest, ...] | None = None
    """Kubernetes objects that Omni applies to the cluster, in this order."""

    health_checks: tuple[HealthCheck, ...] | None = None
    """Kubernetes Jobs that must succeed before an upgrade continues."""

    addons: Annotated[Addons, Formerly("components")] = Field(default_factory=Addons)
    """Add-ons of the cluster: network plugin, metrics-server and others."""

    labels: Metadata | None = None
    """Labels of the `Cluster` resource in Omni."""

    annotations: Metadata | None = None
    """Annotations of the `Cluster` resource in Omni."""

    locked: bool | None = None
    """True locks the cluster against changes, false unlocks it. Default: as it is."""

    kubeconfig: Kubeconfig = Field(default_factory=Kubeconfig)
    """Settings of the kubeconfig that the cluster outputs."""

    talosconfig: bool = True
    """Whether the cluster outputs a talosconfig. Default: true."""

    wait_for: Literal["ready", "running", "none"] = "ready"
    """What `up` waits for. `ready`: all nodes are ready. `running`: all machines run with their configuration; for a
    network plugin that is installed later. `none`: nothing. Default: `ready`."""

    backup_before: tuple[Literal["upgrade", "delete"], ...] = ()
    """Before what a backup of etcd is taken. `upgrade`: before an update that changes the Talos or Kubernetes version.
    `delete`: before the cluster is deleted. If the backup fails, nothing is changed. Default: none."""

    on_upgrade_failure: Literal["keep", "revert"] = "keep"
    """What happens when a Talos or Kubernetes upgrade does not finish in time, or fails. `keep`: it stays as far as it
    got. `revert`: Omni goes back to the former versions. `up` fails in both cases. Default: `keep`."""

    on_update: OnUpdate = Field(default_factory=OnUpdate)
    """What happens when machines leave the cluster in an update."""

    on_delete: OnDelete = Field(default_factory=OnDelete)
    """What happens when the cluster is deleted."""

    ownership: Literal["additive", "exclusive"] = "additive"
    """What the resource removes from the cluster. `additive`: only what it created. `exclusive`: everything that is not
    in the inputs. Default: `additive`."""

    @property
    def machine_sets(self) -> tuple[MachineSet, ...]:
        """All its machine sets, the control plane first."""
        return (self.control_plane, *self.workers)

    @property
    def exclusive(self) -> bool:
        """Whether what others added to the cluster goes."""
        return self.ownership == "exclusive"

    def kernel_args_of(self, machine: str, machine_set: MachineSet) -> tuple[str, ...] | None:
        """The kernel arguments of a machine: its own before those of its set before the cluster's; None for none."""
        own = self.machines[machine].kernel_args if machine in self.machines else None
        for args in (own, machine_set.kernel_args):
            if args is not None:
                return args
        return self.kernel_args

    def scopes(self) -> Iterator[tuple[FieldPath, ClusterSpec | MachineSet | Machine]]:
        """All that has patches, extensions and labels of its own, each behind its path on the wire."""
        yield (), self
        for index, machine_set in enumerate(self.machine_sets):
            yield self.set_path(index), machine_set
        for machine, described in self.machines.items():
            yield ("machines", machine), described

    def set_path(self, index: int) -> FieldPath:
        """The path of `machine_sets[index]` on the wire."""
        return ("workers", index - 1) if index else ("controlPlane",)
