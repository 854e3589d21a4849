"""Omni destroys a resource of a user once it is torn down and has no finalizers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_MACHINE,
    CONFIG_PATCH,
    ETCD_MANUAL_BACKUP,
    EXTENSIONS_CONFIGURATION,
    KERNEL_ARGS,
    KUBERNETES_HEALTH_CHECK,
    KUBERNETES_MANIFEST_GROUP,
    LABEL_CLUSTER,
    LABEL_MACHINE_SET,
    MACHINE_CLASS,
    MACHINE_INSTALL_DISK_CONFIG,
    MACHINE_LABELS,
    MACHINE_SET,
    MACHINE_SET_NODE,
    NODE_FORCE_DESTROY_REQUEST,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator.controllers.engine import Controller, Keys
from ksail_pulumi.simulator.store import Event

USER_TYPES = (
    CLUSTER,
    MACHINE_SET,
    MACHINE_SET_NODE,
    CONFIG_PATCH,
    EXTENSIONS_CONFIGURATION,
    KERNEL_ARGS,
    KUBERNETES_MANIFEST_GROUP,
    KUBERNETES_HEALTH_CHECK,
    MACHINE_INSTALL_DISK_CONFIG,
    MACHINE_CLASS,
    MACHINE_LABELS,
    ETCD_MANUAL_BACKUP,
    NODE_FORCE_DESTROY_REQUEST,
)
CLUSTER_CHILDREN = (CONFIG_PATCH, EXTENSIONS_CONFIGURATION, KUBERNETES_MANIFEST_GROUP, KUBERNETES_HEALTH_CHECK)
"""Types that are deleted with their cluster, machine set or cluster machine."""
CHILDREN: Mapping[ResourceType, tuple[tuple[ResourceType, ...], str]] = {
    CLUSTER: ((MACHINE_SET, *CLUSTER_CHILDREN), LABEL_CLUSTER),
    MACHINE_SET: ((MACHINE_SET_NODE, CLUSTER_MACHINE), LABEL_MACHINE_SET),
}
"""Types whose resources must be gone before a resource, with the label that connects them."""


class Destroyer(Controller):
    """Destroys resources of users that are torn down and have no finalizers."""

    def watches(self) -> Mapping[ResourceType, Keys]:
        return dict.fromkeys(USER_TYPES, _finished)

    def delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.destroy

    def reconcile(self, key: str) -> None:
        type_name, _, resource_id = key.partition("/")
        resource = self.runtime.find(_TYPES[type_name], resource_id)
        if resource is None or not resource.tearing_down or resource.finalizers:
            return
        if self._has_children(resource):
            self.enqueue(key, self.runtime.timings.cluster_resource)
        else:
            self.runtime.destroy(resource)

    def _has_children(self, resource: Resource) -> bool:
        """Whether a dependent resource is left: it is if the teardown came before the first finalizer."""
        types, label = CHILDREN.get(resource.type, ((), ""))
        found = [child for child_type in types for child in self.runtime.store.list(child_type, {label: resource.id})]
        for child in found:
            if not child.owner:
                self.runtime.tear_down(child.type, child.id)
        return any(not child.owner or child.type == CLUSTER_MACHINE for child in found)


class ExtensionsFinalizer(Controller):
    """Removes the finalizer from extension lists that are torn down; they affect only the machines' next schematic."""

    def watches(self) -> Mapping[ResourceType, Keys]:
        return {EXTENSIONS_CONFIGURATION: lambda event: (event.resource.id,) if event.resource.tearing_down else ()}

    def delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.finalizer

    def reconcile(self, key: str) -> None:
        resource = self.runtime.find(EXTENSIONS_CONFIGURATION, key)
        if resource is not None and resource.tearing_down:
            self.runtime.release(resource, "MachineExtensionsController")


_TYPES = {resource_type.name: resource_type for resource_type in USER_TYPES}


def _finished(event: Event) -> Iterable[str]:
    resource = event.resource
    if event.kind == "destroyed" or not resource.tearing_down or resource.finalizers or resource.owner:
        return ()
    return (f"{event.resource.type.name}/{event.resource.id}",)
