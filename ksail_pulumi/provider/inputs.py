"""What an `OmniCluster` is made from: each input as a class and as a dictionary.

Written by `make args` from the models in `ksail_pulumi/model`. Change these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from pulumi import Input


@dataclass(frozen=True, kw_only=True)
class MetaValueArgs:
    """A value in the META partition of a Talos machine."""

    key: Input[int] | None = None
    """Number of the META key, such as 10 for a network configuration."""

    value: Input[str] | None = None
    """The value."""


@dataclass(frozen=True, kw_only=True)
class AutoProvisionArgs:
    """Machines that an infra provider creates when a cluster needs them."""

    provider_id: Input[str] | None = None
    """ID of the infra provider in Omni."""

    provider_data: Input[str | Mapping[str, Any]] | None = field(default=None, repr=False)
    """Settings for the infra provider, such as the size of the machines: a mapping, or YAML text. The provider defines
    them."""

    kernel_args: Input[Sequence[Input[str]]] | None = field(default=None, repr=False)
    """Kernel arguments of the machines. A change reaches only machines that are created later."""

    meta_values: Input[Sequence[Input[MetaValueArgs | MetaValueArgsDict]]] | None = field(default=None, repr=False)
    """Values for the META partition of the machines."""

    grpc_tunnel: Input[bool] | None = None
    """Whether the machines reach Omni through a gRPC tunnel. Default: as set for the account."""


@dataclass(frozen=True, kw_only=True)
class PatchArgs:
    """A patch of the Talos machine configuration. Give either `inline` or `file`."""

    name: Input[str] | None = None
    """Name of the patch, unique in its list. Default with `file`: its path, relative to the project if it is absolute.
    Required with `inline`."""

    inline: Input[str | Mapping[str, Any] | Sequence[Input[Mapping[str, Any]]]] | None = field(default=None, repr=False)
    """The patch: a mapping, a list of mappings (several documents), or YAML text, which Omni gets unchanged."""

    file: str | None = None
    """Path of a file with the patch, relative to the program's folder. The program reads it when it runs."""

    id_override: Input[str] | None = None
    """Complete ID of the resource in Omni. Default: an ID made from the place of the patch and its name."""

    labels: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    """Labels of the `ConfigPatch` resource in Omni."""

    annotations: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    """Annotations of the `ConfigPatch` resource in Omni."""

    description: Input[str] | None = field(default=None, repr=False)
    """Description of the patch, shown in Omni."""


@dataclass(frozen=True, kw_only=True)
class InstallArgs:
    """The disk that Talos is installed on. Give either `disk` or `disk_selector`."""

    disk: Input[str] | None = None
    """Device name of the disk, such as `/dev/sda`."""

    disk_selector: Input[str] | None = None
    """CEL expression that is true for the disk, such as `disk.size > 100u * GB`. Needs version 3 of the Omni API."""


@dataclass(frozen=True, kw_only=True)
class MachineClassArgs:
    """Machines that Omni allocates by a machine class."""

    name: Input[str] | None = None
    """Name of the machine class in Omni. Required."""

    size: Input[int | Literal["unlimited", "Unlimited", "infinity", "∞"]] | None = None
    """Number of machines, or `unlimited` for all machines of the class. Required."""


@dataclass(frozen=True, kw_only=True)
class RollingArgs:
    """How many machines change at the same time."""

    max_parallelism: Input[int] | None = None
    """Number of machines that change at the same time, at least 1. Required."""


@dataclass(frozen=True, kw_only=True)
class StrategyArgs:
    """How a change goes through the machines of a set."""

    type: Input[Literal["Rolling", "Unset"]] | None = None
    """`Rolling`: a few machines at a time. `Unset`: all at once."""

    rolling: Input[RollingArgs | RollingArgsDict] | None = None
    """Number of machines at a time. Only with `Rolling`."""


@dataclass(frozen=True, kw_only=True)
class BootstrapSpecArgs:
    """The etcd backup that a new cluster starts from. It has no effect once the cluster is bootstrapped."""

    cluster_uuid: Input[str] | None = None
    """Omni's UUID of the cluster that was backed up. Required."""

    snapshot: Input[str] | None = None
    """Name of the backup. Required."""


@dataclass(frozen=True, kw_only=True)
class ControlPlaneArgs:
    """The machines that run etcd and the Kubernetes control plane."""

    count: Input[int] | None = None
    """Number of free machines to take. Default: 1, unless `machines` or `machine_class` is given."""

    machines: Input[Sequence[Input[str]]] | None = None
    """IDs (UUIDs) of the machines to take, exactly these."""

    machine_class: Input[MachineClassArgs | MachineClassArgsDict] | None = None
    """Machine class that Omni allocates the machines from."""

    selector: Input[str] | None = None
    """Label selector that a free machine must match, such as `zone = b, !gpu, mem >= 16GiB`. Only with `count`."""

    upgrade_strategy: Input[StrategyArgs | StrategyArgsDict] | None = None
    """How Talos upgrades and changes of system extensions go through the set."""

    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]] | None = None
    """Talos patches for the machines of this set."""

    system_extensions: Input[Sequence[Input[str]]] | None = None
    """Talos system extensions of these machines. Default: those of the cluster. An empty list: none."""

    kernel_args: Input[Sequence[Input[str]]] | None = field(default=None, repr=False)
    """Kernel arguments of these machines. Default: those of the cluster. An empty list: none."""

    labels: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    """Labels of the `MachineSet` resource in Omni."""

    annotations: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    """Annotations of the `MachineSet` resource in Omni."""

    bootstrap_spec: Input[BootstrapSpecArgs | BootstrapSpecArgsDict] | None = None
    """The etcd backup that a new cluster starts from."""


