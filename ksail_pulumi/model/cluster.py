"""The model of a cluster: every input of `OmniCluster`, under its wire name.

Fields are named after omnictl's cluster template wherever it has one. A field that was not set stays unset, which is
not the same as an empty one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from ksail_pulumi.model.addons import Components
from ksail_pulumi.model.base import MachineId, Model, Version
from ksail_pulumi.model.durations import duration
from ksail_pulumi.model.machine_ids import machine_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.problems import FieldPath

_INT_64 = range(-(2**63), 2**64)
_MOST = 2**32 - 1  # numbers of machines have 32 bits in Omni
_Unlimited = Literal["unlimited", "Unlimited", "infinity", "∞"]  # omnictl's spellings


def _duration(text: str) -> str:
    try:
        duration(text)
    except ValueError as error:
        raise PydanticCustomError("duration", "{input} {reason}", {"reason": str(error)}) from None
    return text


def _size(value: Any) -> Any:
    return "unlimited" if isinstance(value, str) and value in get_args(_Unlimited) else value


def _worker_sets(value: Any) -> Any:
    """An integer means one default set of that many machines, 0 no set at all."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise PydanticCustomError("count", "should be 0 or more")
        return [{"count": value}] if value else []
    if not isinstance(value, list | tuple):
        raise PydanticCustomError("workers", "should be a number of machines or a list of machine sets")
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


