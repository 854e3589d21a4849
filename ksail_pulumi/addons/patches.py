"""Add-ons as patches of Talos' machine configuration, one for each, and back.

The network plugin is always one: nodes need it before they are ready, and Talos creates it without Omni. The patches of
other add-ons have only what concerns the machines, unless Omni has no groups of manifests (before 1.7): then they have
the manifests too.

Talos' strategic merge appends lists, so the manifests of several patches, and of the user's own, are combined; the
user's patches override everything else, because their IDs are greater. Talos creates the objects of manifests that are
missing, and never changes or deletes existing ones
(https://docs.siderolabs.com/kubernetes-guides/advanced-guides/inlinemanifests).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ksail_pulumi.addons import catalogue
from ksail_pulumi.addons.marks import ANNOTATION_ADDON, DEFINITIONS, mark_of
from ksail_pulumi.model.addons import (
    ARGO_CD,
    CALICO,
    CILIUM,
    FLANNEL,
    LOCAL_PATH,
    METRICS_SERVER,
    NETWORK_PLUGINS,
    NONE,
    VERSIONS,
    Addon,
    Addons,
)
from ksail_pulumi.model.patches import patch_text
from ksail_pulumi.model.versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ksail_pulumi.model.addons import GitOpsSource
    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.problems import FieldPath

ADDON_WEIGHT = 100
"""The first number in the IDs of these patches: Omni applies them before the user's own, which start at 200."""

APPROVER_VERSION = "0.12.1"
"""The release of kubelet-serving-cert-approver, which signs the certificates that kubelets ask for."""

GATEWAY_API_VERSION = "1.4.1"
"""The release of the Gateway API whose definitions come with Cilium, as with KSail's."""

MULTIPLE_DOCUMENTS_SINCE = (1, 14)
"""Clusters that are created with this Talos have documents of their own for what used to be in `machine` and `cluster`,
and Talos refuses the old fields together with them (its `V1Alpha1ConflictValidate`)."""

_CERTIFICATES = {"rotate-server-certificates": "true"}
"""The argument of kubelets for certificates that metrics-server can verify."""

_FIELDS = {info.alias or name: name for name, info in Addons.model_fields.items()}
"""The fields of add-ons on the wire, each with its name in Python."""


@dataclass(frozen=True)
class AddonPatch:
    """The patch of one add-on.

    Attributes:
        field: The add-on's field on the wire.
        addon: The add-on, with its version filled in.
        text: The patch.
        control_plane_only: Whether only control plane machines can take it.
    """

    field: str
    addon: Addon
    text: str = dataclasses.field(repr=False)
    control_plane_only: bool = False

    @property
    def name(self) -> str:
        return addon_patch_name(self.field)

    @property
    def annotation(self) -> str:
        return json.dumps({**written(self.addon), "digest": digest(self.text)}, sort_keys=True)


@dataclass
class _Parts:
    """What an add-on needs: a network plugin, arguments of the kubelet, and manifests by URL or as text."""

    cni: str | None = None
    cni_url: str | None = None
    kubelet: dict[str, str] = field(default_factory=dict)
    urls: tuple[str, ...] = ()
    inline: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def addon_patch_name(wire_field: str) -> str:
    """The name of the patch of an add-on: `component-cert-manager`, `component-gitops-engine`."""
    words = re.sub(r"([A-Z])", r"-\1", wire_field).lower()
    return "component-" + words.replace("git-ops", "gitops")


def addon_patch_id(cluster: str, wire_field: str) -> str:
    """The ID of the patch of an add-on."""
    return f"{ADDON_WEIGHT:03d}-cluster-{cluster}-{addon_patch_name(wire_field)}"


def addon_patch_ids(cluster: str) -> frozenset[str]:
    """The IDs that patches of add-ons can have in a cluster."""
    return frozenset(addon_patch_id(cluster, wire_field) for wire_field in _FIELDS)


def is_addon(patch: Resource) -> bool:
    """Whether a patch in Omni is that of an add-on."""
    return ANNOTATION_ADDON in patch.annotations