@dataclass(frozen=True, kw_only=True)
class WorkersArgs:
    """A set of machines that run workloads."""

    count: Input[int] | None = None
    """Number of free machines to take. Default: 1, unless `machines` or `machine_class` is given."""

    machines: Input[Sequence[Input[str]]] | None = None
    """IDs (UUIDs) of the machines to take, exactly these."""

    machine_class: Input[MachineClassArgs | MachineClassArgsDict] | None = None
    """Machine class that Omni allocates the machines from."""

    selector: Input[str] | None = None
    """Label selector that a free machine must match, such as `zone = b, !gpu, mem >= 16GiB`. Only with `count`."""

    upgrade_strategy: Input[StrategyArgs | StrategyArgsDict] | None = None
    """How Talos upgrades and changes of system extensions go through the set."""

    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]] | None = None
    """Talos patches for the machines of this set."""

    system_extensions: Input[Sequence[Input[str]]] | None = None
    """Talos system extensions of these machines. Default: those of the cluster. An empty list: none."""

    kernel_args: Input[Sequence[Input[str]]] | None = field(default=None, repr=False)
    """Kernel arguments of these machines. Default: those of the cluster. An empty list: none."""

    labels: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    """Labels of the `MachineSet` resource in Omni."""

    annotations: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    """Annotations of the `MachineSet` resource in Omni."""

    name: Input[str] | None = None
    """Name of the set, unique in the cluster. Default: `workers`."""

    update_strategy: Input[StrategyArgs | StrategyArgsDict] | None = None
    """How changes of the machine configuration go through the set. Default: one machine after the other."""

    delete_strategy: Input[StrategyArgs | StrategyArgsDict] | None = None
    """How machines leave the set. Default: all at once; with `Rolling` and no number, one after the other."""


@dataclass(frozen=True, kw_only=True)
class MachineArgs:
    """Settings of one machine, whichever set it is in."""

    locked: Input[bool] | None = None
    """True locks the machine: it gets no changes and stays in the cluster. False unlocks it. Default: as it is."""

    install: Input[InstallArgs | InstallArgsDict] | None = None
    """The disk that Talos is installed on."""

    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]] | None = None
    """Talos patches for this machine."""

    system_extensions: Input[Sequence[Input[str]]] | None = None
    """Talos system extensions of this machine. Default: those of its set or the cluster. An empty list: none."""

    kernel_args: Input[Sequence[Input[str]]] | None = field(default=None, repr=False)
    """Kernel arguments of this machine. Default: those of its set or the cluster. An empty list: none."""

    labels: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    """Labels of the machine's `MachineSetNode` resource in Omni."""

    annotations: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    """Annotations of the machine's `MachineSetNode` resource in Omni."""


@dataclass(frozen=True, kw_only=True)
class FeaturesArgs:
    """Optional features of a cluster. Each is off by default."""

    disk_encryption: Input[bool] | None = None
    """Encrypts the disks of the machines with keys that Omni keeps. It cannot be changed later."""

    enable_workload_proxy: Input[bool] | None = None
    """Makes services of the cluster reachable through Omni."""

    use_embedded_discovery_service: Input[bool] | None = None
    """Machines find each other through Omni's own discovery service instead of the public one."""

    disable_public_discovery_service: Input[bool] | None = None
    """Machines do not use the public discovery service."""

    enable_node_audit_skip: Input[bool] | None = None
    """Omni's node audit, which deletes Kubernetes nodes without a machine in the cluster, skips nodes with the
    annotation `omni.sidero.dev/node-audit-skip`."""


@dataclass(frozen=True, kw_only=True)
class BackupArgs:
    """Backups of etcd."""

    interval: Input[str] | None = None
    """Time between two backups, as a Go duration such as `1h`. Required."""


@dataclass(frozen=True, kw_only=True)
class ManifestArgs:
    """Kubernetes objects that Omni applies to the cluster. Give either `inline` or `file`."""

    name: Input[str] | None = None
    """Name of the manifest, unique in the cluster. Default with `file`: its path as written. Required with `inline`."""

    inline: Input[str | Mapping[str, Any] | Sequence[Input[Mapping[str, Any]]]] | None = field(default=None, repr=False)
    """The objects: a mapping, a list of mappings, or YAML text, which Omni gets unchanged."""

    file: str | None = None
    """Path of a file with the objects, relative to the program's folder. The program reads it when it runs."""

    weight: Input[int] | None = None
    """First number in the ID of the resource: Omni sorts groups of manifests by it. Default: from 200 on, by the place
    in the list. Under another number, it is another resource with the same objects, which stay in Kubernetes."""

    mode: Input[Literal["full", "one-time"]] | None = None
    """How Omni applies the objects. `full`: keeps them as they are written. `one-time`: creates them once. Required."""

    labels: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    """Labels of the `KubernetesManifestGroup` resource in Omni."""

    annotations: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    """Annotations of the `KubernetesManifestGroup` resource in Omni."""


