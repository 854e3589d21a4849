"""Add-ons as groups of Kubernetes manifests, which Omni applies, keeps and deletes.

Each definition of custom resources and each namespace is a group of its own: with it, all its objects are deleted, so
these groups stay when an add-on is removed, and nothing moves from one to another when a manifest grows. A group that
Omni has as it was written is left as it is, and what it was made from need not be fetched again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ksail_pulumi.addons import catalogue
from ksail_pulumi.addons.marks import ANNOTATION_ADDON, DEFINITIONS, mark_of
from ksail_pulumi.addons.patches import (
    APPROVER_VERSION,
    digest,
    has_manifests,
    inline_mark,
    intact,
    is_addon,
    read_patches,
    recorded,
    settled_addons,
    written,
)
from ksail_pulumi.model.addons import ARGO_CD, FIELDS, FLUX, LOCAL_PATH, METRICS_SERVER, VERSIONS, Addons
from ksail_pulumi.model.objects import DEFINITION, faults_in, joined, objects_in
from ksail_pulumi.model.patches import patch_text
from ksail_pulumi.omni.resources import ANNOTATION_NAME, KUBERNETES_MANIFEST_GROUP
from ksail_pulumi.problems import InvalidCluster, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ksail_pulumi.model.addons import Addon
    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.model.objects import KubernetesObject
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.problems import FieldPath

OBJECTS, SOURCE = "objects", "source"
_WEIGHTS = {DEFINITIONS: 100, OBJECTS: 110, SOURCE: 120}
"""The first number in the ID of a group, by what it has. The user's own groups begin at 200."""

_STAYING = {DEFINITION: "definition", "Namespace": "namespace"}
"""The kinds whose objects stay when an add-on is removed, as they are called in the names of groups."""

MOST_GROUP_BYTES = 1_500_000
"""The size of a group: below the 2,097,152 bytes that Omni stores at most."""


@dataclass(frozen=True)
class Source:
    """A manifest that others publish.

    Attributes:
        path: The input that needs it.
        url: Its address.
        released: Whether it is that of a release, which never changes.
    """

    path: FieldPath
    url: str
    released: bool


@dataclass(frozen=True)
class AddonGroup:
    """A group of manifests of an add-on.

    Attributes:
        id: Its ID in Omni.
        name: Its name.
        annotation: What is recorded about it.
        text: The objects.
    """

    id: str
    name: str
    annotation: str
    text: str = field(repr=False)

    @classmethod
    def standing(cls, resource: Resource) -> AddonGroup:
        """The group as Omni has it."""
        marks = resource.annotations
        return cls(resource.id, marks.get(ANNOTATION_NAME, ""), marks[ANNOTATION_ADDON], resource.spec.data)


def needed_sources(addons: Addons, actual: Iterable[Resource]) -> list[Source]:
    """What has to be fetched for the groups of add-ons, given what Omni has of the cluster."""
    live = _live(actual)
    return [
        Source(("addons", wire_field), url, released=url != addon.url)
        for wire_field, addon in settled_addons(addons, live)
        if addon.inline is None and not _standing(addon, live)
        for url in _urls(addon)
    ]


def used_urls(addons: Addons, actual: Iterable[Resource]) -> set[str]:
    """The URLs of the manifests of others that add-ons consist of."""
    settled = settled_addons(addons, _live(actual))
    return {url for _, addon in settled if addon.inline is None for url in _urls(addon)}


def addon_groups(
    addons: Addons,
    cluster: str,
    texts: Mapping[str, str],
    actual: Iterable[Resource],
    *,
    keep_definitions: bool,
) -> tuple[AddonGroup, ...]:
    """The groups of the add-ons of a cluster.

    Args:
        addons: What is asked for.
        cluster: The cluster's name.
        texts: The manifests of `needed_sources`, by URL.
        actual: What Omni has of the cluster.
        keep_definitions: Whether definitions and namespaces stay that no add-on has any longer.

    Raises:
        InvalidCluster: A manifest has something else than objects.
    """
    live = _live(actual)
    groups: list[AddonGroup] = []
    for wire_field, addon in settled_addons(addons, live):
        if standing := _standing(addon, live):
            groups += map(AddonGroup.standing, standing)
        else:
            kept = _definitions(addon.name, live) if keep_definitions else []
            groups += _groups(addon, cluster, _objects(addon, wire_field, texts), kept)
        groups += _source_groups(addon, cluster)
    names = {addon.name for _, addon in addons.others()}
    gone = [each for each in live if _part(each) == DEFINITIONS and getattr(recorded(each), "name", "") not in names]
    return (*groups, *map(AddonGroup.standing, gone if keep_definitions else ()))


