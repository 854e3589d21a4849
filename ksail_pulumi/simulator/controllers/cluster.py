"""Deletion of a cluster: workers first, then control planes, then everything that belongs to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_CONFIG_VERSION,
    CLUSTER_DESTROY_STATUS,
    CLUSTER_ENDPOINT,
    CLUSTER_KUBERNETES_MANIFESTS_STATUS,
    CLUSTER_MACHINE_STATUS,
    CLUSTER_STATUS,
    CLUSTER_UUID,
    KUBERNETES_STATUS,
    KUBERNETES_UPGRADE_STATUS,
    LABEL_CLUSTER,
    LABEL_CONTROL_PLANE,
    LOAD_BALANCER_STATUS,
    MACHINE_SET,
    TALOS_UPGRADE_STATUS,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator.controllers.destroy import CLUSTER_CHILDREN
from ksail_pulumi.simulator.controllers.engine import Controller, Keys, Runtime, its_cluster, own_id

Step = Callable[[Runtime, str], bool]
"""Does the work that must end before a finalizer is removed; returns whether it has ended."""


def _at_once(runtime: Runtime, cluster: str) -> bool:  # noqa: ARG001
    return True


def _without(resource_type: ResourceType) -> Step:
    return lambda runtime, cluster: runtime.dispose(resource_type, cluster)


def _no_machine_sets(runtime: Runtime, cluster: str) -> bool:
    return not runtime.store.list(MACHINE_SET, {LABEL_CLUSTER: cluster})


def _no_kubernetes(runtime: Runtime, cluster: str) -> bool:
    status = runtime.find(KUBERNETES_STATUS, cluster)
    if status is not None:
        runtime.store.destroy(KUBERNETES_STATUS, cluster, owner=status.owner)
    return True


def _no_children(runtime: Runtime, cluster: str) -> bool:
    children = [
        child
        for resource_type in CLUSTER_CHILDREN
        for child in runtime.store.list(resource_type, {LABEL_CLUSTER: cluster})
        if not child.owner
    ]
    for child in children:
        runtime.tear_down(child.type, child.id)
    return not children


def _no_status(runtime: Runtime, cluster: str) -> bool:
    gone = runtime.dispose(CLUSTER_STATUS, cluster)
    balancer = runtime.find(LOAD_BALANCER_STATUS, cluster)
    if gone and balancer is not None:
        runtime.destroy(balancer)
    return gone


RELEASES: tuple[tuple[str, Step], ...] = (
    ("ClusterWorkloadProxyController", _at_once),
    ("ClusterConfigVersionController", _without(CLUSTER_CONFIG_VERSION)),
    ("KubernetesUpgradeStatusController", _without(KUBERNETES_UPGRADE_STATUS)),
    ("ClusterKubernetesManifestsStatusController", _without(CLUSTER_KUBERNETES_MANIFESTS_STATUS)),
    ("ClusterWorkloadProxyStatusController", _at_once),
    ("BackupDataController", _at_once),
    ("ClusterEndpointController", _without(CLUSTER_ENDPOINT)),
    ("TalosUpgradeStatusController", _without(TALOS_UPGRADE_STATUS)),
    ("SecretsController", _no_machine_sets),
    ("ClusterController", lambda runtime, cluster: _no_children(runtime, cluster) and _no_kubernetes(runtime, cluster)),
    ("ClusterUUIDController", _without(CLUSTER_UUID)),
    ("ClusterDestroyStatusController", _without(CLUSTER_DESTROY_STATUS)),
    ("ClusterStatusController", _no_status),
)
"""The finalizers of a cluster in order of removal, each with the work that must end first."""


class ClusterTeardown(Controller):
    """Removes the parts of a cluster that is being torn down."""

    def watches(self) -> Mapping[ResourceType, Keys]:
        parts = (
            CLUSTER,
            CLUSTER_CONFIG_VERSION,
            KUBERNETES_UPGRADE_STATUS,
            CLUSTER_KUBERNETES_MANIFESTS_STATUS,
            CLUSTER_ENDPOINT,
            TALOS_UPGRADE_STATUS,
            CLUSTER_UUID,
            CLUSTER_DESTROY_STATUS,
            CLUSTER_STATUS,
        )
        children = dict.fromkeys((MACHINE_SET, *CLUSTER_CHILDREN), its_cluster)
        return {**dict.fromkeys(parts, own_id), **children}

    def delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.finalizer

    def reconcile(self, key: str) -> None:
        cluster = self.runtime.find(CLUSTER, key)
        if cluster is None or not cluster.tearing_down:
            return
        self._tear_down_sets(key)
        for finalizer, over in RELEASES:
            if finalizer in cluster.finalizers:
                if over(self.runtime, key):
                    self.runtime.release(cluster, finalizer)
                return

    def _tear_down_sets(self, cluster: str) -> None:
        sets = self.runtime.store.list(MACHINE_SET, {LABEL_CLUSTER: cluster})
        workers = [item for item in sets if LABEL_CONTROL_PLANE not in item.labels]
        for item in workers or sets:
            self.runtime.tear_down(MACHINE_SET, item.id)


class ClusterDestroyStatus(Controller):
    """Writes ClusterDestroyStatuses."""

    def watches(self) -> Mapping[ResourceType, Keys]:
        return {CLUSTER: own_id, MACHINE_SET: its_cluster, CLUSTER_MACHINE_STATUS: its_cluster}

    def delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.destroy

    def reconcile(self, key: str) -> None:
        cluster = self.runtime.find(CLUSTER, key)
        if cluster is None or not cluster.tearing_down or "ClusterDestroyStatusController" not in cluster.finalizers:
            return
        current = self.runtime.find(CLUSTER_DESTROY_STATUS, key)
        if current is not None and current.tearing_down:
            return
        sets = len(self.runtime.store.list(MACHINE_SET, {LABEL_CLUSTER: key}))
        machines = len(self.runtime.store.list(CLUSTER_MACHINE_STATUS, {LABEL_CLUSTER: key}))
        phase = f"Destroying: {counted(sets, 'machine set')}, {counted(machines, 'machine')}"
        spec = specs_pb2.DestroyStatusSpec(phase=phase)
        owner = "ClusterDestroyStatusController"
        self.runtime.store.put(Resource(CLUSTER_DESTROY_STATUS, key, spec, owner=owner))


def counted(number: int, what: str) -> str:
    """A count with its noun, in singular or plural."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
