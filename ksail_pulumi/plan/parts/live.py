"""What the inputs of a live cluster are read from, and what they are read into."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ksail_pulumi.addons.groups import AddonsRead, read_addons
from ksail_pulumi.addons.marks import ANNOTATION_ADDON
from ksail_pulumi.model.base import Model
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.ownership import ANNOTATION_CREATION, ANNOTATION_OWNER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from ksail_pulumi.omni.resources import Resource, ResourceType
    from ksail_pulumi.plan.scopes import Scope

M = TypeVar("M", bound=Model)

_NO_INPUT = frozenset(
    {ANNOTATION_OWNER, ANNOTATION_CREATION, ANNOTATION_ADDON, omni.ANNOTATION_NAME, omni.ANNOTATION_DESCRIPTION}
)


@dataclass(frozen=True)
class Live:
    """The resources of a cluster in Omni.

    Attributes:
        cluster: The cluster's name.
        resources: What users made of it, and is not being torn down.
        addons: IDs of the patches that are read as add-ons; none: neither are groups of manifests.
        plain: Names of the groups that are not read as add-ons.
    """

    cluster: str
    resources: Sequence[Resource]
    addons: Collection[str]
    plain: Collection[str] = ()

    @cached_property
    def read_addons(self) -> AddonsRead:
        """The add-ons, and the resources that are read as such."""
        patches = [each for each in self.of(omni.CONFIG_PATCH) if each.id in self.addons]
        groups = self.of(omni.KUBERNETES_MANIFEST_GROUP) if self.addons else ()
        own = [each for each in groups if each.annotations.get(omni.ANNOTATION_NAME) not in self.plain]
        return read_addons(self.cluster, patches, own)

    def of(self, resource_type: ResourceType) -> Iterator[Resource]:
        """The resources of one type, by ID."""
        found = (each for each in self.resources if each.type == resource_type)
        return iter(sorted(found, key=lambda each: each.id))


@dataclass
class Draft:
    """The inputs of a cluster while they are read, under their names in Python.

    Attributes:
        cluster: Those of the cluster itself.
        sets: Those of machine sets, by ID, also of sets that do not exist.
        machines: Those of machines, by ID, also of machines that are in no set.
    """

    cluster: dict[str, Any] = field(default_factory=dict)
    sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    machines: dict[str, dict[str, Any]] = field(default_factory=dict)

    def at(self, scope: Scope) -> dict[str, Any]:
        """The inputs of a scope."""
        if scope.label == omni.LABEL_CLUSTER:
            return self.cluster
        return (self.sets if scope.label == omni.LABEL_MACHINE_SET else self.machines).setdefault(scope.target, {})


def as_found(model: type[M], **fields: Any) -> M:
    """A part of the inputs as Omni has it: nothing is validated, and a field that is None stays unset."""
    given = {name: value for name, value in fields.items() if value is not None}
    return cast("M", model.model_construct(**given))


def metadata_of(resource: Resource) -> dict[str, dict[str, str]]:
    """The labels and annotations that a user may have written: neither Omni's own nor ours."""
    entries = {"labels": _inputs(resource.labels), "annotations": _inputs(resource.annotations)}
    return {name: found for name, found in entries.items() if found}


def _inputs(entries: Mapping[str, str]) -> dict[str, str]:
    return {
        key: value for key, value in sorted(entries.items()) if not key.startswith(omni.PREFIX) and key not in _NO_INPUT
    }