@dataclass(frozen=True, kw_only=True)
class HealthCheckArgs:
    """A Kubernetes Job that must succeed before an upgrade continues. Give either `job` or `file`."""

    name: Input[str] | None = None
    """Name of the health check, unique in the cluster. Required without `id_override`."""

    id_override: Input[str] | None = None
    """Complete ID of the resource in Omni. Default: an ID made from the names of cluster and health check."""

    job: Input[str | Mapping[str, Any] | Sequence[Input[Mapping[str, Any]]]] | None = field(default=None, repr=False)
    """The Job: a mapping or YAML text, which Omni gets unchanged."""

    file: str | None = None
    """Path of a file with the Job, relative to the program's folder. The program reads it when it runs."""

    interval: Input[str] | None = None
    """Time between two attempts, as a Go duration of at least `5s`. Default: `30s`."""

    labels: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    """Labels of the `KubernetesHealthCheck` resource in Omni."""

    annotations: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    """Annotations of the `KubernetesHealthCheck` resource in Omni."""


@dataclass(frozen=True, kw_only=True)
class GitOpsSourceArgs:
    """What a GitOps engine deploys: a Git repository, or an OCI artifact."""

    url: Input[str] | None = field(default=None, repr=False)
    """URL of the repository (`https://…`) or the artifact (`oci://…`). Required."""

    revision: Input[str] | None = None
    """Branch of the repository, or tag of the artifact. Default: `main`, or `latest`."""

    path: Input[str] | None = None
    """Folder with the manifests. Default: the root."""

    username: Input[str] | None = field(default=None, repr=False)
    """User name for the repository or the registry. Only with `password`."""

    password: Input[str] | None = field(default=None, repr=False)
    """Password or token for the repository or the registry. It is a secret in Pulumi's state. In Omni it is in a
    manifest, and in Kubernetes in a `Secret`."""


@dataclass(frozen=True, kw_only=True)
class AddonArgs:
    """One add-on, where its name or `true` says too little."""

    name: Input[str] | None = None
    """Name of the add-on. Required where there is a choice."""

    version: Input[str] | None = None
    """Release to install, with or without `v`. Give at most one of `version`, `url`, `inline` and `file`. Default: the
    installed release, or else the one that this package names."""

    url: Input[str] | None = field(default=None, repr=False)
    """URL of a Kubernetes manifest to install instead of the add-on's own. It is fetched once."""

    inline: Input[str | Mapping[str, Any] | Sequence[Input[Mapping[str, Any]]]] | None = field(default=None, repr=False)
    """Kubernetes objects to install instead of the add-on's own: a mapping, a list of mappings, or YAML text."""

    file: str | None = None
    """Path of a file with such objects, relative to the program's folder. The program reads it when it runs."""

    source: Input[GitOpsSourceArgs | GitOpsSourceArgsDict] | None = None
    """What the GitOps engine deploys. Only for `flux` and `argocd`."""


@dataclass(frozen=True, kw_only=True)
class AddonsArgs:
    """Add-ons of a cluster. Only the network plugin is installed by default."""

    cni: Input[Literal["flannel", "none", "cilium", "calico"] | AddonArgs | AddonArgsDict] | None = None
    """Network plugin: `flannel` (comes with Talos), `none`, `cilium` or `calico`. It cannot be changed once the cluster
    is bootstrapped. Default: `flannel`."""

    metrics_server: Input[bool | AddonArgs | AddonArgsDict] | None = None
    """metrics-server, which measures what pods and nodes use. Kubelets then get certificates that it can verify."""

    cert_manager: Input[bool | AddonArgs | AddonArgsDict] | None = None
    """cert-manager, which issues certificates."""

    policy_engine: Input[Literal["kyverno", "gatekeeper"] | AddonArgs | AddonArgsDict] | None = None
    """Policy engine: `kyverno` or `gatekeeper`."""

    git_ops_engine: Input[Literal["flux", "argocd"] | AddonArgs | AddonArgsDict] | None = None
    """GitOps engine: `flux` or `argocd`."""

    csi: Input[Literal["local-path"] | AddonArgs | AddonArgsDict] | None = None
    """Storage for pods: `local-path`, on the disk of the node."""


@dataclass(frozen=True, kw_only=True)
class KubeconfigArgs:
    """The kubeconfig that the cluster outputs, and the context that `up` keeps in a kubeconfig file."""

    form: Input[Literal["token", "exec"]] | None = None
    """What the kubeconfig contains. `token`: a token, which expires. `exec`: a call of `ksail-pulumi token`, which
    requests a token for each use; it never expires, and needs the command and the service account key where it is used.
    Default: `token`."""

    context: Input[str] | None = None
    """Name of a context that `up` keeps in a kubeconfig file, and `destroy` removes. Default with `file`: `admin@` and
    the name of the cluster."""

    file: Input[str] | None = None
    """Path of the kubeconfig file with the context, relative to the program's folder. Default with `context`: the file
    that kubectl uses: the one in `KUBECONFIG` that has the context, else the first existing one; or
    `~/.kube/config`."""

    user: Input[str] | None = None
    """Name of the user in Kubernetes. Default: `pulumi`."""

    groups: Input[Sequence[Input[str]]] | None = None
    """Kubernetes groups of the user. Default: `system:masters`."""

    ttl: Input[str] | None = None
    """How long a token is valid, as a Go duration of at most ten years. Default: `720h`; with `exec`: `1h`."""

    renew_before: Input[str] | None = None
    """How long before it expires an `up` renews it, as a Go duration; not with `exec`. Default: a quarter of `ttl`, at
    most a week."""


