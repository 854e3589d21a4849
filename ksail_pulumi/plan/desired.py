"""The resources that a cluster consists of in Omni: IDs, labels, order and YAML exactly as omnictl makes them.

The rules are those of omnictl's cluster templates (Omni's `client/pkg/template/internal/models`). The one difference is
the annotations: omnictl marks what it made as managed by templates, this package with an ownership mark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.machines import current_assignment
from ksail_pulumi.plan.versions import versions_of
from ksail_pulumi.spec.cluster import ControlPlane
from ksail_pulumi.spec.patches import patch_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ksail_pulumi.plan.machines import Assignment
    from ksail_pulumi.plan.versions import Versions
    from ksail_pulumi.spec.cluster import ClusterSpec, Machine, MachineSet, Patch

ANNOTATION_OWNER = "ksail-pulumi/owner"
MANAGER = "Pulumi"

# Omni applies the patches of one scope in the order of their IDs, hence these prefixes.
CLUSTER_WEIGHT = 200
SET_WEIGHT = 400
MACHINE_WEIGHT = 400


@dataclass(frozen=True)
class OwnershipMark:
    """Which Pulumi resource a resource in Omni belongs to, written into its annotations.

    Attributes:
        owner: `organization/project/stack/resource`.
    """

    owner: str

    def annotations(self) -> dict[str, str]:
        """The annotations that make a resource ours; Omni's UI shows the first one."""
        return {omni.ANNOTATION_MANAGED_BY_GITOPS: MANAGER, ANNOTATION_OWNER: self.owner}

    def owns(self, resource: Resource) -> bool:
        return self.owner_of(resource) == self.owner

    @staticmethod
    def owner_of(resource: Resource) -> str | None:
        """The owner that stands in a resource's annotations, whoever it is; None if nobody marked it."""
        return resource.annotations.get(ANNOTATION_OWNER)


def patch_id(patch: Patch, index: int, weight: int, scope: str) -> str:
    """The ID of a patch's resource: the `index`-th of its scope, which is a cluster, a set or a machine."""
    return patch.id_override or f"{weight + index:03d}-{scope}-{patch_name(patch)}"


def patch_name(patch: Patch) -> str:
    """What a patch is called in Omni's UI."""
    return patch.name or patch.id_override or ""


def desired_resources(
    spec: ClusterSpec, versions: Versions, assignment: Assignment, mark: OwnershipMark
) -> list[Resource]:
    """Everything that should exist in Omni for a cluster, in omnictl's order.

    Args:
        spec: What the user asks for.
        versions: The versions it gets.
        assignment: The machines of every set that is not left to a class.
        mark: Whose the resources are.
    """
    return list(_Translator(spec, versions, assignment, mark).resources())


def previous_resources(old: ClusterSpec, actual: Sequence[Resource], mark: OwnershipMark) -> list[Resource]:
    """What the inputs before made of the cluster as it is now: the `previous` of a diff.

    It has the machines that the cluster has, so that what was set on them by these inputs can be told from what others
    set. Empty without the cluster's own resource.
    """
    cluster = next((each for each in actual if each.type.name == omni.CLUSTER.name), None)
    if cluster is None:
        return []
    return desired_resources(old, versions_of(cluster), current_assignment(old.name, actual), mark)


@dataclass(frozen=True)
class _Translator:
    spec: ClusterSpec
    versions: Versions
    assignment: Assignment
    mark: OwnershipMark

    def resources(self) -> Iterator[Resource]:
        cluster = self.spec.name
        yield self._cluster()
        yield from self._patches(self.spec.patches, CLUSTER_WEIGHT, f"cluster-{cluster}", {})
        for machine_set in self.spec.machine_sets:
            yield from self._machine_set(machine_set)
        for machine_id, machine in self.spec.machines.items():
            if self.assignment.set_of(machine_id) is not None:
                target = {omni.LABEL_CLUSTER_MACHINE: machine_id}
                yield from self._patches(machine.patches, MACHINE_WEIGHT, f"cm-{machine_id}", target)

    def _resource(
        self,
        resource_type: omni.ResourceType,
        resource_id: str,
        message: object,
        labels: Mapping[str, str],
        annotations: Mapping[str, str] | None = None,
    ) -> Resource:
        return Resource(
            resource_type, resource_id, message, dict(labels), {**(annotations or {}), **self.mark.annotations()}
        )

    def _cluster(self) -> Resource:
        message = specs_pb2.ClusterSpec(
            talos_version=self.versions.talos,
            kubernetes_version=self.versions.kubernetes,
            features=specs_pb2.ClusterSpec.Features(),
        )
        return self._resource(omni.CLUSTER, self.spec.name, message, self.spec.labels or {}, self.spec.annotations)

    def _patches(
        self, patches: Sequence[Patch] | None, weight: int, scope: str, target: Mapping[str, str]
    ) -> Iterator[Resource]:
        for index, patch in enumerate(patches or ()):
            described = {omni.ANNOTATION_DESCRIPTION: patch.description} if patch.description else {}
            yield self._resource(
                omni.CONFIG_PATCH,
                patch_id(patch, index, weight, scope),
                specs_pb2.ConfigPatchSpec(data=patch_text(patch.inline)),
                {**(patch.labels or {}), omni.LABEL_CLUSTER: self.spec.name, **target},
                {omni.ANNOTATION_NAME: patch_name(patch), **described, **(patch.annotations or {})},
            )

    def _machine_set(self, machine_set: MachineSet) -> Iterator[Resource]:
        set_id = machine_set.id(self.spec.name)
        role = omni.LABEL_CONTROL_PLANE if isinstance(machine_set, ControlPlane) else omni.LABEL_WORKER
        labels = {omni.LABEL_CLUSTER: self.spec.name, role: ""}
        yield self._resource(
            omni.MACHINE_SET,
            set_id,
            _machine_set_spec(machine_set),
            {**(machine_set.labels or {}), **labels},
            machine_set.annotations,
        )
        for machine_id in self.assignment.sets.get(set_id, ()):
            machine = self.spec.machines.get(machine_id)
            yield self._node(machine_id, machine, {**labels, omni.LABEL_MACHINE_SET: set_id})
        target = {omni.LABEL_MACHINE_SET: set_id}
        yield from self._patches(machine_set.patches, SET_WEIGHT, set_id, target)

    def _node(self, machine_id: str, machine: Machine | None, labels: Mapping[str, str]) -> Resource:
        own_labels = (machine.labels if machine else None) or {}
        annotations = (machine.annotations if machine else None) or {}
        return self._resource(
            omni.MACHINE_SET_NODE, machine_id, specs_pb2.MachineSetNodeSpec(), {**own_labels, **labels}, annotations
        )


def _machine_set_spec(machine_set: MachineSet) -> specs_pb2.MachineSetSpec:
    message = specs_pb2.MachineSetSpec(update_strategy=specs_pb2.MachineSetSpec.Rolling)
    if machine_set.machine_class:
        allocation = specs_pb2.MachineSetSpec.MachineAllocation
        unlimited = machine_set.machine_class.size == "unlimited"
        message.machine_allocation.name = machine_set.machine_class.name
        message.machine_allocation.allocation_type = allocation.Unlimited if unlimited else allocation.Static
        if not unlimited:
            message.machine_allocation.machine_count = int(machine_set.machine_class.size)
    return message
