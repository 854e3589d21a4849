"""The model of a cluster: every input of `OmniCluster`, under its wire name.

Fields are named after omnictl's cluster template wherever it has one. A field that was not set stays unset, which is
not the same as an empty one.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from ksail_pulumi.spec.durations import duration

_VERSION = re.compile(r"v?([0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?)")
_UNLIMITED = frozenset({"unlimited", "Unlimited", "infinity", "∞"})  # omnictl's spellings


def _version(text: str) -> str:
    found = _VERSION.fullmatch(text)
    if not found:
        raise PydanticCustomError("version", "version should be in semver format, like 1.36.3")
    return found[1]


def _duration(text: str) -> str:
    try:
        duration(text)
    except ValueError as error:
        raise PydanticCustomError("duration", "{reason}", {"reason": str(error)}) from None
    return text


def _size(value: Any) -> Any:
    return "unlimited" if isinstance(value, str) and value in _UNLIMITED else value


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


def _plain(value: Any) -> Any:
    """Plain JSON data in Python's own types; whole floats become integers, which is what they were before Pulumi."""
    if isinstance(value, float) and value.is_integer():
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
    if isinstance(plain, str | dict) or (isinstance(plain, list) and all(isinstance(item, dict) for item in plain)):
        return plain
    raise PydanticCustomError("inline", "should be a mapping, a list of mappings, or YAML text")


Version = Annotated[str, AfterValidator(_version)]
Duration = Annotated[str, AfterValidator(_duration)]
Count = Annotated[int, Field(ge=0)]
Metadata = dict[str, str]


class _Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, defer_build=True
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        """A null is a field that was not set, as it is for Pulumi, which drops it on the way."""
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


class Patch(_Model):
    """A patch of Talos' machine configuration.

    Attributes:
        inline: Its content: one document, a list of documents, or YAML text that is passed on untouched.
        id_override: The whole ID of its resource, in place of the one made of place and name.
    """

    name: str | None = None
    inline: Annotated[Any, BeforeValidator(_inline)] = None
    id_override: str | None = None
    labels: Metadata | None = None
    annotations: Metadata | None = None
    description: str | None = None


class Rolling(_Model):
    """How many machines at a time. Omni takes 0 for none ever, so that it is refused here."""

    max_parallelism: Annotated[int, Field(ge=1)]


class Strategy(_Model):
    """How a change goes through a set of machines.

    Attributes:
        type: `Rolling`, a number at a time, or `Unset`, all at once.
    """

    type: Literal["Rolling", "Unset"] | None = None
    rolling: Rolling | None = None


class BootstrapSpec(_Model):
    """The etcd backup that a new cluster starts from. It has no meaning any more once the cluster is bootstrapped."""

    cluster_uuid: Annotated[str, Field(alias="clusterUUID")]
    snapshot: str


class MachineClass(_Model):
    """Machines that Omni itself chooses, by a class that an administrator defined."""

    name: str
    size: Annotated[Count | Literal["unlimited"], BeforeValidator(_size)]


class MachineSet(_Model):
    """A set of machines of one role: so many that are free, these machines, or those of a class.

    Attributes:
        selector: Which free machines may be taken, as a label selector; only with `count`.
        upgrade_strategy: How upgrades of Talos and changes of extensions go through the set.
        system_extensions: None leaves it to the cluster's; an empty list means none at all.
        kernel_args: Likewise.
    """

    count: Count | None = None
    machines: tuple[str, ...] | None = None
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
    """The machines that run etcd and the Kubernetes control plane."""

    bootstrap_spec: BootstrapSpec | None = None

    @property
    def set_name(self) -> str:
        return "control-planes"


class Workers(MachineSet):
    """A set of machines that run workloads.

    Attributes:
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


class Install(_Model):
    """The disk that Talos is installed on.

    Attributes:
        disk: Its device name.
        disk_selector: An expression over the machine's disks, in CEL; needs an Omni of API version 3.
    """

    disk: str | None = None
    disk_selector: str | None = None


class Machine(_Model):
    """What holds for one machine, whichever set it is in.

    Attributes:
        locked: True locks it, False unlocks it, None leaves it as it is.
    """

    locked: bool | None = None
    install: Install | None = None
    patches: tuple[Patch, ...] | None = None
    system_extensions: tuple[str, ...] | None = None
    kernel_args: tuple[str, ...] | None = None
    labels: Metadata | None = None
    annotations: Metadata | None = None


class Features(_Model):
    """What a cluster does or has beyond the ordinary; what is not set is off."""

    disk_encryption: bool | None = None
    enable_workload_proxy: bool | None = None
    use_embedded_discovery_service: bool | None = None
    disable_public_discovery_service: bool | None = None
    enable_node_audit_skip: bool | None = None


class Backup(_Model):
    """Backups of etcd.

    Attributes:
        interval: The time between two of them, as a Go duration.
    """

    interval: Duration


class Manifest(_Model):
    """Kubernetes objects that Omni applies to the cluster.

    Attributes:
        mode: `full` keeps them as they are written, `one-time` creates them once and leaves them alone.
    """

    name: str | None = None
    inline: Annotated[Any, BeforeValidator(_inline)] = None
    mode: Literal["full", "one-time"] | None = None
    labels: Metadata | None = None
    annotations: Metadata | None = None


class HealthCheck(_Model):
    """A Kubernetes Job that has to succeed before an upgrade goes on.

    Attributes:
        interval: The time between two tries, as a Go duration; 30 seconds if not set.
    """

    name: str | None = None
    id_override: str | None = None
    job: Annotated[Any, BeforeValidator(_inline)] = None
    interval: Duration | None = None
    labels: Metadata | None = None
    annotations: Metadata | None = None


class Kubeconfig(_Model):
    """The kubeconfig that the cluster puts out, of a service account in Kubernetes.

    Attributes:
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


class OnDelete(_Model):
    """What a delete does about machines that Omni cannot reach, and so cannot wipe."""

    disconnected_machines: Literal["wait", "fail", "remove"] = "fail"


class ClusterSpec(_Model):
    """A cluster as its user asks for it.

    Attributes:
        kubernetes_version: Without a leading `v`; None means the newest at create, and what the cluster has later.
        talos_version: Likewise.
        machines: What holds for single machines, by machine UUID.
        locked: True locks the cluster, False unlocks it, None leaves it as it is.
        ownership: `additive` removes only what this resource made, `exclusive` all that is not asked for here.
    """

    name: str
    endpoint: str | None = None
    service_account_key_env_var: str | None = None
    kubernetes_version: Version | None = None
    talos_version: Version | None = None
    control_plane: ControlPlane = Field(default_factory=ControlPlane)
    workers: Annotated[tuple[Workers, ...], BeforeValidator(_worker_sets)] = ()
    machines: dict[str, Machine] = Field(default_factory=dict)
    patches: tuple[Patch, ...] | None = None
    system_extensions: tuple[str, ...] | None = None
    kernel_args: tuple[str, ...] | None = None
    features: Features = Field(default_factory=Features)
    backup: Backup | None = None
    manifests: tuple[Manifest, ...] | None = None
    health_checks: tuple[HealthCheck, ...] | None = None
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

    def set_field(self, index: int) -> str:
        """The wire path of `machine_sets[index]`."""
        return f"workers[{index - 1}]" if index else "controlPlane"