def addon_patches(
    addons: Addons, *, began: str, actual: Iterable[Resource] = (), groups: bool = True
) -> tuple[AddonPatch, ...]:
    """The patches of the add-ons of a cluster, in the order of their fields.

    Args:
        addons: What is asked for.
        began: The Talos version that the cluster was created with: the form of its configuration depends on it.
        actual: What Omni has of the cluster. An add-on without a version keeps the installed one.
        groups: Whether Omni has groups of manifests, which then have the objects of add-ons.
    """
    found = parse_version(began)
    multiple = found is not None and found.line >= MULTIPLE_DOCUMENTS_SINCE
    patches = []
    for wire_field, addon in _settled_all(addons, actual):
        parts = _parts(addon)
        if groups and addon.name not in NETWORK_PLUGINS:
            parts = _Parts(kubelet=parts.kubelet)
        if parts != _Parts():
            patches.append(_patch(wire_field, addon, parts, multiple=multiple))
    return tuple(patches)


def settled_addons(addons: Addons, actual: Iterable[Resource]) -> list[tuple[str, Addon]]:
    """The add-ons other than the network plugin, each with its field and its version."""
    return [each for each in _settled_all(addons, actual) if each[1].name not in NETWORK_PLUGINS]


def _settled_all(addons: Addons, actual: Iterable[Resource]) -> list[tuple[str, Addon]]:
    # Definitions also stay of an add-on that has been removed.
    there = [each for each in actual if mark_of(each).get("part") != DEFINITIONS]
    installed = {known.name: known for each in there if (known := recorded(each)) is not None}
    return [
        (field, _settled(addon, installed.get(addon.name))) for field, addon in addons.chosen() if addon.name != FLANNEL
    ]


def recorded(resource: Resource, **more: Any) -> Addon | None:
    """The add-on in the annotation of a patch or group; None if the annotation is missing or cannot be read."""
    mark = mark_of(resource)
    known = {key: mark[key] for key in ("name", "version", "url") if key in mark}
    try:
        return Addon.model_validate({**known, **{key: value for key, value in more.items() if value is not None}})
    except (ValueError, TypeError):
        return None


def intact(resource: Resource) -> bool:
    """Whether the patch of an add-on is still as it was written."""
    known = mark_of(resource).get("digest")
    return known is not None and known == digest(resource.spec.data)


def plain_patches(spec: ClusterSpec) -> dict[str, FieldPath]:
    """The patches in a spec whose ID is that of the patch of an add-on: their paths by ID.

    An exported cluster has the patches of its add-ons as ordinary patches.
    """
    ids = addon_patch_ids(spec.name)
    return {
        patch.id_override: (*path, "patches", index)
        for path, patches in (((), spec.patches), (("controlPlane",), spec.control_plane.patches))
        for index, patch in enumerate(patches or ())
        if patch.id_override in ids
    }


def addon_ids(spec: ClusterSpec) -> frozenset[str]:
    """The IDs that patches of add-ons have in a cluster, but for those that its spec gives to patches of its own."""
    return addon_patch_ids(spec.name) - plain_patches(spec).keys()


def read_patches(cluster: str, patches: Iterable[Resource]) -> dict[str, tuple[Resource, Addon]]:
    """The patches of add-ons as they were written, each with its add-on, by the field in Python."""
    wanted = {addon_patch_id(cluster, wire_field): name for wire_field, name in _FIELDS.items()}
    return {
        wanted[each.id]: (each, addon)
        for each in patches
        if each.id in wanted and intact(each) and (addon := recorded(each)) is not None
    }


def has_manifests(patch: Resource) -> bool:
    """Whether a patch has manifests, which Talos applies."""
    return "anifest" in patch.spec.data


def fits(asked: Addon, found: Addon) -> bool:
    """Whether an add-on is installed as asked for; any version is where none was asked for."""
    same = (asked.name, asked.url) == (found.name, found.url) and asked.version in (None, found.version)
    return same and inline_mark(asked) == found.written and _same_source(asked.source, found.source)


def inline_mark(addon: Addon) -> str:
    """What the `inline` of an add-on is recognised by; `""` if it has none."""
    return "" if addon.inline is None else digest(patch_text(addon.inline))


def _same_source(asked: GitOpsSource | None, found: GitOpsSource | None) -> bool:
    """What is secret in a source is not recorded in Omni."""
    if asked is None or found is None:
        return asked is found
    return (asked.url, asked.revision, asked.path) == (found.url, found.revision, found.path)