def _plain(value: Any) -> Any:
    """Plain JSON data in Python's own types; whole floats of 64 bits become integers, as they were before Pulumi."""
    if isinstance(value, float) and value.is_integer() and int(value) in _INT_64:
        return int(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise PydanticCustomError("inline", "cannot hold a value of type {kind}", {"kind": type(value).__name__})


def _inline(value: Any) -> Any:
    plain = _plain(value)
    if isinstance(plain, list):
        plain = [{} if item is None else item for item in plain]  # as omnictl does
    if isinstance(plain, str | dict) or (isinstance(plain, list) and all(isinstance(item, dict) for item in plain)):
        return plain
    raise PydanticCustomError("inline", "should be a mapping, a list of mappings, or YAML text")


Duration = Annotated[str, AfterValidator(_duration)]
Count = Annotated[int, Field(ge=0, le=_MOST)]
Metadata = dict[str, str]
Inline = Annotated[
    Any, BeforeValidator(_inline, json_schema_input_type=str | dict[str, Any] | list[dict[str, Any] | None])
]


class Patch(Model):
    """A patch of Talos' machine configuration.

    Attributes:
        name: Its name, unique in its place; that of its file if it is in one and has none of its own.
        inline: Its content: one document, a list of documents, or YAML text that is passed on untouched.
        id_override: The whole ID of its resource, in place of the one made of place and name.
        labels: Labels of its resource in Omni.
        annotations: Annotations of its resource in Omni.
        description: What it is for, shown in Omni.
    """

    name: str | None = None
    inline: Inline = None
    id_override: str | None = None
    labels: Metadata | None = None
    annotations: Metadata | None = None
    description: str | None = None


class Rolling(Model):
    """How many machines at a time.

    Attributes:
        max_parallelism: That number. Omni takes 0 for none ever, so that it is refused here.
    """

    max_parallelism: Annotated[int, Field(ge=1, le=_MOST)]


class Strategy(Model):
    """How a change goes through a set of machines.

    Attributes:
        type: `Rolling`, a number at a time, or `Unset`, all at once.
        rolling: With `Rolling`, the number.
    """

    type: Literal["Rolling", "Unset"] | None = None
    rolling: Rolling | None = None


class BootstrapSpec(Model):
    """The etcd backup that a new cluster starts from. It has no meaning any more once the cluster is bootstrapped.

    Attributes:
        cluster_uuid: Omni's UUID of the cluster that was backed up.
        snapshot: The name of the backup.
    """

    cluster_uuid: Annotated[str, Field(alias="clusterUUID")]
    snapshot: str


class MachineClass(Model):
    """Machines that Omni itself chooses, by a class that an administrator defined.

    Attributes:
        name: The class.
        size: How many machines, or `unlimited`.
    """

    name: str
    size: Annotated[Count | Literal["unlimited"], BeforeValidator(_size, json_schema_input_type=Count | _Unlimited)]


class MachineSet(Model):
    """A set of machines of one role: so many that are free, these machines, or those of a class.

    Attributes:
        count: How many free machines to take; 1 unless `machines` or `machineClass` is given.
        machines: The UUIDs of exactly the machines to use.
        machine_class: Machines that Omni chooses.
        selector: Which free machines may be taken, as a label selector; only with `count`.
        upgrade_strategy: How upgrades of Talos and changes of extensions go through the set.
        system_extensions: None leaves it to the cluster's; an empty list means none at all.
        kernel_args: Likewise, for arguments of the Linux kernel.
        patches: Patches for these machines.
        labels: Labels of the machine set in Omni.
        annotations: Annotations of the machine set in Omni.
    """

    count: Count | None = None
    machines: tuple[MachineId, ...] | None = None
    machine_class: MachineClass | None = None
    selector: str | None = None
    upgrade_strategy: Strategy | None = None
    patches: tuple[Patch, ...] | None = None
    system_extensions: tuple[str, ...] | None = None
    kernel_args: tuple[str, ...] | None = None
    labels: Metadata | None = None
    annotations: Metadata | None = None

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
    """The machines that run etcd and the Kubernetes control plane.

    Attributes:
        bootstrap_spec: The etcd backup that the cluster starts from.
    """

    bootstrap_spec: BootstrapSpec | None = None

    @property
    def set_name(self) -> str:
        return "control-planes"


class Workers(MachineSet):
    """A set of machines that run workloads.

    Attributes:
        name: Its name, `workers` if not set; the sets of a cluster have different names.
        update_strategy: How changes of the configuration go through the set; one machine after the other if not set.
        delete_strategy: How machines leave the set; all at once if not set, one after the other if `Rolling` is not
            given a number.
    """

    name: str | None = None
    update_strategy: Strategy | None = None
    delete_strategy: Strategy | None = None

    @property
    def set_name(self) -> str:
        return "workers" if self.name is None else self.name


class Install(Model):
    """The disk that Talos is installed on.

    Attributes:
        disk: Its device name.
        disk_selector: An expression over the machine's disks, in CEL; needs an Omni of API version 3.
    """

    disk: str | None = None
    disk_selector: str | None = None


class Machine(Model):
    """What holds for one machine, whichever set it is in.

    Attributes:
        locked: True locks it, False unlocks it, None leaves it as it is.
        install: The disk that Talos is installed on.
        patches: Patches for this machine alone.
        system_extensions: None leaves it to the set's or the cluster's; an empty list means none at all.
        kernel_args: Likewise, for arguments of the Linux kernel.
        labels: Labels of its place in the cluster (`MachineSetNode`) in Omni.
        annotations: Annotations of the same.
    """

    locked: bool | None = None
    install: Install | None = None
    patches: tuple[Patch, ...] | None = None
    system_extensions: tuple[str, ...] | None = None
    kernel_args: tuple[str, ...] | None = None
    labels: Metadata | None = None
    annotations: Metadata | None = None


class Features(Model):
    """What a cluster does or has beyond the ordinary; what is not set is off.

    Attributes:
        disk_encryption: Encrypts the machines' disks, with keys that Omni keeps.
        enable_workload_proxy: Makes services of the cluster reachable through Omni.
        use_embedded_discovery_service: Lets machines find each other through Omni, not through the public service.
        disable_public_discovery_service: Turns the public discovery service off.
        enable_node_audit_skip: Leaves the requests of nodes out of the Kubernetes audit log.
    """

    disk_encryption: bool | None = None
    enable_workload_proxy: bool | None = None
    use_embedded_discovery_service: bool | None = None
    disable_public_discovery_service: bool | None = None
    enable_node_audit_skip: bool | None = None


class Backup(Model):
    """Backups of etcd.

    Attributes:
        interval: The time between two of them, as a Go duration.
    """

    interval: Duration


class Manifest(Model):
    """Kubernetes objects that Omni applies to the cluster.

    Attributes:
        name: Their name, unique in the cluster; that of their file if they are in one and have none of their own.
        inline: One object, a list of objects, or YAML text that is passed on untouched.
        mode: `full` keeps them as they are written, `one-time` creates them once and leaves them alone.
        labels: Labels of its resource in Omni.
        annotations: Annotations of its resource in Omni.
    """

    name: str | None = None
    inline: Inline = None
    mode: Literal["full", "one-time"] | None = None
    labels: Metadata | None = None
    annotations: Metadata | None = None


class HealthCheck(Model):
    """A Kubernetes Job that has to succeed before an upgrade goes on.

    Attributes:
        name: Its name, unique in the cluster.
        id_override: The whole ID of its resource, in place of the one made of cluster and name.
        job: The Job: an object, or YAML text that is passed on untouched.
        interval: The time between two tries, as a Go duration; 30 seconds if not set.
        labels: Labels of its resource in Omni.
        annotations: Annotations of its resource in Omni.
    """

    name: str | None = None
    id_override: str | None = None
    job: Inline = None
    interval: Duration | None = None
    labels: Metadata | None = None
    annotations: Metadata | None = None


class Kubeconfig(Model):
    """The kubeconfig that the cluster puts out, of a service account in Kubernetes.

    Attributes:
        user: The user's name in Kubernetes.
        groups: The user's groups in Kubernetes.
        ttl: How long it is valid, as a Go duration; Omni allows at most ten years.
        renew_before: How long before its end an `up` renews it; a quarter of `ttl`, at most a week, if not set.
    """

    user: str = "pulumi"
    groups: tuple[str, ...] = ("system:masters",)
    ttl: Duration = "720h"
    renew_before: Duration | None = None

    @property
    def renewal(self) -> timedelta:
        """How long before its end it is renewed."""
        if self.renew_before is not None:
            return duration(self.renew_before)
        return min(duration(self.ttl) / 4, timedelta(days=7))


class OnDelete(Model):
    """What a delete does about machines that Omni cannot reach, and so cannot wipe.

    Attributes:
        disconnected_machines: `fail` names them and deletes nothing, `wait` waits for them, `remove` takes them out of
            Omni altogether.
    """

    disconnected_machines: Literal["wait", "fail", "remove"] = "fail"


class ClusterSpec(Model):
    """A cluster as its user asks for it.

    Attributes:
        name: Its name in Omni.
        endpoint: URL of its Omni, where that is not the stack's.
        service_account_key_env_var: The environment variable that holds the key for that Omni.
        kubernetes_version: Without a leading `v`; None means the newest at create, and what the cluster has later.
        talos_version: Likewise.
        control_plane: The machines that run etcd and the Kubernetes control plane, one if not set.
        workers: The sets of machines that run workloads; a number means one set of that many free machines.
        machines: What holds for single machines, by machine UUID.
        patches: Patches of Talos' configuration for all machines.
        system_extensions: Talos system extensions for all machines; None leaves it to Omni.
        kernel_args: Arguments of the Linux kernel for all machines.
        features: What it does or has beyond the ordinary.
        backup: Backups of etcd; none if not set.
        manifests: Kubernetes objects that Omni applies to it, in this order.
        health_checks: Jobs that have to succeed before an upgrade goes on.
        components: What it runs beside the workloads.
        labels: Its labels in Omni.
        annotations: Its annotations in Omni.
        locked: True locks the cluster, False unlocks it, None leaves it as it is.
        kubeconfig: How the kubeconfig is made that it puts out.
        talosconfig: Whether it puts out a talosconfig.
        wait_for: What an `up` waits for: `ready`, `running` (where the network plugin comes later), or `none`.
        on_delete: What a delete does about machines that Omni cannot reach.
        ownership: `additive` removes only what this resource made, `exclusive` all that is not asked for here.
    """

    name: str
    endpoint: str | None = None
    service_account_key_env_var: str | None = None
    kubernetes_version: Version | None = None
    talos_version: Version | None = None
    control_plane: ControlPlane = Field(default_factory=ControlPlane)
    workers: Annotated[
        tuple[Workers, ...], BeforeValidator(_worker_sets, json_schema_input_type=Count | tuple[Workers, ...])
    ] = ()
    machines: Annotated[dict[MachineId, Machine], BeforeValidator(_machines_once)] = Field(default_factory=dict)
    patches: tuple[Patch, ...] | None = None
    system_extensions: tuple[str, ...] | None = None
    kernel_args: tuple[str, ...] | None = None
    features: Features = Field(default_factory=Features)
    backup: Backup | None = None
    manifests: tuple[Manifest, ...] | None = None
    health_checks: tuple[HealthCheck, ...] | None = None
    components: Components = Field(default_factory=Components)
    labels: Metadata | None = None
    annotations: Metadata | None = None
    locked: bool | None = None
    kubeconfig: Kubeconfig = Field(default_factory=Kubeconfig)
    talosconfig: bool = True
    wait_for: Literal["ready", "running", "none"] = "ready"
    on_delete: OnDelete = Field(default_factory=OnDelete)
    ownership: Literal["additive", "exclusive"] = "additive"

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