@dataclass(frozen=True, kw_only=True)
class OnUpdateArgs:
    """What happens to what leaves the cluster in an update."""

    disconnected_machines: Input[Literal["wait", "fail", "remove"]] | None = None
    """What to do about leaving machines that Omni cannot reach and therefore cannot wipe. `fail`: list them and change
    nothing. `wait`: wait for them. `remove`: remove them from Omni. Default: `fail`."""

    custom_resource_definitions: Input[Literal["keep", "delete"]] | None = None
    """What to do about the custom resource definitions and namespaces of an add-on that is removed. `keep`: they stay,
    with all objects of these kinds and in these namespaces. `delete`: all of that is deleted. Default: `keep`."""


@dataclass(frozen=True, kw_only=True)
class OnDeleteArgs:
    """What happens when the cluster is deleted."""

    disconnected_machines: Input[Literal["wait", "fail", "remove"]] | None = None
    """What to do about machines that Omni cannot reach and therefore cannot wipe. `fail`: list them and delete nothing.
    `wait`: wait for them. `remove`: remove them from Omni. Default: `fail`."""


@dataclass(frozen=True, kw_only=True)
class OmniClusterArgs:
    """The inputs of an `OmniCluster`."""

    name: Input[str] | None = None
    """Name of the cluster in Omni. A change replaces the cluster. Default: the name that the resource has when the
    cluster is created."""

    endpoint: Input[str] | None = None
    """URL of the cluster's Omni. A change to another Omni replaces the cluster. Default: the Omni of the stack."""

    service_account_key_env_var: Input[str] | None = None
    """Name of the environment variable with the service account key for the cluster's Omni. Default: the key of the
    stack."""

    kubernetes_version: Input[str] | None = None
    """Kubernetes version, with or without `v`. Default: the newest that Omni supports, chosen when the cluster is
    created and kept."""

    talos_version: Input[str] | None = None
    """Talos version, with or without `v`. Default: the newest that Omni supports, chosen when the cluster is created
    and kept."""

    control_plane: Input[int | ControlPlaneArgs | ControlPlaneArgsDict] | None = None
    """Machines of the control plane: a number of free machines, or a machine set. Default: one machine."""

    workers: Input[int | Sequence[Input[WorkersArgs | WorkersArgsDict]]] | None = None
    """Machines that run workloads: a number of free machines, or a list of machine sets. Default: none."""

    machines: Input[Mapping[str, Input[MachineArgs | MachineArgsDict]]] | None = None
    """Settings of single machines, by machine ID. The case of letters in a machine ID does not matter."""

    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]] | None = None
    """Talos patches for all machines of the cluster."""

    system_extensions: Input[Sequence[Input[str]]] | None = None
    """Talos system extensions of all machines. Default: as Omni decides. An empty list: none."""

    kernel_args: Input[Sequence[Input[str]]] | None = field(default=None, repr=False)
    """Kernel arguments of all machines. An empty list: none."""

    features: Input[FeaturesArgs | FeaturesArgsDict] | None = None
    """Optional features of the cluster."""

    backup: Input[BackupArgs | BackupArgsDict] | None = None
    """Backups of etcd. Default: none."""

    manifests: Input[Sequence[Input[ManifestArgs | ManifestArgsDict]]] | None = None
    """Kubernetes objects that Omni applies to the cluster, in this order."""

    health_checks: Input[Sequence[Input[HealthCheckArgs | HealthCheckArgsDict]]] | None = None
    """Kubernetes Jobs that must succeed before an upgrade continues."""

    addons: Input[AddonsArgs | AddonsArgsDict] | None = None
    """Add-ons of the cluster: network plugin, metrics-server and others."""

    components: Input[AddonsArgs | AddonsArgsDict] | None = None
    """Deprecated: the former name of `addons`."""

    labels: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    """Labels of the `Cluster` resource in Omni."""

    annotations: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    """Annotations of the `Cluster` resource in Omni."""

    locked: Input[bool] | None = None
    """True locks the cluster against changes, false unlocks it. Default: as it is."""

    kubeconfig: Input[KubeconfigArgs | KubeconfigArgsDict] | None = None
    """Settings of the kubeconfig that the cluster outputs."""

    talosconfig: Input[bool] | None = None
    """Whether the cluster outputs a talosconfig. Default: true."""

    wait_for: Input[Literal["ready", "running", "none"]] | None = None
    """What `up` waits for. `ready`: all nodes are ready. `running`: all machines run with their configuration; for a
    network plugin that is installed later. `none`: nothing. Default: `ready`."""

    backup_before: Input[Sequence[Input[Literal["upgrade", "delete"]]]] | None = None
    """Before what a backup of etcd is taken. `upgrade`: before an update that changes the Talos or Kubernetes version.
    `delete`: before the cluster is deleted. If the backup fails, nothing is changed. Default: none."""

    on_upgrade_failure: Input[Literal["keep", "revert"]] | None = None
    """What happens when a Talos or Kubernetes upgrade does not finish in time, or fails. `keep`: it stays as far as it
    got. `revert`: Omni goes back to the former versions. `up` fails in both cases. Default: `keep`."""

    on_update: Input[OnUpdateArgs | OnUpdateArgsDict] | None = None
    """What happens when machines leave the cluster in an update."""

    on_delete: Input[OnDeleteArgs | OnDeleteArgsDict] | None = None
    """What happens when the cluster is deleted."""

    ownership: Input[Literal["additive", "exclusive"]] | None = None
    """What the resource removes from the cluster. `additive`: only what it created. `exclusive`: everything that is not
    in the inputs. Default: `additive`."""


