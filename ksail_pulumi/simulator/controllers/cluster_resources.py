"""Resources that exist once per cluster, each made by its own controller."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_CONFIG_VERSION,
    CLUSTER_ENDPOINT,
    CLUSTER_MACHINE,
    CLUSTER_STATUS,
    CLUSTER_UUID,
    CONFIG_PATCH,
    LABEL_CLUSTER,
    LABEL_CLUSTER_UUID,
    LABEL_CONTROL_PLANE,
    LABEL_SYSTEM_PATCH,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator.controllers.engine import Controller, Keys, Runtime, its_cluster, own_id
from ksail_pulumi.simulator.machines import LINK_PREFIX

DISCOVERY_ENDPOINT = f"http://[{LINK_PREFIX}::1]:8093"
"""The address of Omni's own discovery service."""


@dataclass(frozen=True)
class ClusterResource:
    """A resource that exists once per cluster; its controller first puts a finalizer on the cluster."""

    owner: str
    type: ResourceType
    build: Callable[[Runtime, Resource], Resource]


def _uuid(runtime: Runtime, cluster: Resource) -> Resource:
    # Differs for each cluster, even with the same name, and is the same in every run with the same seed.
    value = str(uuid.UUID(int=runtime.random(cluster.id).getrandbits(128), version=4))
    spec = specs_pb2.ClusterUUID(uuid=value)
    return Resource(CLUSTER_UUID, cluster.id, spec, {LABEL_CLUSTER_UUID: value}, owner="ClusterUUIDController")


def _config_version(runtime: Runtime, cluster: Resource) -> Resource:  # noqa: ARG001
    spec = specs_pb2.ClusterConfigVersionSpec(version=f"v{cluster.spec.talos_version}")
    return Resource(CLUSTER_CONFIG_VERSION, cluster.id, spec, owner="ClusterConfigVersionController")


def endpoint(runtime: Runtime, cluster: Resource) -> Resource:
    """The ClusterEndpoint: the addresses of the control plane machines."""
    members = runtime.store.list(CLUSTER_MACHINE, {LABEL_CLUSTER: cluster.id, LABEL_CONTROL_PLANE: None})
    addresses = [runtime.machines[member.id].address for member in members if not member.tearing_down]
    spec = specs_pb2.ClusterEndpointSpec(management_addresses=addresses)
    return Resource(CLUSTER_ENDPOINT, cluster.id, spec, owner="ClusterEndpointController")


CLUSTER_RESOURCES = (
    ClusterResource("ClusterUUIDController", CLUSTER_UUID, _uuid),
    ClusterResource("ClusterConfigVersionController", CLUSTER_CONFIG_VERSION, _config_version),
    ClusterResource("ClusterEndpointController", CLUSTER_ENDPOINT, endpoint),
)


class ClusterResources(Controller):
    """Makes the resources of one type; ClusterTeardown deletes them."""

    def __init__(self, runtime: Runtime, kind: ClusterResource) -> None:
        super().__init__(runtime)
        self.kind = kind

    def watches(self) -> Mapping[ResourceType, Keys]:
        members = {CLUSTER_MACHINE: its_cluster} if self.kind.type == CLUSTER_ENDPOINT else {}
        return {CLUSTER: own_id, **members}

    def delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.cluster_resource

    def reconcile(self, key: str) -> None:
        cluster = self.runtime.find(CLUSTER, key)
        if cluster is None or cluster.tearing_down or self.kind.owner not in cluster.finalizers:
            return
        current = self.runtime.find(self.kind.type, key)
        if current is None or (self.kind.type == CLUSTER_ENDPOINT and not current.tearing_down):
            self.runtime.store.put(self.kind.build(self.runtime, cluster))


class DiscoveryPatch(Controller):
    """Writes the config patch that makes a cluster use Omni's discovery service, if the cluster asks for it."""

    def watches(self) -> Mapping[ResourceType, Keys]:
        return {CLUSTER_STATUS: own_id}

    def delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.cluster_resource

    def reconcile(self, key: str) -> None:
        status = self.runtime.find(CLUSTER_STATUS, key)
        patch = f"950-discovery-service-{key}"
        if status is None or status.tearing_down or not status.spec.use_embedded_discovery_service:
            self.runtime.dispose(CONFIG_PATCH, patch)
        elif (current := self.runtime.find(CONFIG_PATCH, patch)) is None or not current.tearing_down:
            labels = {LABEL_CLUSTER: key, LABEL_SYSTEM_PATCH: ""}
            spec = specs_pb2.ConfigPatchSpec(data=_DISCOVERY.format(DISCOVERY_ENDPOINT))
            owner = "DiscoveryServiceConfigPatchController"
            self.runtime.store.put(Resource(CONFIG_PATCH, patch, spec, labels, owner=owner))


_DISCOVERY = """\
cluster:
  discovery:
    registries:
      service:
        endpoint: {}
"""
