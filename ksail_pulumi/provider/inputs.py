"""What an `OmniCluster` is made from: each input as a class and as a dictionary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from pulumi import Input


@dataclass(frozen=True, kw_only=True)
class RollingArgs:
    """A number of machines at a time.

    Attributes:
        max_parallelism: How many, at least 1.
    """

    max_parallelism: Input[int] | None = None


@dataclass(frozen=True, kw_only=True)
class StrategyArgs:
    """How a change goes through the machines of a set.

    Attributes:
        type: `"Rolling"`, a number at a time, or `"Unset"`, all at once.
        rolling: With `"Rolling"`: how many at a time.
    """

    type: Input[Literal["Rolling", "Unset"]] | None = None
    rolling: Input[RollingArgs | RollingArgsDict] | None = None


@dataclass(frozen=True, kw_only=True)
class MachineClassArgs:
    """Machines that Omni allocates by a machine class.

    Attributes:
        name: The machine class.
        size: How many machines, or `"unlimited"`.
    """

    name: Input[str] | None = None
    size: Input[int | Literal["unlimited"]] | None = None


@dataclass(frozen=True, kw_only=True)
class BootstrapSpecArgs:
    """The etcd backup that a new cluster starts from; without meaning once it is bootstrapped.

    Attributes:
        cluster_uuid: UUID of the cluster that was backed up.
        snapshot: Name of the snapshot.
    """

    cluster_uuid: Input[str] | None = None
    snapshot: Input[str] | None = None


@dataclass(frozen=True, kw_only=True)
class PatchArgs:
    """A patch of the Talos machine configuration, in one of two forms: `inline` or `file`.

    Attributes:
        name: Its name, unique in its place; the file's path by default.
        inline: The patch: a mapping, a list of mappings (several documents), or YAML text that is passed on untouched.
        file: A file with the patch, relative to the program's folder. It is read when the program runs.
        id_override: The ID of the resource in Omni, in place of the one that is made from the name.
        labels: Labels of the resource in Omni.
        annotations: Annotations of the resource in Omni.
        description: Shown in Omni.
    """

    name: Input[str] | None = None
    inline: Input[str | Mapping[str, Any] | Sequence[Mapping[str, Any]]] | None = field(default=None, repr=False)
    file: str | None = None
    id_override: Input[str] | None = None
    labels: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    annotations: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    description: Input[str] | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class MachineSetArgs:
    """The machines of one role; of `count`, `machines` and `machine_class` at most one.

    Attributes:
        count: How many machines to take from those that are free, 1 by default.
        machines: The IDs of exactly the machines to use.
        machine_class: Machines that Omni allocates itself.
        selector: With `count`: an Omni label selector that a machine must match, `"zone = b, !gpu"`.
        upgrade_strategy: How upgrades of Talos and changes of extensions go through the set.
        patches: Patches for these machines.
        system_extensions: Talos system extensions; left out: the cluster's, an empty list: none.
        kernel_args: Kernel arguments; left out: the cluster's, an empty list: none.
        labels: Labels of the machine set in Omni.
        annotations: Annotations of the machine set in Omni.
    """

    count: Input[int] | None = None
    machines: Input[Sequence[Input[str]]] | None = None
    machine_class: Input[MachineClassArgs | MachineClassArgsDict] | None = None
    selector: Input[str] | None = None
    upgrade_strategy: Input[StrategyArgs | StrategyArgsDict] | None = None
    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]] | None = None
    system_extensions: Input[Sequence[Input[str]]] | None = None
    kernel_args: Input[Sequence[Input[str]]] | None = field(default=None, repr=False)
    labels: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    annotations: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class ControlPlaneArgs(MachineSetArgs):
    """The machines that run etcd and the Kubernetes control plane.

    Attributes:
        bootstrap_spec: The etcd backup that a new cluster starts from.
    """

    bootstrap_spec: Input[BootstrapSpecArgs | BootstrapSpecArgsDict] | None = None


@dataclass(frozen=True, kw_only=True)
class WorkersArgs(MachineSetArgs):
    """A set of workers.

    Attributes:
        name: Its name, `workers` by default; a cluster's sets have different names.
        update_strategy: How changes of the configuration go through the set; one machine after the other by default.
        delete_strategy: How machines leave the set; all at once by default.
    """

    name: Input[str] | None = None
    update_strategy: Input[StrategyArgs | StrategyArgsDict] | None = None
    delete_strategy: Input[StrategyArgs | StrategyArgsDict] | None = None


@dataclass(frozen=True, kw_only=True)
class InstallArgs:
    """The disk that Talos is installed on; one of the two.

    Attributes:
        disk: Its device name, `/dev/sda`.
        disk_selector: An expression (CEL) over the machine's disks.
    """

    disk: Input[str] | None = None
    disk_selector: Input[str] | None = None


@dataclass(frozen=True, kw_only=True)
class MachineArgs:
    """What is special about one machine.

    Attributes:
        locked: True: no change reaches it, and it stays in the cluster. Left out: as it is.
        install: The disk that Talos is installed on.
        patches: Patches for this machine alone.
        system_extensions: Its Talos system extensions, in place of its set's and the cluster's.
        kernel_args: Its kernel arguments, in place of its set's and the cluster's.
        labels: Labels of its place in the cluster (`MachineSetNode`) in Omni.
        annotations: Annotations of the same.
    """

    locked: Input[bool] | None = None
    install: Input[InstallArgs | InstallArgsDict] | None = None
    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]] | None = None
    system_extensions: Input[Sequence[Input[str]]] | None = None
    kernel_args: Input[Sequence[Input[str]]] | None = field(default=None, repr=False)
    labels: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    annotations: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class FeaturesArgs:
    """What a cluster does or has beyond the ordinary; what is not set is off.

    Attributes:
        disk_encryption: Disks are encrypted, with keys that Omni holds.
        enable_workload_proxy: Services can be reached through Omni.
        use_embedded_discovery_service: Machines find each other by Omni's own discovery service.
        disable_public_discovery_service: Machines do not use the public discovery service.
        enable_node_audit_skip: Kubernetes nodes with `omni.sidero.dev/node-audit-skip` are left alone by Omni's audit.
    """

    disk_encryption: Input[bool] | None = None
    enable_workload_proxy: Input[bool] | None = None
    use_embedded_discovery_service: Input[bool] | None = None
    disable_public_discovery_service: Input[bool] | None = None
    enable_node_audit_skip: Input[bool] | None = None


@dataclass(frozen=True, kw_only=True)
class BackupArgs:
    """Backups of etcd.

    Attributes:
        interval: The time between two of them, as Go writes durations: `"1h"`.
    """

    interval: Input[str] | None = None


@dataclass(frozen=True, kw_only=True)
class ManifestArgs:
    """Kubernetes objects that Omni applies to the cluster, in one of two forms: `inline` or `file`.

    Attributes:
        name: Its name; the file's path by default.
        inline: The objects: a mapping, a list of mappings, or YAML text.
        file: A file with the objects, relative to the program's folder. It is read when the program runs.
        mode: `"full"` keeps them as they are written, `"one-time"` creates them once and leaves them alone.
        labels: Labels of the resource in Omni.
        annotations: Annotations of the resource in Omni.
    """

    name: Input[str] | None = None
    inline: Input[str | Mapping[str, Any] | Sequence[Mapping[str, Any]]] | None = field(default=None, repr=False)
    file: str | None = None
    mode: Input[Literal["full", "one-time"]] | None = None
    labels: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    annotations: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class HealthCheckArgs:
    """A Kubernetes Job that has to succeed before an upgrade goes on; one of `job` and `file`.

    Attributes:
        name: Its name.
        id_override: The ID of the resource in Omni, in place of the one that is made from the name.
        job: The Job: a mapping or YAML text.
        file: A file with the Job, relative to the program's folder. It is read when the program runs.
        interval: The time between two tries, as Go writes durations; `"30s"` by default.
        labels: Labels of the resource in Omni.
        annotations: Annotations of the resource in Omni.
    """

    name: Input[str] | None = None
    id_override: Input[str] | None = None
    job: Input[str | Mapping[str, Any] | Sequence[Mapping[str, Any]]] | None = field(default=None, repr=False)
    file: str | None = None
    interval: Input[str] | None = None
    labels: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    annotations: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class ComponentArgs:
    """One component, where its name alone does not say enough; of `version` and `url` at most one.

    Attributes:
        name: Which one, where there is a choice.
        version: Its release; left out: one that this package knows.
        url: A Kubernetes manifest that is installed in place of the component's own.
    """

    name: Input[str] | None = None
    version: Input[str] | None = None
    url: Input[str] | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class ComponentsArgs:
    """What a cluster runs beside the workloads; what is not set is not installed, but for Talos' own network plugin.

    Attributes:
        cni: The network plugin: `"flannel"` (Talos' own), `"none"`, `"cilium"` or `"calico"`. It stays for the
            cluster's life.
        metrics_server: Measures what pods and nodes use.
        cert_manager: Issues certificates.
        policy_engine: `"kyverno"` or `"gatekeeper"`.
        git_ops_engine: `"flux"` or `"argocd"`.
        csi: Storage for pods: `"local-path"`, on the disk of the node.
    """

    cni: Input[str | ComponentArgs | ComponentArgsDict] | None = None
    metrics_server: Input[bool | ComponentArgs | ComponentArgsDict] | None = None
    cert_manager: Input[bool | ComponentArgs | ComponentArgsDict] | None = None
    policy_engine: Input[str | ComponentArgs | ComponentArgsDict] | None = None
    git_ops_engine: Input[str | ComponentArgs | ComponentArgsDict] | None = None
    csi: Input[str | ComponentArgs | ComponentArgsDict] | None = None


@dataclass(frozen=True, kw_only=True)
class KubeconfigArgs:
    """The kubeconfig that the cluster hands out: one of a Kubernetes service account, made by Omni.

    Attributes:
        user: The user in it, `pulumi` by default.
        groups: The Kubernetes groups of that user, `system:masters` by default.
        ttl: How long it lasts, as Go writes durations; `"720h"` by default.
        renew_before: How long before its end an update makes a new one; a quarter of `ttl`, at most a week, by default.
    """

    user: Input[str] | None = None
    groups: Input[Sequence[Input[str]]] | None = None
    ttl: Input[str] | None = None
    renew_before: Input[str] | None = None


@dataclass(frozen=True, kw_only=True)
class OnDeleteArgs:
    """What happens when the cluster is deleted.

    Attributes:
        disconnected_machines: A machine that cannot be reached holds the deletion up: `"fail"` (the default) names such
            machines and deletes nothing, `"wait"` waits for them, `"remove"` removes them from Omni altogether.
    """

    disconnected_machines: Input[Literal["fail", "wait", "remove"]] | None = None


@dataclass(frozen=True, kw_only=True)
class OmniClusterArgs:
    """The inputs of an `OmniCluster`.

    Attributes:
        name: The cluster's name in Omni. Left out: the name that the resource has at first. A change replaces the
            cluster.
        endpoint: URL of this cluster's Omni, where it is not the stack's (`omni:endpoint`). Another Omni replaces the
            cluster.
        service_account_key_env_var: Name of the environment variable with the key for that Omni.
        kubernetes_version: With or without `v`. Left out: the newest that Omni supports at create, and then pinned.
        talos_version: The same for Talos.
        control_plane: The control plane's machines, one by default.
        workers: A number of workers, or a list of worker sets.
        machines: What is special about single machines, by their IDs.
        patches: Patches for all machines of the cluster.
        system_extensions: Talos system extensions of all machines.
        kernel_args: Kernel arguments of all machines.
        features: What the cluster does or has beyond the ordinary.
        backup: Backups of etcd.
        manifests: Kubernetes objects that Omni applies to the cluster.
        health_checks: Jobs that have to succeed before an upgrade goes on.
        components: What the cluster runs beside the workloads: network plugin, metrics-server and so on.
        labels: Labels of the cluster in Omni.
        annotations: Annotations of the cluster in Omni.
        locked: True locks the cluster against changes, False unlocks it. Left out: as it is.
        kubeconfig: How the kubeconfig is made that the cluster hands out.
        talosconfig: Whether the cluster hands out a talosconfig, true by default.
        wait_for: `"ready"` (the default); `"running"`, where the network plugin comes later; `"none"`.
        on_delete: What happens when the cluster is deleted.
        ownership: `"additive"` (the default) removes only what this resource made, `"exclusive"` all that is not asked
            for here.
    """

    name: Input[str] | None = None
    endpoint: Input[str] | None = None
    service_account_key_env_var: Input[str] | None = None
    kubernetes_version: Input[str] | None = None
    talos_version: Input[str] | None = None
    control_plane: Input[ControlPlaneArgs | ControlPlaneArgsDict] | None = None
    workers: Input[int | Sequence[Input[WorkersArgs | WorkersArgsDict]]] | None = None
    machines: Input[Mapping[str, Input[MachineArgs | MachineArgsDict]]] | None = None
    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]] | None = None
    system_extensions: Input[Sequence[Input[str]]] | None = None
    kernel_args: Input[Sequence[Input[str]]] | None = field(default=None, repr=False)
    features: Input[FeaturesArgs | FeaturesArgsDict] | None = None
    backup: Input[BackupArgs | BackupArgsDict] | None = None
    manifests: Input[Sequence[Input[ManifestArgs | ManifestArgsDict]]] | None = None
    health_checks: Input[Sequence[Input[HealthCheckArgs | HealthCheckArgsDict]]] | None = None
    components: Input[ComponentsArgs | ComponentsArgsDict] | None = None
    labels: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    annotations: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    locked: Input[bool] | None = None
    kubeconfig: Input[KubeconfigArgs | KubeconfigArgsDict] | None = None
    talosconfig: Input[bool] | None = None
    wait_for: Input[Literal["ready", "running", "none"]] | None = None
    on_delete: Input[OnDeleteArgs | OnDeleteArgsDict] | None = None
    ownership: Input[Literal["additive", "exclusive"]] | None = None


class RollingArgsDict(TypedDict, total=False):
    """`RollingArgs` as a dictionary."""

    max_parallelism: Input[int]


class StrategyArgsDict(TypedDict, total=False):
    """`StrategyArgs` as a dictionary."""

    type: Input[Literal["Rolling", "Unset"]]
    rolling: Input[RollingArgs | RollingArgsDict]


class MachineClassArgsDict(TypedDict, total=False):
    """`MachineClassArgs` as a dictionary."""

    name: Input[str]
    size: Input[int | Literal["unlimited"]]


class BootstrapSpecArgsDict(TypedDict, total=False):
    """`BootstrapSpecArgs` as a dictionary."""

    cluster_uuid: Input[str]
    snapshot: Input[str]


class PatchArgsDict(TypedDict, total=False):
    """`PatchArgs` as a dictionary."""

    name: Input[str]
    inline: Input[str | Mapping[str, Any] | Sequence[Mapping[str, Any]]]
    file: str
    id_override: Input[str]
    labels: Input[Mapping[str, Input[str]]]
    annotations: Input[Mapping[str, Input[str]]]
    description: Input[str]


class MachineSetArgsDict(TypedDict, total=False):
    """`MachineSetArgs` as a dictionary."""

    count: Input[int]
    machines: Input[Sequence[Input[str]]]
    machine_class: Input[MachineClassArgs | MachineClassArgsDict]
    selector: Input[str]
    upgrade_strategy: Input[StrategyArgs | StrategyArgsDict]
    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]]
    system_extensions: Input[Sequence[Input[str]]]
    kernel_args: Input[Sequence[Input[str]]]
    labels: Input[Mapping[str, Input[str]]]
    annotations: Input[Mapping[str, Input[str]]]


class ControlPlaneArgsDict(MachineSetArgsDict, total=False):
    """`ControlPlaneArgs` as a dictionary."""

    bootstrap_spec: Input[BootstrapSpecArgs | BootstrapSpecArgsDict]


class WorkersArgsDict(MachineSetArgsDict, total=False):
    """`WorkersArgs` as a dictionary."""

    name: Input[str]
    update_strategy: Input[StrategyArgs | StrategyArgsDict]
    delete_strategy: Input[StrategyArgs | StrategyArgsDict]


class InstallArgsDict(TypedDict, total=False):
    """`InstallArgs` as a dictionary."""

    disk: Input[str]
    disk_selector: Input[str]


class MachineArgsDict(TypedDict, total=False):
    """`MachineArgs` as a dictionary."""

    locked: Input[bool]
    install: Input[InstallArgs | InstallArgsDict]
    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]]
    system_extensions: Input[Sequence[Input[str]]]
    kernel_args: Input[Sequence[Input[str]]]
    labels: Input[Mapping[str, Input[str]]]
    annotations: Input[Mapping[str, Input[str]]]


class FeaturesArgsDict(TypedDict, total=False):
    """`FeaturesArgs` as a dictionary."""

    disk_encryption: Input[bool]
    enable_workload_proxy: Input[bool]
    use_embedded_discovery_service: Input[bool]
    disable_public_discovery_service: Input[bool]
    enable_node_audit_skip: Input[bool]


class BackupArgsDict(TypedDict, total=False):
    """`BackupArgs` as a dictionary."""

    interval: Input[str]


class ManifestArgsDict(TypedDict, total=False):
    """`ManifestArgs` as a dictionary."""

    name: Input[str]
    inline: Input[str | Mapping[str, Any] | Sequence[Mapping[str, Any]]]
    file: str
    mode: Input[Literal["full", "one-time"]]
    labels: Input[Mapping[str, Input[str]]]
    annotations: Input[Mapping[str, Input[str]]]


class HealthCheckArgsDict(TypedDict, total=False):
    """`HealthCheckArgs` as a dictionary."""

    name: Input[str]
    id_override: Input[str]
    job: Input[str | Mapping[str, Any] | Sequence[Mapping[str, Any]]]
    file: str
    interval: Input[str]
    labels: Input[Mapping[str, Input[str]]]
    annotations: Input[Mapping[str, Input[str]]]


class ComponentArgsDict(TypedDict, total=False):
    """`ComponentArgs` as a dictionary."""

    name: Input[str]
    version: Input[str]
    url: Input[str]


class ComponentsArgsDict(TypedDict, total=False):
    """`ComponentsArgs` as a dictionary."""

    cni: Input[str | ComponentArgs | ComponentArgsDict]
    metrics_server: Input[bool | ComponentArgs | ComponentArgsDict]
    cert_manager: Input[bool | ComponentArgs | ComponentArgsDict]
    policy_engine: Input[str | ComponentArgs | ComponentArgsDict]
    git_ops_engine: Input[str | ComponentArgs | ComponentArgsDict]
    csi: Input[str | ComponentArgs | ComponentArgsDict]


class KubeconfigArgsDict(TypedDict, total=False):
    """`KubeconfigArgs` as a dictionary."""

    user: Input[str]
    groups: Input[Sequence[Input[str]]]
    ttl: Input[str]
    renew_before: Input[str]


class OnDeleteArgsDict(TypedDict, total=False):
    """`OnDeleteArgs` as a dictionary."""

    disconnected_machines: Input[Literal["fail", "wait", "remove"]]


class OmniClusterArgsDict(TypedDict, total=False):
    """`OmniClusterArgs` as a dictionary."""

    name: Input[str]
    endpoint: Input[str]
    service_account_key_env_var: Input[str]
    kubernetes_version: Input[str]
    talos_version: Input[str]
    control_plane: Input[ControlPlaneArgs | ControlPlaneArgsDict]
    workers: Input[int | Sequence[Input[WorkersArgs | WorkersArgsDict]]]
    machines: Input[Mapping[str, Input[MachineArgs | MachineArgsDict]]]
    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]]
    system_extensions: Input[Sequence[Input[str]]]
    kernel_args: Input[Sequence[Input[str]]]
    features: Input[FeaturesArgs | FeaturesArgsDict]
    backup: Input[BackupArgs | BackupArgsDict]
    manifests: Input[Sequence[Input[ManifestArgs | ManifestArgsDict]]]
    health_checks: Input[Sequence[Input[HealthCheckArgs | HealthCheckArgsDict]]]
    components: Input[ComponentsArgs | ComponentsArgsDict]
    labels: Input[Mapping[str, Input[str]]]
    annotations: Input[Mapping[str, Input[str]]]
    locked: Input[bool]
    kubeconfig: Input[KubeconfigArgs | KubeconfigArgsDict]
    talosconfig: Input[bool]
    wait_for: Input[Literal["ready", "running", "none"]]
    on_delete: Input[OnDeleteArgs | OnDeleteArgsDict]
    ownership: Input[Literal["additive", "exclusive"]]
