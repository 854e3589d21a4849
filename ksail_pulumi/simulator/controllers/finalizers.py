"""The finalizers that Omni's controllers put on resources right after they are created.

Each one is a separate update: a new Cluster gets fourteen versions in its first 0.2 seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_MACHINE,
    CLUSTER_MACHINE_STATUS,
    CLUSTER_STATUS,
    CLUSTER_UUID,
    EXTENSIONS_CONFIGURATION,
    LABEL_CONTROL_PLANE,
    MACHINE_SET,
    MACHINE_SET_NODE,
    MACHINE_SET_STATUS,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator.controllers.engine import Controller, Keys
from ksail_pulumi.simulator.store import Event

FINALIZERS: Mapping[ResourceType, tuple[str, ...]] = {
    CLUSTER: (
        "BackupDataController",
        "ClusterWorkloadProxyStatusController",
        "ClusterController",
        "ClusterDestroyStatusController",
        "ClusterUUIDController",
        "SecretsController",
        "ClusterConfigVersionController",
        "KubernetesUpgradeStatusController",
        "ClusterEndpointController",
        "ClusterKubernetesManifestsStatusController",
        "TalosUpgradeStatusController",
        "ClusterStatusController",
        "ClusterWorkloadProxyController",
    ),
    MACHINE_SET: (
        "MachineSetStatusController",
        "MachineProvisionController",
        "MachineSetDestroyStatusController",
        "MachineSetController",
        "ControlPlaneStatusController",
    ),
    CLUSTER_MACHINE: (
        "ClusterMachineStatusController",
        "ClusterMachineConfigPatchesController",
        "ClusterMachineController",
        "ClusterMachineEncryptionKeyController",
        "ClusterMachineConfigController",
        "ClusterMachineTeardownController",
    ),
    MACHINE_SET_NODE: ("MachineSetStatusController",),
    CLUSTER_STATUS: ("ClusterBootstrapStatusController", "DiscoveryServiceConfigPatchController"),
    CLUSTER_MACHINE_STATUS: ("ClusterWorkloadProxyStatusController", "SecretRotationStatusController"),
    CLUSTER_UUID: (
        "ClusterKubernetesNodesController",
        "ClusterDiagnosticsController",
        "EtcdBackupEncryptionController",
    ),
    MACHINE_SET_STATUS: ("ClusterStatusController",),
    EXTENSIONS_CONFIGURATION: ("MachineExtensionsController",),
}
CONTROL_PLANE_FINALIZERS = ("MachineSetEtcdAuditController", "ClusterBootstrapStatusController")
"""Additional finalizers of a control plane machine set."""


def finalizers_of(resource: Resource) -> tuple[str, ...]:
    """The finalizers of a resource, in the order in which they are added."""
    wanted = FINALIZERS[resource.type]
    if resource.type == MACHINE_SET and LABEL_CONTROL_PLANE in resource.labels:
        return (*wanted, *CONTROL_PLANE_FINALIZERS)
    return wanted


class Finalizers(Controller):
    """Adds the finalizers, one after the other."""

    def watches(self) -> Mapping[ResourceType, Keys]:
        return dict.fromkeys(FINALIZERS, _name)

    def delay(self, key: str) -> float:
        return self.runtime.timings.node if key.startswith(MACHINE_SET_NODE.name) else self.runtime.timings.finalizer

    def reconcile(self, key: str) -> None:
        type_name, _, resource_id = key.partition("/")
        resource = self.runtime.find(_TYPES[type_name], resource_id)
        if resource is None or resource.tearing_down:
            return
        for holder in finalizers_of(resource):
            if holder not in resource.finalizers:
                self.runtime.hold(resource, holder)
                return


_TYPES = {resource_type.name: resource_type for resource_type in FINALIZERS}


def _name(event: Event) -> Iterable[str]:
    if event.kind == "destroyed" or event.resource.tearing_down:
        return ()
    if all(holder in event.resource.finalizers for holder in finalizers_of(event.resource)):
        return ()
    return (f"{event.resource.type.name}/{event.resource.id}",)