class MetaValueArgsDict(TypedDict, total=False):
    """A value in the META partition of a Talos machine."""

    key: Input[int]
    """Number of the META key, such as 10 for a network configuration."""

    value: Input[str]
    """The value."""


class AutoProvisionArgsDict(TypedDict, total=False):
    """Machines that an infra provider creates when a cluster needs them."""

    provider_id: Input[str]
    """ID of the infra provider in Omni."""

    provider_data: Input[str | Mapping[str, Any]]
    """Settings for the infra provider, such as the size of the machines: a mapping, or YAML text. The provider defines
    them."""

    kernel_args: Input[Sequence[Input[str]]]
    """Kernel arguments of the machines. A change reaches only machines that are created later."""

    meta_values: Input[Sequence[Input[MetaValueArgs | MetaValueArgsDict]]]
    """Values for the META partition of the machines."""

    grpc_tunnel: Input[bool]
    """Whether the machines reach Omni through a gRPC tunnel. Default: as set for the account."""


class PatchArgsDict(TypedDict, total=False):
    """A patch of the Talos machine configuration. Give either `inline` or `file`."""

    name: Input[str]
    """Name of the patch, unique in its list. Default with `file`: its path, relative to the project if it is absolute.
    Required with `inline`."""

    inline: Input[str | Mapping[str, Any] | Sequence[Input[Mapping[str, Any]]]]
    """The patch: a mapping, a list of mappings (several documents), or YAML text, which Omni gets unchanged."""

    file: str
    """Path of a file with the patch, relative to the program's folder. The program reads it when it runs."""

    id_override: Input[str]
    """Complete ID of the resource in Omni. Default: an ID made from the place of the patch and its name."""

    labels: Input[Mapping[str, Input[str]]]
    """Labels of the `ConfigPatch` resource in Omni."""

    annotations: Input[Mapping[str, Input[str]]]
    """Annotations of the `ConfigPatch` resource in Omni."""

    description: Input[str]
    """Description of the patch, shown in Omni."""


class InstallArgsDict(TypedDict, total=False):
    """The disk that Talos is installed on. Give either `disk` or `disk_selector`."""

    disk: Input[str]
    """Device name of the disk, such as `/dev/sda`."""

    disk_selector: Input[str]
    """CEL expression that is true for the disk, such as `disk.size > 100u * GB`. Needs version 3 of the Omni API."""


class MachineClassArgsDict(TypedDict, total=False):
    """Machines that Omni allocates by a machine class."""

    name: Input[str]
    """Name of the machine class in Omni. Required."""

    size: Input[int | Literal["unlimited", "Unlimited", "infinity", "∞"]]
    """Number of machines, or `unlimited` for all machines of the class. Required."""


class RollingArgsDict(TypedDict, total=False):
    """How many machines change at the same time."""

    max_parallelism: Input[int]
    """Number of machines that change at the same time, at least 1. Required."""


class StrategyArgsDict(TypedDict, total=False):
    """How a change goes through the machines of a set."""

    type: Input[Literal["Rolling", "Unset"]]
    """`Rolling`: a few machines at a time. `Unset`: all at once."""

    rolling: Input[RollingArgs | RollingArgsDict]
    """Number of machines at a time. Only with `Rolling`."""


class BootstrapSpecArgsDict(TypedDict, total=False):
    """The etcd backup that a new cluster starts from. It has no effect once the cluster is bootstrapped."""

    cluster_uuid: Input[str]
    """Omni's UUID of the cluster that was backed up. Required."""

    snapshot: Input[str]
    """Name of the backup. Required."""


class ControlPlaneArgsDict(TypedDict, total=False):
    """The machines that run etcd and the Kubernetes control plane."""

    count: Input[int]
    """Number of free machines to take. Default: 1, unless `machines` or `machine_class` is given."""

    machines: Input[Sequence[Input[str]]]
    """IDs (UUIDs) of the machines to take, exactly these."""

    machine_class: Input[MachineClassArgs | MachineClassArgsDict]
    """Machine class that Omni allocates the machines from."""

    selector: Input[str]
    """Label selector that a free machine must match, such as `zone = b, !gpu, mem >= 16GiB`. Only with `count`."""

    upgrade_strategy: Input[StrategyArgs | StrategyArgsDict]
    """How Talos upgrades and changes of system extensions go through the set."""

    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]]
    """Talos patches for the machines of this set."""

    system_extensions: Input[Sequence[Input[str]]]
    """Talos system extensions of these machines. Default: those of the cluster. An empty list: none."""

    kernel_args: Input[Sequence[Input[str]]]
    """Kernel arguments of these machines. Default: those of the cluster. An empty list: none."""

    labels: Input[Mapping[str, Input[str]]]
    """Labels of the `MachineSet` resource in Omni."""

    annotations: Input[Mapping[str, Input[str]]]
    """Annotations of the `MachineSet` resource in Omni."""

    bootstrap_spec: Input[BootstrapSpecArgs | BootstrapSpecArgsDict]
    """The etcd backup that a new cluster starts from."""