def _settled(addon: Addon, installed: Addon | None) -> Addon:
    """An add-on with its version: the installed one, or else the default of this package."""
    if addon.version or addon.url or addon.inline is not None or addon.name not in VERSIONS:
        return addon
    kept = installed.version if installed is not None and installed.name == addon.name else None
    return addon.model_copy(update={"version": kept or VERSIONS[addon.name]})


def written(addon: Addon) -> dict[str, str]:
    """What is recorded of an add-on."""
    values: Mapping[str, str | None] = {
        "name": addon.name,
        "version": addon.version,
        "url": addon.url,
    }
    return {name: value for name, value in values.items() if value is not None}


def digest(text: str) -> str:
    """What a text is recognised by."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _patch(wire_field: str, addon: Addon, parts: _Parts, *, multiple: bool) -> AddonPatch:
    documents = list(_documents(parts, addon.name) if multiple else _fields(parts))
    # Talos takes documents about the control plane on machines of the control plane only.
    control_plane_only = multiple and parts.cni is not None
    return AddonPatch(wire_field, addon, patch_text(documents), control_plane_only)


def _parts(addon: Addon) -> _Parts:
    name, version, url = addon.name, addon.version or "", addon.url
    if addon.inline is not None:
        kubelet = _CERTIFICATES if name == METRICS_SERVER else {}
        return _Parts(kubelet=kubelet, inline=((name, patch_text(addon.inline)),))
    match name:
        case "none":
            return _Parts(cni=NONE)
        case "cilium" | "calico" if url:
            return _Parts(cni="custom", cni_url=url)
        case "cilium":
            definitions = catalogue.published("gateway-api", GATEWAY_API_VERSION)
            return _Parts(
                cni=NONE, urls=definitions, inline=((CILIUM, catalogue.manifest_text(catalogue.cilium(version))),)
            )
        case "calico":
            settings = catalogue.manifest_text(catalogue.calico_installation())
            return _Parts(cni=NONE, urls=catalogue.published(CALICO, version), inline=((CALICO, settings),))
        case "metrics-server":
            approver = catalogue.published("kubelet-serving-cert-approver", APPROVER_VERSION)
            server = (url,) if url else catalogue.published(METRICS_SERVER, version)
            return _Parts(kubelet=_CERTIFICATES, urls=(*approver, *server))
        case "argocd":
            objects = catalogue.argo_cd(url or catalogue.published(ARGO_CD, version)[0])
            return _Parts(inline=((ARGO_CD, catalogue.manifest_text(objects)),))
        case "local-path" if not url:
            return _Parts(inline=((LOCAL_PATH, catalogue.manifest_text(catalogue.local_path(version))),))
    return _Parts(urls=(url,) if url else catalogue.published(name, version))


def _fields(parts: _Parts) -> Iterator[dict[str, Any]]:
    """The one document with `machine` and `cluster`."""
    cluster: dict[str, Any] = {}
    if parts.cni is not None:
        urls = {"urls": [parts.cni_url]} if parts.cni_url else {}
        cluster["network"] = {"cni": {"name": parts.cni, **urls}}
    if parts.urls:
        cluster["extraManifests"] = list(parts.urls)
    if parts.inline:
        cluster["inlineManifests"] = [
            {"name": f"component-{name}", "contents": contents} for name, contents in parts.inline
        ]
    document: dict[str, Any] = {"cluster": cluster} if cluster else {}
    if parts.kubelet:
        document["machine"] = {"kubelet": {"extraArgs": parts.kubelet}}
    yield document


def _documents(parts: _Parts, name: str) -> Iterator[dict[str, Any]]:
    """The same as documents, one for each thing."""

    def document(kind: str, **content: Any) -> dict[str, Any]:
        return {"apiVersion": "v1alpha1", "kind": kind, **content}

    if parts.cni is not None:
        yield document("KubeFlannelCNIConfig", **{"$patch": "delete"})
    if parts.kubelet:
        yield document("KubeletConfig", extraArgs=parts.kubelet)
    for index, url in enumerate((*((parts.cni_url,) if parts.cni_url else ()), *parts.urls)):
        yield document("KubeExternalManifestConfig", name=f"component-{name}-{index}", url=url)
    for inline, contents in parts.inline:
        yield document("KubeInlineManifestConfig", name=f"component-{inline}", manifest=contents)
