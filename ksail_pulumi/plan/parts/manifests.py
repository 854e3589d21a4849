"""Kubernetes objects that Omni applies to a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.addons.marks import ANNOTATION_ADDON
from ksail_pulumi.addons.patches import is_addon
from ksail_pulumi.model.cluster import Manifest
from ksail_pulumi.model.patches import inline_of, patch_text
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.plan.parts.live import as_found, metadata_of
from ksail_pulumi.plan.parts.part import Part
from ksail_pulumi.plan.scopes import Scope, unnumbered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.parts.asked import Asked
    from ksail_pulumi.plan.parts.live import Draft, Live
    from ksail_pulumi.plan.parts.part import Change, Outlook

_SCOPE = Scope(omni.LABEL_CLUSTER)
_MODES = specs_pb2.KubernetesManifestGroupSpec


def desired(asked: Asked) -> Iterator[Resource]:
    for group in asked.groups:
        yield asked.resource(
            omni.KUBERNETES_MANIFEST_GROUP,
            group.id,
            specs_pb2.KubernetesManifestGroupSpec(data=group.text, mode=_MODES.FULL),
            asked.label,
            {omni.ANNOTATION_NAME: group.name, ANNOTATION_ADDON: group.annotation},
        )
    for index, manifest in enumerate(asked.spec.manifests or ()):
        mode = _MODES.ONE_TIME if manifest.mode == "one-time" else _MODES.FULL
        yield asked.resource(
            omni.KUBERNETES_MANIFEST_GROUP,
            manifest_id(manifest, index, asked.spec.name),
            specs_pb2.KubernetesManifestGroupSpec(data=patch_text(manifest.inline), mode=mode),
            {**(manifest.labels or {}), **asked.label},
            {omni.ANNOTATION_NAME: manifest.name or "", **(manifest.annotations or {})},
        )


def manifest_id(manifest: Manifest, index: int, cluster: str) -> str:
    """The ID of a manifest at a place of the list."""
    number = _SCOPE.weight + index if manifest.weight is None else manifest.weight
    return f"{number:03d}-{_SCOPE.infix(cluster)}-{manifest.name}"


def weighted_ids(spec: ClusterSpec) -> set[str]:
    """The IDs whose number the inputs give."""
    return {manifest_id(each, 0, spec.name) for each in spec.manifests or () if each.weight is not None}


def has_input(current: Resource) -> bool:
    """Whether an input can stand for a live resource: its ID must be one that is made of a name."""
    name = current.annotations.get(omni.ANNOTATION_NAME, "")
    return unnumbered(current.id) == f"{_SCOPE.infix(current.cluster)}-{name}"


def observe(live: Live, draft: Draft) -> None:
    found = []
    for each in live.of(omni.KUBERNETES_MANIFEST_GROUP):
        name = each.annotations.get(omni.ANNOTATION_NAME, "")
        if has_input(each) and each.id not in live.read_addons.resources:
            mode = "one-time" if each.spec.mode == _MODES.ONE_TIME else "full"
            found.append(
                as_found(Manifest, name=name, inline=inline_of(each.spec.data), mode=mode, **metadata_of(each))
            )
    if found:
        draft.cluster["manifests"] = tuple(found)


def describe(change: Change, outlook: Outlook) -> str:
    if is_addon(change.resource):
        return ""  # `addons.findings` describes the add-on
    text = f"{change.verb} manifest {change.resource.id}" + (f" to {change.new_id}" if change.new_id else "")
    now = next((each for each in outlook.snapshot.resources if each.key == change.resource.key), change.resource)
    if now.spec.mode == _MODES.FULL and change.resource.spec.mode == _MODES.ONE_TIME:
        return f"{text}: Omni deletes its objects, and creates them again after half a minute"
    return text


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