class WorkersArgsDict(TypedDict, total=False):
    """A set of machines that run workloads."""

    count: Input[int]
    """Number of free machines to take. Default: 1, unless `machines` or `machine_class` is given."""

    machines: Input[Sequence[Input[str]]]
    """IDs (UUIDs) of the machines to take, exactly these."""

    machine_class: Input[MachineClassArgs | MachineClassArgsDict]
    """Machine class that Omni allocates the machines from."""

    selector: Input[str]
    """Label selector that a free machine must match, such as `zone = b, !gpu, mem >= 16GiB`. Only with `count`."""

    upgrade_strategy: Input[StrategyArgs | StrategyArgsDict]
    """How Talos upgrades and changes of system extensions go through the set."""

    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]]
    """Talos patches for the machines of this set."""

    system_extensions: Input[Sequence[Input[str]]]
    """Talos system extensions of these machines. Default: those of the cluster. An empty list: none."""

    kernel_args: Input[Sequence[Input[str]]]
    """Kernel arguments of these machines. Default: those of the cluster. An empty list: none."""

    labels: Input[Mapping[str, Input[str]]]
    """Labels of the `MachineSet` resource in Omni."""

    annotations: Input[Mapping[str, Input[str]]]
    """Annotations of the `MachineSet` resource in Omni."""

    name: Input[str]
    """Name of the set, unique in the cluster. Default: `workers`."""

    update_strategy: Input[StrategyArgs | StrategyArgsDict]
    """How changes of the machine configuration go through the set. Default: one machine after the other."""

    delete_strategy: Input[StrategyArgs | StrategyArgsDict]
    """How machines leave the set. Default: all at once; with `Rolling` and no number, one after the other."""


class MachineArgsDict(TypedDict, total=False):
    """Settings of one machine, whichever set it is in."""

    locked: Input[bool]
    """True locks the machine: it gets no changes and stays in the cluster. False unlocks it. Default: as it is."""

    install: Input[InstallArgs | InstallArgsDict]
    """The disk that Talos is installed on."""

    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]]
    """Talos patches for this machine."""

    system_extensions: Input[Sequence[Input[str]]]
    """Talos system extensions of this machine. Default: those of its set or the cluster. An empty list: none."""

    kernel_args: Input[Sequence[Input[str]]]
    """Kernel arguments of this machine. Default: those of its set or the cluster. An empty list: none."""

    labels: Input[Mapping[str, Input[str]]]
    """Labels of the machine's `MachineSetNode` resource in Omni."""

    annotations: Input[Mapping[str, Input[str]]]
    """Annotations of the machine's `MachineSetNode` resource in Omni."""


class FeaturesArgsDict(TypedDict, total=False):
    """Optional features of a cluster. Each is off by default."""

    disk_encryption: Input[bool]
    """Encrypts the disks of the machines with keys that Omni keeps. It cannot be changed later."""

    enable_workload_proxy: Input[bool]
    """Makes services of the cluster reachable through Omni."""

    use_embedded_discovery_service: Input[bool]
    """Machines find each other through Omni's own discovery service instead of the public one."""

    disable_public_discovery_service: Input[bool]
    """Machines do not use the public discovery service."""

    enable_node_audit_skip: Input[bool]
    """Omni's node audit, which deletes Kubernetes nodes without a machine in the cluster, skips nodes with the
    annotation `omni.sidero.dev/node-audit-skip`."""


class BackupArgsDict(TypedDict, total=False):
    """Backups of etcd."""

    interval: Input[str]
    """Time between two backups, as a Go duration such as `1h`. Required."""


class ManifestArgsDict(TypedDict, total=False):
    """Kubernetes objects that Omni applies to the cluster. Give either `inline` or `file`."""

    name: Input[str]
    """Name of the manifest, unique in the cluster. Default with `file`: its path as written. Required with `inline`."""

    inline: Input[str | Mapping[str, Any] | Sequence[Input[Mapping[str, Any]]]]
    """The objects: a mapping, a list of mappings, or YAML text, which Omni gets unchanged."""

    file: str
    """Path of a file with the objects, relative to the program's folder. The program reads it when it runs."""

    weight: Input[int]
    """First number in the ID of the resource: Omni sorts groups of manifests by it. Default: from 200 on, by the place
    in the list. Under another number, it is another resource with the same objects, which stay in Kubernetes."""

    mode: Input[Literal["full", "one-time"]]
    """How Omni applies the objects. `full`: keeps them as they are written. `one-time`: creates them once. Required."""

    labels: Input[Mapping[str, Input[str]]]
    """Labels of the `KubernetesManifestGroup` resource in Omni."""

    annotations: Input[Mapping[str, Input[str]]]
    """Annotations of the `KubernetesManifestGroup` resource in Omni."""


