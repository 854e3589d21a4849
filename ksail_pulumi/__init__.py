"""Talos Kubernetes clusters on Sidero Omni as Pulumi resources.

Names are loaded when they are first used: the command line does without Pulumi, and a program without the rest.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ksail_pulumi.errors import KsailPulumiError
    from ksail_pulumi.provider.cluster import OmniCluster
    from ksail_pulumi.provider.inputs import (
        BackupArgs,
        BackupArgsDict,
        BootstrapSpecArgs,
        BootstrapSpecArgsDict,
        ComponentArgs,
        ComponentArgsDict,
        ComponentsArgs,
        ComponentsArgsDict,
        ControlPlaneArgs,
        ControlPlaneArgsDict,
        FeaturesArgs,
        FeaturesArgsDict,
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
        OmniClusterArgs,
        OmniClusterArgsDict,
        OnDeleteArgs,
        OnDeleteArgsDict,
        PatchArgs,
        PatchArgsDict,
        RollingArgs,
        RollingArgsDict,
        StrategyArgs,
        StrategyArgsDict,
        WorkersArgs,
        WorkersArgsDict,
    )

__all__ = [
    "BackupArgs",
    "BackupArgsDict",
    "BootstrapSpecArgs",
    "BootstrapSpecArgsDict",
    "ComponentArgs",
    "ComponentArgsDict",
    "ComponentsArgs",
    "ComponentsArgsDict",
    "ControlPlaneArgs",
    "ControlPlaneArgsDict",
    "FeaturesArgs",
    "FeaturesArgsDict",
    "HealthCheckArgs",
    "HealthCheckArgsDict",
    "InstallArgs",
    "InstallArgsDict",
    "KsailPulumiError",
    "KubeconfigArgs",
    "KubeconfigArgsDict",
    "MachineArgs",
    "MachineArgsDict",
    "MachineClassArgs",
    "MachineClassArgsDict",
    "ManifestArgs",
    "ManifestArgsDict",
    "OmniCluster",
    "OmniClusterArgs",
    "OmniClusterArgsDict",
    "OnDeleteArgs",
    "OnDeleteArgsDict",
    "PatchArgs",
    "PatchArgsDict",
    "RollingArgs",
    "RollingArgsDict",
    "StrategyArgs",
    "StrategyArgsDict",
    "WorkersArgs",
    "WorkersArgsDict",
]

_ELSEWHERE = {"KsailPulumiError": "ksail_pulumi.errors", "OmniCluster": "ksail_pulumi.provider.cluster"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_ELSEWHERE.get(name, "ksail_pulumi.provider.inputs")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
