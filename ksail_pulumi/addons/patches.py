"""Add-ons as patches of Talos' machine configuration, one for each, and back.

Talos' strategic merge appends lists, so that the manifests of several patches, and of the user's own, come together;
everything else is overridden by the user's patches, whose IDs are greater. Talos creates what is missing of the
manifests, and never changes or deletes what is there
(https://docs.siderolabs.com/kubernetes-guides/advanced-guides/inlinemanifests).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ksail_pulumi.addons import catalogue as manifests
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
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.problems import FieldPath

ANNOTATION_COMPONENT = "ksail-pulumi/component"
"""On the patch of a component: which it is, with its version or URL, and a digest of the patch."""

COMPONENT_WEIGHT = 100
"""Begins the IDs of these patches, so that Omni applies them before the user's own, which begin at 200."""

APPROVER_VERSION = "0.12.1"
"""Of the kubelet-serving-cert-approver: it signs the certificates that kubelets ask for."""

MULTIPLE_DOCUMENTS_SINCE = (1, 14)
"""Clusters that begin with this Talos have documents of their own for what used to be in `machine` and `cluster`, and
Talos refuses the old fields beside them (its `V1Alpha1ConflictValidate`)."""

_FIELDS = tuple(info.alias or name for name, info in Addons.model_fields.items())


@dataclass(frozen=True)
class ComponentPatch:
    """The patch of one component.

    Attributes:
        field: The component's field on the wire.
        component: What it installs, with its version filled in.
        text: The patch.
        control_plane_only: Whether only control plane machines can take it.
    """

    field: str
    component: Addon
    text: str = dataclasses.field(repr=False)
    control_plane_only: bool = False

    @property
    def name(self) -> str:
        return patch_name(self.field)

    @property
    def annotation(self) -> str:
        return json.dumps({**_wire(self.component), "digest": _digest(self.text)}, sort_keys=True)


@dataclass
class _Parts:
    """What a component needs: a network plugin, arguments of the kubelet, and manifests by URL or as text."""

    cni: str | None = None
    cni_url: str | None = None
    kubelet: dict[str, str] = field(default_factory=dict)
    urls: tuple[str, ...] = ()
    inline: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def patch_name(wire_field: str) -> str:
    """What the patch of a component is called: `component-cert-manager`, `component-gitops-engine`."""
    words = re.sub(r"([A-Z])", r"-\1", wire_field).lower()
    return "component-" + words.replace("git-ops", "gitops")


def patch_id(cluster: str, wire_field: str) -> str:
    """The ID of the patch of a component."""
    return f"{COMPONENT_WEIGHT:03d}-cluster-{cluster}-{patch_name(wire_field)}"


def is_component(patch: Resource) -> bool:
    """Whether a patch in Omni is that of a component."""
    return ANNOTATION_COMPONENT in patch.annotations


def component_patches(
    components: Addons, cluster: str, *, began: str, actual: Iterable[Resource] = ()
) -> tuple[ComponentPatch, ...]:
    """The patches of the components of a cluster, in the order of their fields.

    Args:
        components: What is asked for.
        cluster: The cluster's name.
        began: The Talos version that the cluster began or begins with, on which the form of its configuration depends.
        actual: What Omni has of the cluster. A component without a version keeps the one that it has.
    """
    installed = {each.id: recorded(each) for each in actual if ANNOTATION_COMPONENT in each.annotations}
    found = parse_version(began)
    multiple = found is not None and found.line >= MULTIPLE_DOCUMENTS_SINCE
    patches = []
    for wire_field, component in components.chosen():
        if component.name != FLANNEL:
            settled = _settled(component, installed.get(patch_id(cluster, wire_field)))
            patches.append(_patch(wire_field, settled, multiple=multiple))
    return tuple(patches)


def recorded(resource: Resource) -> Addon | None:
    """What the annotation of a patch says that it installs; None if it says nothing that could be understood."""
    try:
        wire = json.loads(resource.annotations.get(ANNOTATION_COMPONENT, ""))
        return Addon.model_validate({key: wire[key] for key in ("name", "version", "url") if key in wire})
    except (ValueError, TypeError):
        return None


def intact(resource: Resource) -> bool:
    """Whether the patch of a component is still as it was written."""
    try:
        wire = json.loads(resource.annotations.get(ANNOTATION_COMPONENT, ""))
        return bool(wire["digest"] == _digest(resource.spec.data))
    except (ValueError, TypeError, KeyError):
        return False