class HealthCheckArgsDict(TypedDict, total=False):
    """A Kubernetes Job that must succeed before an upgrade continues. Give either `job` or `file`."""

    name: Input[str]
    """Name of the health check, unique in the cluster. Required without `id_override`."""

    id_override: Input[str]
    """Complete ID of the resource in Omni. Default: an ID made from the names of cluster and health check."""

    job: Input[str | Mapping[str, Any] | Sequence[Input[Mapping[str, Any]]]]
    """The Job: a mapping or YAML text, which Omni gets unchanged."""

    file: str
    """Path of a file with the Job, relative to the program's folder. The program reads it when it runs."""

    interval: Input[str]
    """Time between two attempts, as a Go duration of at least `5s`. Default: `30s`."""

    labels: Input[Mapping[str, Input[str]]]
    """Labels of the `KubernetesHealthCheck` resource in Omni."""

    annotations: Input[Mapping[str, Input[str]]]
    """Annotations of the `KubernetesHealthCheck` resource in Omni."""


class GitOpsSourceArgsDict(TypedDict, total=False):
    """What a GitOps engine deploys: a Git repository, or an OCI artifact."""

    url: Input[str]
    """URL of the repository (`https://…`) or the artifact (`oci://…`). Required."""

    revision: Input[str]
    """Branch of the repository, or tag of the artifact. Default: `main`, or `latest`."""

    path: Input[str]
    """Folder with the manifests. Default: the root."""

    username: Input[str]
    """User name for the repository or the registry. Only with `password`."""

    password: Input[str]
    """Password or token for the repository or the registry. It is a secret in Pulumi's state. In Omni it is in a
    manifest, and in Kubernetes in a `Secret`."""


class AddonArgsDict(TypedDict, total=False):
    """One add-on, where its name or `true` says too little."""

    name: Input[str]
    """Name of the add-on. Required where there is a choice."""

    version: Input[str]
    """Release to install, with or without `v`. Give at most one of `version`, `url`, `inline` and `file`. Default: the
    installed release, or else the one that this package names."""

    url: Input[str]
    """URL of a Kubernetes manifest to install instead of the add-on's own. It is fetched once."""

    inline: Input[str | Mapping[str, Any] | Sequence[Input[Mapping[str, Any]]]]
    """Kubernetes objects to install instead of the add-on's own: a mapping, a list of mappings, or YAML text."""

    file: str
    """Path of a file with such objects, relative to the program's folder. The program reads it when it runs."""

    source: Input[GitOpsSourceArgs | GitOpsSourceArgsDict]
    """What the GitOps engine deploys. Only for `flux` and `argocd`."""


class AddonsArgsDict(TypedDict, total=False):
    """Add-ons of a cluster. Only the network plugin is installed by default."""

    cni: Input[Literal["flannel", "none", "cilium", "calico"] | AddonArgs | AddonArgsDict]
    """Network plugin: `flannel` (comes with Talos), `none`, `cilium` or `calico`. It cannot be changed once the cluster
    is bootstrapped. Default: `flannel`."""

    metrics_server: Input[bool | AddonArgs | AddonArgsDict]
    """metrics-server, which measures what pods and nodes use. Kubelets then get certificates that it can verify."""

    cert_manager: Input[bool | AddonArgs | AddonArgsDict]
    """cert-manager, which issues certificates."""

    policy_engine: Input[Literal["kyverno", "gatekeeper"] | AddonArgs | AddonArgsDict]
    """Policy engine: `kyverno` or `gatekeeper`."""

    git_ops_engine: Input[Literal["flux", "argocd"] | AddonArgs | AddonArgsDict]
    """GitOps engine: `flux` or `argocd`."""

    csi: Input[Literal["local-path"] | AddonArgs | AddonArgsDict]
    """Storage for pods: `local-path`, on the disk of the node."""


class KubeconfigArgsDict(TypedDict, total=False):
    """The kubeconfig that the cluster outputs, and the context that `up` keeps in a kubeconfig file."""

    form: Input[Literal["token", "exec"]]
    """What the kubeconfig contains. `token`: a token, which expires. `exec`: a call of `ksail-pulumi token`, which
    requests a token for each use; it never expires, and needs the command and the service account key where it is used.
    Default: `token`."""

    context: Input[str]
    """Name of a context that `up` keeps in a kubeconfig file, and `destroy` removes. Default with `file`: `admin@` and
    the name of the cluster."""

    file: Input[str]
    """Path of the kubeconfig file with the context, relative to the program's folder. Default with `context`: the file
    that kubectl uses: the one in `KUBECONFIG` that has the context, else the first existing one; or
    `~/.kube/config`."""

    user: Input[str]
    """Name of the user in Kubernetes. Default: `pulumi`."""

    groups: Input[Sequence[Input[str]]]
    """Kubernetes groups of the user. Default: `system:masters`."""

    ttl: Input[str]
    """How long a token is valid, as a Go duration of at most ten years. Default: `720h`; with `exec`: `1h`."""

    renew_before: Input[str]
    """How long before it expires an `up` renews it, as a Go duration; not with `exec`. Default: a quarter of `ttl`, at
    most a week."""


