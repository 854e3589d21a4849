"""Kubernetes objects that Omni applies to a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.model.cluster import Manifest
from ksail_pulumi.model.patches import inline_of, patch_text
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.plan.parts.live import as_found, metadata_of
from ksail_pulumi.plan.parts.part import Part
from ksail_pulumi.plan.scopes import Scope, unnumbered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.parts.asked import Asked
    from ksail_pulumi.plan.parts.live import Draft, Live
    from ksail_pulumi.plan.parts.part import Change, Outlook

_SCOPE = Scope(omni.LABEL_CLUSTER)
_MODES = specs_pb2.KubernetesManifestGroupSpec


def desired(asked: Asked) -> Iterator[Resource]:
    for index, manifest in enumerate(asked.spec.manifests or ()):
        mode = _MODES.ONE_TIME if manifest.mode == "one-time" else _MODES.FULL
        yield asked.resource(
            omni.KUBERNETES_MANIFEST_GROUP,
            f"{_SCOPE.weight + index:03d}-{_SCOPE.infix(asked.spec.name)}-{manifest.name}",
            specs_pb2.KubernetesManifestGroupSpec(data=patch_text(manifest.inline), mode=mode),
            {**(manifest.labels or {}), **asked.label},
            {omni.ANNOTATION_NAME: manifest.name or "", **(manifest.annotations or {})},
        )


def has_input(current: Resource) -> bool:
    """Whether an input can stand for a live resource: its ID must be one that is made of a name."""
    name = current.annotations.get(omni.ANNOTATION_NAME, "")
    return unnumbered(current.id) == f"{_SCOPE.infix(current.cluster)}-{name}"


def observe(live: Live, draft: Draft) -> None:
    found = []
    for each in live.of(omni.KUBERNETES_MANIFEST_GROUP):
        name = each.annotations.get(omni.ANNOTATION_NAME, "")
        if has_input(each):
            mode = "one-time" if each.spec.mode == _MODES.ONE_TIME else "full"
            found.append(
                as_found(Manifest, name=name, inline=inline_of(each.spec.data), mode=mode, **metadata_of(each))
            )
    if found:
        draft.cluster["manifests"] = tuple(found)


def describe(change: Change, _: Outlook) -> str:
    return f"{change.verb} manifest {change.resource.id}" + (f" to {change.new_id}" if change.new_id else "")


PART = Part(
    type=omni.KUBERNETES_MANIFEST_GROUP,
    nouns=("manifest", "manifests"),
    desired=desired,
    observe=observe,
    describe=describe,
    late=True,
    numbered=True,
    adjacent=True,
)
