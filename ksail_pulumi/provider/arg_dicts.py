"""The classes of `ksail_pulumi.provider.args` as dictionaries, for those who like to write them so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from pulumi import Input

if TYPE_CHECKING:
    from ksail_pulumi.provider.args import (
        BackupArgs,
        BootstrapSpecArgs,
        ComponentArgs,
        ComponentsArgs,
        ControlPlaneArgs,
        FeaturesArgs,
        HealthCheckArgs,
        InstallArgs,
        KubeconfigArgs,
        MachineArgs,
        MachineClassArgs,
        ManifestArgs,
        OnDeleteArgs,
        PatchArgs,
        RollingArgs,
        StrategyArgs,
        WorkersArgs,
    )


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
