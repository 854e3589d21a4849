"""Add-ons as patches of Talos' machine configuration, one for each, and back.

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
from ksail_pulumi.model.addons import (
    ARGO_CD,
    CALICO,
    CILIUM,
    FLANNEL,
    LOCAL_PATH,
    METRICS_SERVER,
    NONE,
    VERSIONS,
    Addon,
    Addons,
)
from ksail_pulumi.model.patches import patch_text
from ksail_pulumi.model.versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.problems import FieldPath

ANNOTATION_ADDON = "ksail-pulumi/component"
"""The annotation on the patch of an add-on: its name, its version or URL, and a digest of the patch."""

ADDON_WEIGHT = 100
"""The first number in the IDs of these patches: Omni applies them before the user's own, which start at 200."""

APPROVER_VERSION = "0.12.1"
"""The release of kubelet-serving-cert-approver, which signs the certificates that kubelets ask for."""

MULTIPLE_DOCUMENTS_SINCE = (1, 14)
"""Clusters that are created with this Talos have documents of their own for what used to be in `machine` and `cluster`,
and Talos refuses the old fields together with them (its `V1Alpha1ConflictValidate`)."""

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
        return json.dumps({**_wire(self.addon), "digest": _digest(self.text)}, sort_keys=True)


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
    addons: Addons, cluster: str, *, began: str, actual: Iterable[Resource] = ()
) -> tuple[AddonPatch, ...]:
    """The patches of the add-ons of a cluster, in the order of their fields.

    Args:
        addons: What is asked for.
        cluster: The cluster's name.
        began: The Talos version that the cluster was created with: the form of its configuration depends on it.
        actual: What Omni has of the cluster. An add-on without a version keeps the installed one.
    """
    installed = {each.id: recorded(each) for each in actual if ANNOTATION_ADDON in each.annotations}
    found = parse_version(began)
    multiple = found is not None and found.line >= MULTIPLE_DOCUMENTS_SINCE
    patches = []
    for wire_field, addon in addons.chosen():
        if addon.name != FLANNEL:
            settled = _settled(addon, installed.get(addon_patch_id(cluster, wire_field)))
            patches.append(_patch(wire_field, settled, multiple=multiple))
    return tuple(patches)


def recorded(resource: Resource) -> Addon | None:
    """The add-on in the annotation of a patch; None if the annotation is missing or cannot be read."""
    try:
        wire = json.loads(resource.annotations.get(ANNOTATION_ADDON, ""))
        return Addon.model_validate({key: wire[key] for key in ("name", "version", "url") if key in wire})
    except (ValueError, TypeError):
        return None


def intact(resource: Resource) -> bool:
    """Whether the patch of an add-on is still as it was written."""
    try:
        wire = json.loads(resource.annotations.get(ANNOTATION_ADDON, ""))
        return bool(wire["digest"] == _digest(resource.spec.data))
    except (ValueError, TypeError, KeyError):
        return False


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


@dataclass(frozen=True)
class AddonsRead:
    """Add-ons that were read from patches.

    Attributes:
        chosen: The add-ons.
        patches: The IDs of their patches.
    """

    chosen: Addons
    patches: frozenset[str]


def read_addons(cluster: str, patches: Iterable[Resource]) -> AddonsRead:
    """Read add-ons back from patches in Omni. A patch that somebody has changed is no longer one of an add-on."""
    wanted = {addon_patch_id(cluster, wire_field): name for wire_field, name in _FIELDS.items()}
    found = {
        each.id: addon
        for each in patches
        if each.id in wanted and intact(each) and (addon := recorded(each)) is not None
    }
    chosen: dict[str, Any] = {wanted[each]: addon for each, addon in found.items()}
    return AddonsRead(Addons.model_construct(**chosen), frozenset(found))


def fits(asked: Addon, found: Addon) -> bool:
    """Whether an add-on is installed as asked for; any version is where none was asked for."""
    return (asked.name, asked.url) == (found.name, found.url) and asked.version in (None, found.version)


def _settled(addon: Addon, installed: Addon | None) -> Addon:
    """An add-on with its version: the installed one, or else the default of this package."""
    if addon.version or addon.url or addon.name not in VERSIONS:
        return addon
    kept = installed.version if installed is not None and installed.name == addon.name else None
    return addon.model_copy(update={"version": kept or VERSIONS[addon.name]})


def _wire(addon: Addon) -> dict[str, str]:
    values: Mapping[str, str | None] = {
        "name": addon.name,
        "version": addon.version,
        "url": addon.url,
    }
    return {name: value for name, value in values.items() if value is not None}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _patch(wire_field: str, addon: Addon, *, multiple: bool) -> AddonPatch:
    parts = _parts(addon)
    documents = list(_documents(parts, addon.name) if multiple else _fields(parts))
    # Talos takes documents about the control plane on machines of the control plane only.
    control_plane_only = multiple and parts.cni is not None
    return AddonPatch(wire_field, addon, patch_text(documents), control_plane_only)


def _parts(addon: Addon) -> _Parts:
    name, version, url = addon.name, addon.version or "", addon.url
    match name:
        case "none":
            return _Parts(cni=NONE)
        case "cilium" | "calico" if url:
            return _Parts(cni="custom", cni_url=url)
        case "cilium":
            return _Parts(cni=NONE, inline=((CILIUM, catalogue.manifest_text(catalogue.cilium(version))),))
        case "calico":
            settings = catalogue.manifest_text(catalogue.calico_installation())
            return _Parts(cni=NONE, urls=catalogue.published(CALICO, version), inline=((CALICO, settings),))
        case "metrics-server":
            approver = catalogue.published("kubelet-serving-cert-approver", APPROVER_VERSION)
            server = (url,) if url else catalogue.published(METRICS_SERVER, version)
            return _Parts(kubelet={"rotate-server-certificates": "true"}, urls=(*approver, *server))
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
