"""Talos Kubernetes clusters on Sidero Omni as Pulumi resources.

Names are loaded when they are first used: the command line does without Pulumi, and a program without the rest.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ksail_pulumi.errors import ConfigFileError, InputError, KsailPulumiError, SettingsError
    from ksail_pulumi.lifecycle.outputs import ClusterNode
    from ksail_pulumi.lifecycle.queries import (
        ClusterInfo,
        ExtensionInfo,
        MachineClassInfo,
        MachineInfo,
        TalosVersionInfo,
        VersionsInfo,
    )
    from ksail_pulumi.provider.cluster import OmniCluster
    from ksail_pulumi.provider.component import KSailCluster
    from ksail_pulumi.provider.etcd_backup import EtcdBackup
    from ksail_pulumi.provider.functions import (
        get_cluster,
        get_cluster_output,
        get_extensions,
        get_extensions_output,
        get_machine_classes,
        get_machine_classes_output,
        get_versions,
        get_versions_output,
        list_clusters,
        list_clusters_output,
        list_machines,
        list_machines_output,
    )

    # make args: imports
    from ksail_pulumi.provider.inputs import (
        AddonArgs,
        AddonArgsDict,
        AddonsArgs,
        AddonsArgsDict,
        AutoProvisionArgs,
        AutoProvisionArgsDict,
        BackupArgs,
        BackupArgsDict,
        BootstrapSpecArgs,
        BootstrapSpecArgsDict,
        ControlPlaneArgs,
        ControlPlaneArgsDict,
        FeaturesArgs,
        FeaturesArgsDict,
        GitOpsSourceArgs,
        GitOpsSourceArgsDict,
        HealthCheckArgs,
        HealthCheckArgsDict,
        InstallArgs,
        InstallArgsDict,
        KubeconfigArgs,
        KubeconfigArgsDict,
        MachineArgs,
        MachineArgsDict,
        MachineClassArgs,
        MachineClassArgsDict,
        ManifestArgs,
        ManifestArgsDict,
        MetaValueArgs,
        MetaValueArgsDict,
        OmniClusterArgs,
        OmniClusterArgsDict,
        OnDeleteArgs,
        OnDeleteArgsDict,
        OnUpdateArgs,
        OnUpdateArgsDict,
        PatchArgs,
        PatchArgsDict,
        RollingArgs,
        RollingArgsDict,
        StrategyArgs,
        StrategyArgsDict,
        WorkersArgs,
        WorkersArgsDict,
    )

    # make args: imports
    from ksail_pulumi.provider.machine_class import MachineClass
    from ksail_pulumi.provider.machine_config import MachineConfig

    ComponentArgs, ComponentArgsDict = AddonArgs, AddonArgsDict
    ComponentsArgs, ComponentsArgsDict = AddonsArgs, AddonsArgsDict

__all__ = [
    # make args: names
    "AddonArgs",
    "AddonArgsDict",
    "AddonsArgs",
    "AddonsArgsDict",
    "AutoProvisionArgs",
    "AutoProvisionArgsDict",
    "BackupArgs",
    "BackupArgsDict",
    "BootstrapSpecArgs",
    "BootstrapSpecArgsDict",
    "ClusterInfo",
    "ClusterNode",
    "ConfigFileError",
    "ControlPlaneArgs",
    "ControlPlaneArgsDict",
    "EtcdBackup",
    "ExtensionInfo",
    "FeaturesArgs",
    "FeaturesArgsDict",
    "GitOpsSourceArgs",
    "GitOpsSourceArgsDict",
    "HealthCheckArgs",
    "HealthCheckArgsDict",
    "InputError",
    "InstallArgs",
    "InstallArgsDict",
    "KSailCluster",
    "KsailPulumiError",
    "KubeconfigArgs",
    "KubeconfigArgsDict",
    "MachineArgs",
    "MachineArgsDict",
    "MachineClass",
    "MachineClassArgs",
    "MachineClassArgsDict",
    "MachineClassInfo",
    "MachineConfig",
    "MachineInfo",
    "ManifestArgs",
    "ManifestArgsDict",
    "MetaValueArgs",
    "MetaValueArgsDict",
    "OmniCluster",
    "OmniClusterArgs",
    "OmniClusterArgsDict",
    "OnDeleteArgs",
    "OnDeleteArgsDict",
    "OnUpdateArgs",
    "OnUpdateArgsDict",
    "PatchArgs",
    "PatchArgsDict",
    "RollingArgs",
    "RollingArgsDict",
    "SettingsError",
    "StrategyArgs",
    "StrategyArgsDict",
    "TalosVersionInfo",
    "VersionsInfo",
    "WorkersArgs",
    "WorkersArgsDict",
    "get_cluster",
    "get_cluster_output",
    "get_extensions",
    "get_extensions_output",
    "get_machine_classes",
    "get_machine_classes_output",
    "get_versions",
    "get_versions_output",
    "list_clusters",
    "list_clusters_output",
    "list_machines",
    "list_machines_output",
    # make args: names
]

_ELSEWHERE = {
    "ClusterNode": "ksail_pulumi.lifecycle.outputs",
    "ConfigFileError": "ksail_pulumi.errors",
    "EtcdBackup": "ksail_pulumi.provider.etcd_backup",
    "InputError": "ksail_pulumi.errors",
    "KSailCluster": "ksail_pulumi.provider.component",
    "KsailPulumiError": "ksail_pulumi.errors",
    "MachineClass": "ksail_pulumi.provider.machine_class",
    "MachineConfig": "ksail_pulumi.provider.machine_config",
    "OmniCluster": "ksail_pulumi.provider.cluster",
    "SettingsError": "ksail_pulumi.errors",
}

_ELSEWHERE |= dict.fromkeys(
    ("ClusterInfo", "ExtensionInfo", "MachineClassInfo", "MachineInfo", "TalosVersionInfo", "VersionsInfo"),
    "ksail_pulumi.lifecycle.queries",
)
_ELSEWHERE |= dict.fromkeys(
    (
        "get_cluster",
        "get_cluster_output",
        "get_extensions",
        "get_extensions_output",
        "get_machine_classes",
        "get_machine_classes_output",
        "get_versions",
        "get_versions_output",
        "list_clusters",
        "list_clusters_output",
        "list_machines",
        "list_machines_output",
    ),
    "ksail_pulumi.provider.functions",
)

_DEPRECATED = {
    "ComponentArgs": "AddonArgs",
    "ComponentArgsDict": "AddonArgsDict",
    "ComponentsArgs": "AddonsArgs",
    "ComponentsArgsDict": "AddonsArgsDict",
}


def __getattr__(name: str) -> Any:
    if name in _DEPRECATED:
        warnings.warn(f"{name} is deprecated: use {_DEPRECATED[name]}", DeprecationWarning, stacklevel=2)
        return __getattr__(_DEPRECATED[name])
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_ELSEWHERE.get(name, "ksail_pulumi.provider.inputs")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