def plain_groups(spec: ClusterSpec) -> frozenset[str]:
    """The names of the manifests in a spec: those of add-ons too, if they were exported as manifests."""
    return frozenset(each.name or "" for each in spec.manifests or ())


@dataclass(frozen=True)
class AddonsRead:
    """Add-ons that were read from resources.

    Attributes:
        chosen: The add-ons.
        resources: The IDs of their resources, and of definitions that stayed when an add-on was removed.
    """

    chosen: Addons
    resources: frozenset[str]


def read_addons(cluster: str, patches: Iterable[Resource], groups: Iterable[Resource]) -> AddonsRead:
    """Read add-ons back from patches and groups in Omni.

    One that somebody has changed, or removed a part of, is no longer an add-on.
    """
    live, of_machines = _live(groups), read_patches(cluster, patches)
    chosen: dict[str, Any] = {}
    read = {each.id for each in live if _part(each) == DEFINITIONS and intact(each)}
    for name, field_name in FIELDS.items():
        own = [each for each in live if (known := recorded(each)) and known.name == name]
        addon = _read(own)
        if addon is not None and (name != METRICS_SERVER or field_name in of_machines):
            chosen[field_name] = addon
            read |= {each.id for each in own}
    for field_name, (patch, addon) in of_machines.items():
        if field_name in chosen or field_name == "cni" or has_manifests(patch):
            chosen.setdefault(field_name, addon)
            read.add(patch.id)
    return AddonsRead(Addons.model_construct(**chosen), frozenset(read))


def _read(own: Sequence[Resource]) -> Addon | None:
    """The add-on that groups of one name stand for; None if one of them was changed, or is missing."""
    upstream = [each for each in own if _part(each) != SOURCE]
    objects = [each for each in own if _part(each) == OBJECTS]
    if not (objects and all(map(intact, own)) and len(upstream) == mark_of(objects[0]).get("of")):
        return None
    source = next((mark_of(each).get(SOURCE) for each in own if _part(each) == SOURCE), None)
    inline = joined(item for each in upstream for item in objects_in(each.spec.data))
    known = str(mark_of(objects[0]).get("inline", ""))
    addon = recorded(objects[0], source=source, inline=inline if known else None)
    return addon.as_written(known) if addon is not None else None


def is_kept_definition(resource: Resource) -> bool:
    """Whether a resource is a group of an add-on that stays when the add-on is removed."""
    return resource.type == KUBERNETES_MANIFEST_GROUP and _part(resource) == DEFINITIONS


def is_source(resource: Resource) -> bool:
    """Whether a resource is the group of what a GitOps engine deploys."""
    return resource.type == KUBERNETES_MANIFEST_GROUP and _part(resource) == SOURCE


def _live(actual: Iterable[Resource]) -> list[Resource]:
    """The groups of add-ons, and the patches of add-ons."""
    return [each for each in actual if is_addon(each) and not each.tearing_down]


def _part(resource: Resource) -> str:
    return str(mark_of(resource).get("part", ""))


def _standing(addon: Addon, live: Sequence[Resource]) -> list[Resource]:
    """The groups of an add-on, if all of them are in Omni as they were written for it."""
    if addon.inline is not None or addon.name == LOCAL_PATH:
        return []
    own = [each for each in live if _part(each) in (DEFINITIONS, OBJECTS) and recorded(each) == _recordable(addon)]
    complete = own and len(own) == mark_of(own[0]).get("of") and all(map(intact, own))
    return own if complete and not mark_of(own[0]).get("inline") else []


def _recordable(addon: Addon) -> Addon:
    return addon.model_copy(update={"inline": None, "source": None})