def plain_patches(spec: ClusterSpec) -> dict[str, FieldPath]:
    """The patches that a spec gives the ID of one of a component: their paths by ID.

    An exported cluster has the patches of its components as patches of its own.
    """
    ids = {patch_id(spec.name, wire_field) for wire_field in _FIELDS}
    return {
        patch.id_override: (*path, "patches", index)
        for path, patches in (((), spec.patches), (("controlPlane",), spec.control_plane.patches))
        for index, patch in enumerate(patches or ())
        if patch.id_override in ids
    }


def read_components(wire: dict[str, Any], previous: ClusterSpec, live: Collection[dict[str, Resource]]) -> None:
    """Read the components of a cluster back, and take their patches out of `live`.

    A component whose patch somebody changed is none any more: its patch stays in `live`, and shows as one.

    Args:
        wire: The inputs as they were; `addons` is set where Omni has others.
        previous: The same as a model.
        live: The patches of the cluster by ID, scope by scope.
    """
    spelled: dict[str, Any] = dict(wire.get("addons", {}))
    asked, plain = dict(previous.addons.chosen()), plain_patches(previous)
    for wire_field in _FIELDS:
        resource_id, component = patch_id(previous.name, wire_field), asked.get(wire_field)
        if resource_id in plain:
            continue
        scope = next((each for each in live if resource_id in each), {})
        current = scope.get(resource_id)
        found = recorded(current) if current is not None and intact(current) else None
        if found is not None:
            del scope[resource_id]
            if component is None or not _fits(component, found):
                spelled[wire_field] = _spelling(wire_field, found)
        elif component is not None and (component.name != FLANNEL or current is not None):
            del spelled[wire_field]
    if spelled or "addons" in wire:
        wire["addons"] = spelled


def _settled(component: Addon, installed: Addon | None) -> Addon:
    """A component with its version: the one that it has, or else the one that goes with this package."""
    if component.version or component.url or component.name not in VERSIONS:
        return component
    kept = installed.version if installed is not None and installed.name == component.name else None
    return component.model_copy(update={"version": kept or VERSIONS[component.name]})


def _fits(asked: Addon, found: Addon) -> bool:
    if asked.name != found.name or asked.url != found.url:
        return False
    return asked.version is None or asked.version == found.version


def _spelling(wire_field: str, component: Addon) -> Any:
    """A component the way that it is written in the inputs."""
    written: Any = Addons.model_validate({wire_field: _wire(component)}).model_dump(by_alias=True)[wire_field]
    return written


def _wire(component: Addon) -> dict[str, str]:
    values: Mapping[str, str | None] = {
        "name": component.name,
        "version": component.version,
        "url": component.url,
    }
    return {name: value for name, value in values.items() if value is not None}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _patch(wire_field: str, component: Addon, *, multiple: bool) -> ComponentPatch:
    parts = _parts(component)
    documents = list(_documents(parts, component.name) if multiple else _fields(parts))
    # Talos takes documents about the control plane on machines of the control plane only.
    control_plane_only = multiple and parts.cni is not None
    return ComponentPatch(wire_field, component, patch_text(documents), control_plane_only)


def _parts(component: Addon) -> _Parts:
    name, version, url = component.name, component.version or "", component.url
    match name:
        case "none":
            return _Parts(cni=NONE)
        case "cilium" | "calico" if url:
            return _Parts(cni="custom", cni_url=url)
        case "cilium":
            return _Parts(cni=NONE, inline=((CILIUM, manifests.manifest_text(manifests.cilium(version))),))
        case "calico":
            settings = manifests.manifest_text(manifests.calico_installation())
            return _Parts(cni=NONE, urls=manifests.published(CALICO, version), inline=((CALICO, settings),))
        case "metrics-server":
            approver = manifests.published("kubelet-serving-cert-approver", APPROVER_VERSION)
            server = (url,) if url else manifests.published(METRICS_SERVER, version)
            return _Parts(kubelet={"rotate-server-certificates": "true"}, urls=(*approver, *server))
        case "argocd":
            objects = manifests.argo_cd(url or manifests.published(ARGO_CD, version)[0])
            return _Parts(inline=((ARGO_CD, manifests.manifest_text(objects)),))
        case "local-path" if not url:
            return _Parts(inline=((LOCAL_PATH, manifests.manifest_text(manifests.local_path(version))),))
    return _Parts(urls=(url,) if url else manifests.published(name, version))


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
