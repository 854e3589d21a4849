"""Writes the inputs of a cluster as one of omnictl's cluster templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ksail_pulumi.goyaml.write import InOrder, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CLUSTER_FIELDS = ("patches", "systemExtensions", "kernelArgs")
_STRATEGIES = ("updateStrategy", "deleteStrategy", "upgradeStrategy")
_SET_FIELDS = (
    "labels",
    "annotations",
    "bootstrapSpec",
    "machines",
    "machineClass",
    *_STRATEGIES,
    *_CLUSTER_FIELDS,
)
_MACHINE_FIELDS = ("labels", "annotations", "locked", "install", *_CLUSTER_FIELDS)
_PATCH_FIELDS = ("name", "idOverride", "labels", "annotations", "inline")
_MANIFEST_FIELDS = ("name", "mode", "labels", "annotations", "inline")
_HEALTH_CHECK_FIELDS = ("name", "idOverride", "labels", "annotations", "interval", "job")


def template_text(inputs: Mapping[str, Any]) -> str:
    """The template of a cluster that was read from Omni.

    Args:
        inputs: The cluster on the wire, with its versions, and with its machines by ID or class.
    """
    sets = inputs.get("workers") or []
    machines = inputs.get("machines") or {}
    documents = [
        _cluster(inputs),
        InOrder(kind="ControlPlane", **_machine_set(inputs.get("controlPlane") or {})),
        *(InOrder(kind="Workers", **_picked(each, ("name",)), **_machine_set(each)) for each in sets),
        *(InOrder(kind="Machine", name=name, **_machine(each)) for name, each in sorted(machines.items()) if each),
    ]
    return "---\n".join(encode(document) for document in documents)


def cannot_say(inputs: Mapping[str, Any]) -> list[str]:
    """What the template of a cluster cannot express, each a whole sentence."""
    if inputs.get("locked"):
        return ["the cluster is locked, which a template cannot express"]
    return []


def _cluster(inputs: Mapping[str, Any]) -> InOrder:
    kubernetes = InOrder(version=f"v{inputs['kubernetesVersion']}")
    if manifests := inputs.get("manifests"):
        kubernetes["manifests"] = _entries(manifests, _MANIFEST_FIELDS)
    if checks := inputs.get("healthChecks"):
        kubernetes["healthchecks"] = _entries(checks, _HEALTH_CHECK_FIELDS)
    cluster = InOrder(kind="Cluster", name=inputs["name"])
    cluster |= _picked(inputs, ("labels", "annotations"))
    cluster |= {"kubernetes": kubernetes, "talos": {"version": f"v{inputs['talosVersion']}"}}
    features = InOrder(inputs.get("features") or {})
    if backup := inputs.get("backup"):
        features["backupConfiguration"] = backup
    if features:
        cluster["features"] = features
    return InOrder(cluster | _common(inputs))


def _machine_set(machine_set: Mapping[str, Any]) -> InOrder:
    fields = InOrder(_picked(machine_set, _SET_FIELDS))
    for name in _STRATEGIES:
        if name in fields:
            fields[name] = InOrder(_picked(fields[name], ("type", "rolling")))
    return InOrder(fields | _common(machine_set))


def _machine(machine: Mapping[str, Any]) -> InOrder:
    return InOrder(_picked(machine, _MACHINE_FIELDS) | _common(machine))


def _common(scope: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that clusters, sets and machines share."""
    common = _picked(scope, _CLUSTER_FIELDS)
    if patches := scope.get("patches"):
        common["patches"] = _entries(patches, _PATCH_FIELDS)
    return common


def _entries(entries: Iterable[Mapping[str, Any]], fields: Iterable[str]) -> list[InOrder]:
    return [InOrder(_picked(_described(entry), fields)) for entry in entries]


def _described(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """For omnictl a description is an annotation."""
    if not entry.get("description"):
        return entry
    return {**entry, "annotations": {"description": entry["description"], **(entry.get("annotations") or {})}}


def _picked(fields: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: fields[name] for name in names if fields.get(name) is not None}
