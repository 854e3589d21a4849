"""An index of patches and extensions by what they apply to, for simulators with thousands of machines."""

from __future__ import annotations

from ksail_pulumi.omni.resources import (
    CONFIG_PATCH,
    EXTENSIONS_CONFIGURATION,
    LABEL_CLUSTER,
    LABEL_CLUSTER_MACHINE,
    LABEL_MACHINE,
    LABEL_MACHINE_SET,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator.store import Event

Scope = tuple[str, str]
"""The label that names what a resource applies to, and its value."""


def scope_of(resource: Resource) -> Scope | None:
    """What a patch or an extensions list applies to: a machine before a machine set before a cluster."""
    for label in (LABEL_MACHINE, LABEL_CLUSTER_MACHINE, LABEL_MACHINE_SET, LABEL_CLUSTER):
        if label in resource.labels:
            return (label, resource.labels[label])
    return None


class Scopes:
    """The patches and extension lists that are not being torn down, by what they apply to."""

    def __init__(self) -> None:
        self._members: dict[tuple[str, Scope], dict[str, Resource]] = {}

    def take(self, event: Event) -> None:
        """Update the index from an event of the store."""
        if event.resource.type not in (CONFIG_PATCH, EXTENSIONS_CONFIGURATION):
            return
        if event.old is not None:
            self._forget(event.old)
        if event.kind == "destroyed" or event.resource.tearing_down:
            self._forget(event.resource)
        elif (scope := scope_of(event.resource)) is not None:
            self._members.setdefault((event.resource.type.name, scope), {})[event.resource.id] = event.resource

    def _forget(self, resource: Resource) -> None:
        scope = scope_of(resource)
        if scope is None:
            return
        members = self._members.get((resource.type.name, scope), {})
        members.pop(resource.id, None)
        if not members:
            self._members.pop((resource.type.name, scope), None)

    def of(self, resource_type: ResourceType, label: str, value: str) -> list[Resource]:
        """What applies to exactly this scope, ordered by ID."""
        members = self._members.get((resource_type.name, (label, value)), {})
        return [members[key] for key in sorted(members)]

    def layers(self, resource_type: ResourceType, cluster: str, machine_set: str, machine: str) -> list[list[Resource]]:
        """What applies to a machine of a cluster, the most general scope first, each scope ordered by ID."""
        scopes = (
            (LABEL_CLUSTER, cluster),
            (LABEL_MACHINE_SET, machine_set),
            (LABEL_CLUSTER_MACHINE, machine),
            (LABEL_MACHINE, machine),
        )
        found = (self._members.get((resource_type.name, scope), {}) for scope in scopes)
        return [[layer[key] for key in sorted(layer)] for layer in found]
