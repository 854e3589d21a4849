"""What users may rely on: the names of the package, and how light it is to import."""

import subprocess
import sys

import pytest

import ksail_pulumi

NAMES = [
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
]


def test_the_public_names_are_these():
    assert ksail_pulumi.__all__ == NAMES
    assert {name for name in NAMES if name in dir(ksail_pulumi)} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_can_be_had(name):
    assert getattr(ksail_pulumi, name).__name__ == name


@pytest.mark.parametrize(("former", "name"), [("Component", "Addon"), ("Components", "Addons")])
@pytest.mark.parametrize("suffix", ["Args", "ArgsDict"])
def test_a_former_name_is_the_same_class_with_a_warning(former, name, suffix):
    with pytest.warns(DeprecationWarning, match=f"^{former}{suffix} is deprecated: use {name}{suffix}$") as warned:
        found = getattr(ksail_pulumi, former + suffix)
    assert found is getattr(ksail_pulumi, name + suffix)
    assert warned[0].filename == __file__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Omnicluster'"):
        _ = ksail_pulumi.Omnicluster


def modules_after(program):
    command = [sys.executable, "-c", f"{program}\nimport sys\nprint(*sys.modules)"]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def test_the_package_alone_loads_neither_pulumi_nor_grpc():
    loaded = modules_after("import ksail_pulumi")
    assert not loaded & {"pulumi", "grpc", "pydantic", "yaml"}


def test_a_program_that_declares_clusters_loads_no_pydantic_and_no_client():
    loaded = modules_after("from ksail_pulumi import OmniCluster")
    assert not loaded & {"pydantic", "ksail_pulumi.omni.client", "ksail_pulumi.plan", "ksail_pulumi.simulator"}


UNCHANGED = """
from ksail_pulumi.provider.cluster import OmniClusterProvider
inputs = {"name": "west", "workers": 2.0}
versions = {"kubernetesVersion": "1.36.3", "talosVersion": "1.13.8"}
outputs = {**inputs, **versions, "schema": 2, "ready": True, "phase": "RUNNING"}
assert OmniClusterProvider().check(inputs, inputs).failures == []
assert OmniClusterProvider().diff("west", outputs, inputs).changes is False
"""


def test_a_provider_process_without_changes_loads_no_pydantic_and_no_client():
    loaded = modules_after(UNCHANGED)
    omni = {"ksail_pulumi.omni.client", "ksail_pulumi.omni.channel", "ksail_pulumi.omni.resources"}
    assert not loaded & {"pydantic", "ksail_pulumi.plan", "ksail_pulumi.model.parse", *omni}
