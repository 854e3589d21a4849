"""What the resources of a cluster are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.scopes import scopes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ksail_pulumi.addons.groups import AddonGroup
    from ksail_pulumi.addons.patches import AddonPatch
    from ksail_pulumi.model.cluster import ClusterSpec, Machine, MachineSet
    from ksail_pulumi.model.versions import Versions
    from ksail_pulumi.omni.resources import ResourceType
    from ksail_pulumi.plan.machines import Assignment
    from ksail_pulumi.plan.ownership import OwnershipMark
    from ksail_pulumi.plan.scopes import Scope


@dataclass(frozen=True)
class Asked:
    """What is asked for, with everything filled in that the inputs leave open.

    Attributes:
        spec: What the user asks for.
        versions: The versions that the cluster gets.
        assignment: The machines of every set that is not left to a class.
        mark: Whose the resources are.
        api_version: Omni's own (`SysVersion`).
        bootstrapped: Whether the cluster has etcd already.
        addons: The patches of its add-ons.
        groups: The groups of manifests of its add-ons.
    """

    spec: ClusterSpec
    versions: Versions
    assignment: Assignment
    mark: OwnershipMark
    api_version: int
    bootstrapped: bool
    addons: Sequence[AddonPatch]
    groups: Sequence[AddonGroup] = ()

    @property
    def label(self) -> dict[str, str]:
        """The label of everything that belongs to the cluster."""
        return {omni.LABEL_CLUSTER: self.spec.name}

    @property
    def machine_sets(self) -> Iterator[tuple[str, MachineSet]]:
        """The machine sets, each with its ID."""
        return ((each.id(self.spec.name), each) for each in self.spec.machine_sets)

    @property
    def machines(self) -> dict[str, Machine]:
        """What the inputs say about machines, for those that are in a set."""
        sets = {set_id for set_id, _ in self.machine_sets}
        return {
            machine: described
            for machine, described in self.spec.machines.items()
            if self.assignment.set_of(machine) in sets
        }

    def scopes(self) -> Iterator[tuple[Scope, ClusterSpec | MachineSet | Machine]]:
        """The scopes that have resources: a machine only if it is in a set."""
        machines = self.machines
        for scope, described in scopes(self.spec):
            if scope.label != omni.LABEL_CLUSTER_MACHINE or scope.target in machines:
                yield scope, described

    def resource(
        self,
        resource_type: ResourceType,
        resource_id: str,
        message: object,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Resource:
        """A resource with the ownership mark."""
        unmarked = Resource(resource_type, resource_id, message, dict(labels or {}), dict(annotations or {}))
        return owned(self.mark, unmarked)


def owned(mark: OwnershipMark, resource: Resource) -> Resource:
    """A resource with an ownership mark."""
    return replace(resource, annotations={**resource.annotations, **mark.annotations()})
