"""The end of a cluster: workers first, then control planes, then all that was only there for them."""

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
from ksail_pulumi.simulator.controllers.engine import Controller, Keys, World, its_cluster, own_id

Step = Callable[[World, str], bool]
"""What must be over before a finalizer goes: does its part, and says whether it is."""


def _at_once(world: World, cluster: str) -> bool:  # noqa: ARG001
    return True


def _without(resource_type: ResourceType) -> Step:
    return lambda world, cluster: world.dispose(resource_type, cluster)


def _no_machine_sets(world: World, cluster: str) -> bool:
    return not world.store.list(MACHINE_SET, {LABEL_CLUSTER: cluster})


def _no_kubernetes(world: World, cluster: str) -> bool:
    status = world.find(KUBERNETES_STATUS, cluster)
    if status is not None:
        world.store.destroy(KUBERNETES_STATUS, cluster, owner=status.owner)
    return True


def _no_children(world: World, cluster: str) -> bool:
    children = [
        child
        for resource_type in CLUSTER_CHILDREN
        for child in world.store.list(resource_type, {LABEL_CLUSTER: cluster})
        if not child.owner
    ]
    for child in children:
        world.tear_down(child.type, child.id)
    return not children


def _no_status(world: World, cluster: str) -> bool:
    gone = world.dispose(CLUSTER_STATUS, cluster)
    balancer = world.find(LOAD_BALANCER_STATUS, cluster)
    if gone and balancer is not None:
        world.destroy(balancer)
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
    ("ClusterController", lambda world, cluster: _no_children(world, cluster) and _no_kubernetes(world, cluster)),
    ("ClusterUUIDController", _without(CLUSTER_UUID)),
    ("ClusterDestroyStatusController", _without(CLUSTER_DESTROY_STATUS)),
    ("ClusterStatusController", _no_status),
)
"""The finalizers of a cluster in the order in which they go, each with what must be over by then."""


class ClusterTeardown(Controller):
    """Takes a cluster apart once it is torn down."""

    def watches(self) -> Mapping[ResourceType, Keys]:
        """The cluster, and everything that it waits for."""
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

    def lag(self, key: str) -> float:  # noqa: ARG002
        """As quick as any finalizer."""
        return self.world.story.finalizer

    def reconcile(self, key: str) -> None:
        """Go one step further."""
        cluster = self.world.find(CLUSTER, key)
        if cluster is None or not cluster.tearing_down:
            return
        self._tear_down_sets(key)
        for finalizer, over in RELEASES:
            if finalizer in cluster.finalizers:
                if over(self.world, key):
                    self.world.release(cluster, finalizer)
                return

    def _tear_down_sets(self, cluster: str) -> None:
        sets = self.world.store.list(MACHINE_SET, {LABEL_CLUSTER: cluster})
        workers = [item for item in sets if LABEL_CONTROL_PLANE not in item.labels]
        for item in workers or sets:
            self.world.tear_down(MACHINE_SET, item.id)


class ClusterDestroyStatus(Controller):
    """Says how far the end of a cluster has come."""

    def watches(self) -> Mapping[ResourceType, Keys]:
        """What is counted."""
        return {CLUSTER: own_id, MACHINE_SET: its_cluster, CLUSTER_MACHINE_STATUS: its_cluster}

    def lag(self, key: str) -> float:  # noqa: ARG002
        """Quicker than the first finalizer."""
        return self.world.story.destroy

    def reconcile(self, key: str) -> None:
        """Count."""
        cluster = self.world.find(CLUSTER, key)
        if cluster is None or not cluster.tearing_down or "ClusterDestroyStatusController" not in cluster.finalizers:
            return
        current = self.world.find(CLUSTER_DESTROY_STATUS, key)
        if current is not None and current.tearing_down:
            return
        sets = len(self.world.store.list(MACHINE_SET, {LABEL_CLUSTER: key}))
        machines = len(self.world.store.list(CLUSTER_MACHINE_STATUS, {LABEL_CLUSTER: key}))
        phase = f"Destroying: {counted(sets, 'machine set')}, {counted(machines, 'machine')}"
        spec = specs_pb2.DestroyStatusSpec(phase=phase)
        owner = "ClusterDestroyStatusController"
        self.world.store.put(Resource(CLUSTER_DESTROY_STATUS, key, spec, owner=owner))


def counted(number: int, what: str) -> str:
    """A number of things in words."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