def _urls(addon: Addon) -> tuple[str, ...]:
    version = addon.version or ""
    approver = catalogue.published("kubelet-serving-cert-approver", APPROVER_VERSION)
    before = approver if addon.name == METRICS_SERVER else ()
    if addon.url:
        return (*before, addon.url)
    return () if addon.name == LOCAL_PATH else (*before, *catalogue.published(addon.name, version))


def _objects(addon: Addon, wire_field: str, texts: Mapping[str, str]) -> list[KubernetesObject]:
    """The objects of an add-on.

    Raises:
        InvalidCluster: Its manifest has something else, or nothing that is deleted with the add-on.
    """
    if addon.inline is not None:
        text = [patch_text(addon.inline)]
    elif addon.name == LOCAL_PATH and not addon.url:
        text = [catalogue.manifest_text(catalogue.local_path(addon.version or VERSIONS[LOCAL_PATH]))]
    else:
        text = [texts[url] for url in _urls(addon)]
    given = next(((name,) for name in ("url", "inline") if getattr(addon, name) is not None), ())
    if faults := [fault for one in text for fault in faults_in(one)]:
        raise InvalidCluster([Problem(("addons", wire_field, *given), "; ".join(faults))])
    objects = [each for one in text for each in objects_in(one)]
    if all(each.kind in _STAYING for each in objects):
        # Such an add-on would look like a removed one.
        reason = "its manifest has nothing but custom resource definitions and namespaces: use `manifests` for them"
        raise InvalidCluster([Problem(("addons", wire_field, *given), reason)])
    if addon.name == ARGO_CD:
        # Its manifest leaves the namespace to whoever applies it.
        namespace = objects_in(catalogue.manifest_text([catalogue.namespace(catalogue.ARGO_CD_NAMESPACE)]))
        known = {str(each) for each in objects}
        objects = [each.within(catalogue.ARGO_CD_NAMESPACE) for each in objects]
        objects = [*(each for each in namespace if str(each) not in known), *objects]
    return objects


def _definitions(name: str, live: Sequence[Resource]) -> list[KubernetesObject]:
    """The definitions and namespaces that an add-on has in Omni."""
    own = [each for each in live if _part(each) == DEFINITIONS and getattr(recorded(each), "name", "") == name]
    return [item for each in own for item in objects_in(each.spec.data)]


def _groups(
    addon: Addon, cluster: str, objects: Sequence[KubernetesObject], kept: Sequence[KubernetesObject]
) -> Iterator[AddonGroup]:
    staying = {str(each): each for each in (*kept, *objects) if each.kind in _STAYING}
    chunks = list(_chunks([each for each in objects if each.kind not in _STAYING]))
    parts = [(DEFINITIONS, f"-{_STAYING[each.kind]}-{each.name}", [each]) for each in staying.values()]
    parts += [(OBJECTS, f"-{number}" if number > 1 else "", chunk) for number, chunk in enumerate(chunks, start=1)]
    for part, suffix, chunk in parts:
        yield _group(addon, cluster, part, joined(chunk), {"of": len(parts)}, suffix=suffix)


def _chunks(objects: Sequence[KubernetesObject]) -> Iterator[list[KubernetesObject]]:
    """The objects in as few groups as their size allows, in their order."""
    chunk: list[KubernetesObject] = []
    size = 0
    for each in objects:
        length = len(each.text.encode())
        if chunk and size + length > MOST_GROUP_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(each)
        size += length
    if chunk:
        yield chunk


def _source_groups(addon: Addon, cluster: str) -> Iterator[AddonGroup]:
    if addon.source is None:
        return
    make = {FLUX: catalogue.flux_source, ARGO_CD: catalogue.argo_cd_source}[addon.name]
    shown = addon.source.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"username", "password"})
    text = catalogue.manifest_text(make(addon.source))
    yield _group(addon, cluster, SOURCE, text, {SOURCE: shown}, suffix="-source")


def _group(addon: Addon, cluster: str, part: str, text: str, more: Mapping[str, Any], *, suffix: str) -> AddonGroup:
    name = f"component-{addon.name}{suffix}"
    inline = {"inline": known} if (known := inline_mark(addon)) else {}
    mark = {**written(addon), "digest": digest(text), "part": part, **inline, **more}
    return AddonGroup(f"{_WEIGHTS[part]:03d}-cluster-{cluster}-{name}", name, json.dumps(mark, sort_keys=True), text)
