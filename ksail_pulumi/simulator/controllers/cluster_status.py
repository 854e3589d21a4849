"""ClusterStatuses: sums over the machine sets of a cluster."""

from __future__ import annotations

from collections.abc import Mapping

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_CONFIG_VERSION,
    CLUSTER_STATUS,
    CONTROL_PLANE_STATUS,
    LABEL_CLUSTER,
    LOAD_BALANCER_STATUS,
    MACHINE_SET,
    MACHINE_SET_STATUS,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator.controllers import machine_set_status as sets
from ksail_pulumi.simulator.controllers.engine import Controller, Keys, its_cluster, own_id
from ksail_pulumi.simulator.controllers.machine_set import is_control_plane

UNKNOWN, SCALING_UP, SCALING_DOWN, RUNNING, DESTROYING = 0, 1, 2, 3, 4
"""Phases of a cluster, numbered as in ClusterStatus."""


class ClusterStatus(Controller):
    """Writes ClusterStatuses.

    Their versions are those that the Cluster asks for; they say nothing about what runs.
    """

    def watches(self) -> Mapping[ResourceType, Keys]:
        parts = dict.fromkeys((MACHINE_SET, MACHINE_SET_STATUS, CONTROL_PLANE_STATUS), its_cluster)
        return {CLUSTER: own_id, LOAD_BALANCER_STATUS: own_id, CLUSTER_CONFIG_VERSION: own_id, **parts}

    def delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.cluster_status

    def reconcile(self, key: str) -> None:
        cluster = self.runtime.find(CLUSTER, key)
        initial = self.runtime.find(CLUSTER_CONFIG_VERSION, key)
        if cluster is None or "ClusterStatusController" not in cluster.finalizers:
            return
        current = self.runtime.find(CLUSTER_STATUS, key)
        if current is None and (cluster.tearing_down or initial is None):
            return
        if current is not None and current.tearing_down:
            return
        statuses = [
            status
            for status in self.runtime.store.list(MACHINE_SET_STATUS, {LABEL_CLUSTER: key})
            if status.spec.machines.total or status.spec.phase not in (sets.DESTROYING, sets.SCALING_DOWN)
        ]
        control_planes = [status for status in statuses if is_control_plane(status)]
        balancer = self.runtime.find(LOAD_BALANCER_STATUS, key)
        features = cluster.spec.features
        spec = specs_pb2.ClusterStatusSpec(
            available=any(status.spec.machines.total for status in control_planes),
            phase=self._phase(cluster, statuses),  # type: ignore[arg-type]
            kubernetesAPIReady=balancer is not None and balancer.spec.healthy,
            controlplaneReady=self._control_plane_ready(control_planes),
            has_connected_control_planes=any(status.spec.machines.connected for status in control_planes),
            use_embedded_discovery_service=features.use_embedded_discovery_service,
            disable_public_discovery_service=features.disable_public_discovery_service,
            talos_version=cluster.spec.talos_version,
            kubernetes_version=cluster.spec.kubernetes_version,
            initial_talos_version=initial.spec.version.removeprefix("v")
            if initial
            else current.spec.initial_talos_version,  # type: ignore[union-attr]
        )
        for status in statuses:
            for field in ("total", "healthy", "connected", "requested"):
                setattr(spec.machines, field, getattr(spec.machines, field) + getattr(status.spec.machines, field))
        spec.ready = spec.phase == RUNNING and bool(statuses) and all(status.spec.ready for status in statuses)
        annotations = {
            key: value for key, value in cluster.annotations.items() if key == "omni.sidero.dev/cluster-locked"
        }
        owner = "ClusterStatusController"
        self.runtime.store.put(Resource(CLUSTER_STATUS, key, spec, dict(cluster.labels), annotations, owner=owner))

    def _phase(self, cluster: Resource, statuses: list[Resource]) -> int:
        phases = {status.spec.phase for status in statuses}
        if cluster.tearing_down or (phases and phases == {sets.DESTROYING}):
            return DESTROYING
        if sets.SCALING_UP in phases:
            return SCALING_UP
        if phases & {sets.SCALING_DOWN, sets.DESTROYING}:
            return SCALING_DOWN
        return RUNNING if phases & {sets.RUNNING, sets.RECONFIGURING, sets.UPGRADING} else UNKNOWN

    def _control_plane_ready(self, control_planes: list[Resource]) -> bool:
        if not control_planes:
            return False
        for status in control_planes:
            conditions = self.runtime.find(CONTROL_PLANE_STATUS, status.id)
            if not status.spec.ready or conditions is None or conditions.tearing_down:
                return False
        return True
