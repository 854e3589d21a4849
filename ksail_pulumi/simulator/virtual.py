"""Virtual resources, made for each caller: current user, permissions, API address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import grpc

from ksail_pulumi.omni.api import specs_pb2, virtual_pb2
from ksail_pulumi.omni.resources import CLUSTER_UUID, CURRENT_USER, Resource, ResourceType
from ksail_pulumi.simulator.access import ADVERTISED_ENDPOINTS, CLUSTER_PERMISSIONS, KUBERNETES_USAGES, PERMISSIONS
from ksail_pulumi.simulator.store import Resources, Store, StoreError, not_found
from ksail_pulumi.simulator.verification import Identity

# The permissions that each role adds to those of the roles before it, as Omni's user interface uses them.
_BY_ROLE = {
    "Reader": (
        "can_read_clusters", "can_read_machines", "can_read_machine_logs", "can_read_machine_config_patches",
        "can_read_installation_media", "can_download_kubeconfig", "can_download_talosconfig",
        "can_read_config_patches", "can_read_kernel_args", "can_read_machine_pending_updates",
        "can_read_kubernetes_manifests", "can_read_machine_config",
    ),
    "Auditor": ("can_read_audit_log",),
    "Operator": (
        "can_create_clusters", "can_remove_machines", "can_manage_machine_config_patches",
        "can_access_maintenance_nodes", "can_read_join_tokens", "can_manage_join_tokens",
        "can_manage_installation_media", "can_add_machines", "can_reboot_machines", "can_update_kubernetes",
        "can_sync_kubernetes_manifests", "can_update_talos", "can_manage_config_patches",
        "can_manage_cluster_features", "can_download_support_bundle", "can_manage_machine_config",
        "can_manage_kernel_args",
    ),
    "Admin": ("can_manage_users", "can_manage_backup_store"),
}  # fmt: skip


Spec = TypeVar("Spec", virtual_pb2.PermissionsSpec, virtual_pb2.ClusterPermissionsSpec)


class Virtual:
    """Makes the virtual resources of one Omni."""

    def __init__(self, url: Callable[[], str], now: Callable[[], datetime], store: Store) -> None:
        self._url = url
        self._now = now
        self._store = store

    def get(self, identity: Identity, kind: ResourceType, resource_id: str) -> Resource:
        """Read one virtual resource.

        Raises:
            StoreError: `NOT_FOUND`, or `UNIMPLEMENTED` for a type that cannot be read. Cluster permissions exist
                for any name.
        """
        if kind == CLUSTER_PERMISSIONS:
            return self._resource(kind, resource_id, _allowed(virtual_pb2.ClusterPermissionsSpec(), identity))
        if kind == KUBERNETES_USAGES:
            if self._store.find(CLUSTER_UUID, resource_id) is None:
                prefix = "failed to resolve watch id: failed to get: "
                raise not_found(CLUSTER_UUID.name, CLUSTER_UUID.namespace, resource_id, prefix)
            return self._resource(kind, resource_id, specs_pb2.KubernetesUsageSpec())  # emulated machines use nothing
        for resource in self._all(identity, kind, "get"):
            if resource.id == resource_id:
                return resource
        raise not_found(kind.name, kind.namespace, resource_id)

    def list(self, identity: Identity, kind: ResourceType) -> Resources:
        """List the virtual resources of a type.

        Raises:
            StoreError: `UNIMPLEMENTED`: a type that cannot be listed.
        """
        return self._all(identity, kind, "list")

    def _all(self, identity: Identity, kind: ResourceType, verb: str) -> Resources:
        if kind == CURRENT_USER:
            spec = virtual_pb2.CurrentUserSpec(identity=identity.email, role=identity.role, user_id=identity.user_id)
            return [self._resource(kind, "current", spec)]
        if kind == PERMISSIONS:
            return [self._resource(kind, "permissions", _allowed(virtual_pb2.PermissionsSpec(), identity))]
        if kind == ADVERTISED_ENDPOINTS:
            spec_ = virtual_pb2.AdvertisedEndpointsSpec(grpc_api_url=self._url())
            return [self._resource(kind, "current", spec_)]
        text = f'unsupported resource type for {verb} "{kind.name}"'
        raise StoreError(grpc.StatusCode.UNIMPLEMENTED, text)

    def _resource(self, kind: ResourceType, resource_id: str, spec: object) -> Resource:
        now = self._now()
        return Resource(kind, resource_id, spec, version=1, created=now, updated=now)


def _allowed(spec: Spec, identity: Identity) -> Spec:
    for role, permissions in _BY_ROLE.items():
        for permission in permissions:
            if permission in spec.DESCRIPTOR.fields_by_name and identity.may(role):
                setattr(spec, permission, True)
    return spec
