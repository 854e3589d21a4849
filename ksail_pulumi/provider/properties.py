"""The properties of an `OmniCluster` in the state: inputs, facts, and hidden ones.

Pulumi hides names that begin with two underscores. Inputs and outputs share one namespace, and a preview shows inputs
instead of outputs that do not exist yet. So the inputs `kubeconfig` and `talosconfig` have other names here.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pulumi.output import Unknown
from pulumi.runtime import rpc

from ksail_pulumi.lifecycle.outputs import CHECKSUMS, FACTS, SECRETS, stored_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ksail_pulumi.lifecycle.outputs import ClusterOutputs
    from ksail_pulumi.problems import FieldPath

OWNER = "__owner"
"""The owner mark on everything that the resource creates in Omni. It follows the URN (`owner_by_urn`)."""

ADOPT = "__adopt"
"""Create takes over an existing cluster (`opts.import_`). `check` removes this property and the next ones."""

PREVIEW = "__preview"
"""The program runs in a preview."""

CREATE_FIRST = "__createFirst"
"""A replacement creates before it deletes (`opts.delete_before_replace` is False)."""

NAME_LEFT_OUT = "__nameLeftOut"
"""The program omits the name, so it is that of the resource."""

EARLIER = "__earlierClusters"
"""What decides the machines of the clusters that the program declares before this one: JSON, one on each line."""

REPLACED_ON = "__replacedOn"
"""The paths of the inputs whose change replaces the cluster (`opts.replace_on_changes`)."""

POSTPONED = "__postponed"
"""From `check` for `diff`: what an update will change. The engine makes no `diff` for a replacement that it decides."""

CLASSES = "__classes"
"""In a preview: the machine classes that the program declares before this cluster."""

DEPENDS = "__depends"
"""Of a machine class in `CLASSES`: whether the cluster is created after it."""

CONFIGS = "__configs"
"""In a preview: the URNs of the `MachineConfig`s that the cluster depends on."""

CHOSEN = "__chosen"
"""Versions of the replaced cluster that the program omits."""

MARKED = "__marked"
"""The paths of the inputs that are marked as secret. Not among the inputs that `check` returns, but in the outputs."""

BACKED_UP = "__backedUp"
"""From `check`: whether the inputs in the state ask for a backup before the deletion."""

REFUSED = "__refused"
"""From `check` for `create` and `delete`: why a replacement must not delete, and nothing be created."""

UNSEEN = "__unseen"
"""From `check` for `diff`: a hidden input differs from the stored one, which the engine would show."""

PACKAGE = "__package"
"""In outputs: the version of this package that wrote them."""

UNFINISHED = "__unfinished"
"""In outputs: the attempt whose creation mark is still on the cluster."""

PINNED = "__pinned"
"""In outputs: the versions that the user omits."""

OMNI = "__omni"
"""In outputs: the endpoint of the Omni where the cluster was last seen."""

CONNECTION = "__connection"
"""Of a child: the inputs of its cluster that say how to reach Omni. Where they differ, nothing else does."""

_CONTENTS = frozenset(
    {"annotations", "description", "inline", "job", "kernelArgs", "labels", "metaValues", "providerData", "url"}
)

VERSIONS = ("kubernetesVersion", "talosVersion")
_HIDDEN = object()


def stored(
    outputs: ClusterOutputs, inputs: Mapping[str, Any], endpoint: str, marked: Sequence[FieldPath] = ()
) -> dict[str, Any]:
    """The outputs of a cluster that was made from `inputs` (properties): these as they are, the facts, the versions.

    The endpoint is that of the Omni that the cluster is in, and `marked` the paths of what is marked as secret.
    """
    found = outputs.to_wire()
    pinned = [version for version in VERSIONS if version not in inputs and version in found]
    return {
        **{key: guarded(key, found[key]) for key in (*FACTS, CHECKSUMS, *pinned) if key in found},
        **inputs,
        PINNED: pinned,
        OMNI: endpoint,
        PACKAGE: package_version(),
        **({UNFINISHED: outputs.creation} if outputs.creation else {}),
        **({MARKED: [list(path) for path in marked]} if marked else {}),
    }


@cache
def package_version() -> str:
    """The version of this package."""
    from importlib import metadata  # slow to import, and without changes nothing is stored

    return metadata.version("ksail-pulumi")


def refreshed(outputs: ClusterOutputs, old: Mapping[str, Any], endpoint: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Outputs and inputs of a cluster after a refresh, given its stored outputs.

    The inputs have the user's own spelling already (`plan.refresh`).
    """
    inputs = {**({OWNER: old[OWNER]} if OWNER in old else {}), **stored_inputs(outputs.inputs)}
    pinned = [version for version in old.get(PINNED, ()) if version in inputs]
    versions = {version: inputs.pop(version) for version in pinned}
    # Credentials of an earlier release stay until the cluster's children have them.
    kept = {key: guarded(key, old[key]) for key in (CHECKSUMS, MARKED, *SECRETS) if key in old}
    return {**stored(outputs, inputs, endpoint), **versions, **kept, PINNED: pinned}, inputs


def found(wire: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of a resource without inputs in the state (`OmniCluster.get`).

    Contents of patches, manifests, labels and similar fields are secret, because Omni does not know whether their
    author has marked them.
    """
    return {key: _contents_guarded(key, value) for key, value in wire.items()}


def _contents_guarded(key: str, value: Any) -> Any:
    if key in _CONTENTS or key in SECRETS:
        return rpc.wrap_rpc_secret(value)
    if isinstance(value, dict):
        return {name: _contents_guarded(name, item) for name, item in value.items()}
    return [_contents_guarded("", item) for item in value] if isinstance(value, list) else value


def without_unknowns(inputs: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldPath]]:
    """The inputs in a preview without their unknown parts, and the paths of these.

    A list with an unknown item is unknown as a whole, because its length may change.
    """
    unknown: list[FieldPath] = []
    return _known(inputs, (), unknown), unknown


def _known(value: Any, path: FieldPath, unknown: list[FieldPath]) -> Any:
    if isinstance(value, Unknown):
        unknown.append(path)
        return _HIDDEN
    if isinstance(value, list):
        items = [_known(item, (*path, index), unknown) for index, item in enumerate(value)]
        return _HIDDEN if any(item is _HIDDEN for item in items) else items
    if isinstance(value, dict):
        known = {key: _known(item, (*path, key), unknown) for key, item in value.items()}
        return {key: item for key, item in known.items() if item is not _HIDDEN}
    return value


def differs_for_certain(old: Any, new: Any) -> bool:
    """Whether a stored value differs from one with unknown parts, whatever these are."""
    if isinstance(new, Unknown):
        return False
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        return any(differs_for_certain(old[key], value) for key, value in new.items())
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return any(map(differs_for_certain, old, new))
    return bool(old != new)


def concerns(path: FieldPath, unknown: list[FieldPath]) -> bool:
    """Whether a problem with a field may be caused by an unknown value in it or around it."""
    return any(path[: len(each)] == each or each[: len(path)] == path for each in unknown)


def guarded(key: str, value: Any) -> Any:
    """The value of a property, marked as secret if it is a credential."""
    return rpc.wrap_rpc_secret(value) if key in SECRETS else value