class OnUpdateArgsDict(TypedDict, total=False):
    """What happens to what leaves the cluster in an update."""

    disconnected_machines: Input[Literal["wait", "fail", "remove"]]
    """What to do about leaving machines that Omni cannot reach and therefore cannot wipe. `fail`: list them and change
    nothing. `wait`: wait for them. `remove`: remove them from Omni. Default: `fail`."""

    custom_resource_definitions: Input[Literal["keep", "delete"]]
    """What to do about the custom resource definitions and namespaces of an add-on that is removed. `keep`: they stay,
    with all objects of these kinds and in these namespaces. `delete`: all of that is deleted. Default: `keep`."""


class OnDeleteArgsDict(TypedDict, total=False):
    """What happens when the cluster is deleted."""

    disconnected_machines: Input[Literal["wait", "fail", "remove"]]
    """What to do about machines that Omni cannot reach and therefore cannot wipe. `fail`: list them and delete nothing.
    `wait`: wait for them. `remove`: remove them from Omni. Default: `fail`."""


class OmniClusterArgsDict(TypedDict, total=False):
    """The inputs of an `OmniCluster`."""

    name: Input[str]
    """Name of the cluster in Omni. A change replaces the cluster. Default: the name that the resource has when the
    cluster is created."""

    endpoint: Input[str]
    """URL of the cluster's Omni. A change to another Omni replaces the cluster. Default: the Omni of the stack."""

    service_account_key_env_var: Input[str]
    """Name of the environment variable with the service account key for the cluster's Omni. Default: the key of the
    stack."""

    kubernetes_version: Input[str]
    """Kubernetes version, with or without `v`. Default: the newest that Omni supports, chosen when the cluster is
    created and kept."""

    talos_version: Input[str]
    """Talos version, with or without `v`. Default: the newest that Omni supports, chosen when the cluster is created
    and kept."""

    control_plane: Input[int | ControlPlaneArgs | ControlPlaneArgsDict]
    """Machines of the control plane: a number of free machines, or a machine set. Default: one machine."""

    workers: Input[int | Sequence[Input[WorkersArgs | WorkersArgsDict]]]
    """Machines that run workloads: a number of free machines, or a list of machine sets. Default: none."""

    machines: Input[Mapping[str, Input[MachineArgs | MachineArgsDict]]]
    """Settings of single machines, by machine ID. The case of letters in a machine ID does not matter."""

    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]]
    """Talos patches for all machines of the cluster."""

    system_extensions: Input[Sequence[Input[str]]]
    """Talos system extensions of all machines. Default: as Omni decides. An empty list: none."""

    kernel_args: Input[Sequence[Input[str]]]
    """Kernel arguments of all machines. An empty list: none."""

    features: Input[FeaturesArgs | FeaturesArgsDict]
    """Optional features of the cluster."""

    backup: Input[BackupArgs | BackupArgsDict]
    """Backups of etcd. Default: none."""

    manifests: Input[Sequence[Input[ManifestArgs | ManifestArgsDict]]]
    """Kubernetes objects that Omni applies to the cluster, in this order."""

    health_checks: Input[Sequence[Input[HealthCheckArgs | HealthCheckArgsDict]]]
    """Kubernetes Jobs that must succeed before an upgrade continues."""

    addons: Input[AddonsArgs | AddonsArgsDict]
    """Add-ons of the cluster: network plugin, metrics-server and others."""

    components: Input[AddonsArgs | AddonsArgsDict]
    """Deprecated: the former name of `addons`."""

    labels: Input[Mapping[str, Input[str]]]
    """Labels of the `Cluster` resource in Omni."""

    annotations: Input[Mapping[str, Input[str]]]
    """Annotations of the `Cluster` resource in Omni."""

    locked: Input[bool]
    """True locks the cluster against changes, false unlocks it. Default: as it is."""

    kubeconfig: Input[KubeconfigArgs | KubeconfigArgsDict]
    """Settings of the kubeconfig that the cluster outputs."""

    talosconfig: Input[bool]
    """Whether the cluster outputs a talosconfig. Default: true."""

    wait_for: Input[Literal["ready", "running", "none"]]
    """What `up` waits for. `ready`: all nodes are ready. `running`: all machines run with their configuration; for a
    network plugin that is installed later. `none`: nothing. Default: `ready`."""

    backup_before: Input[Sequence[Input[Literal["upgrade", "delete"]]]]
    """Before what a backup of etcd is taken. `upgrade`: before an update that changes the Talos or Kubernetes version.
    `delete`: before the cluster is deleted. If the backup fails, nothing is changed. Default: none."""

    on_upgrade_failure: Input[Literal["keep", "revert"]]
    """What happens when a Talos or Kubernetes upgrade does not finish in time, or fails. `keep`: it stays as far as it
    got. `revert`: Omni goes back to the former versions. `up` fails in both cases. Default: `keep`."""

    on_update: Input[OnUpdateArgs | OnUpdateArgsDict]
    """What happens when machines leave the cluster in an update."""

    on_delete: Input[OnDeleteArgs | OnDeleteArgsDict]
    """What happens when the cluster is deleted."""

    ownership: Input[Literal["additive", "exclusive"]]
    """What the resource removes from the cluster. `additive`: only what it created. `exclusive`: everything that is not
    in the inputs. Default: `additive`."""
