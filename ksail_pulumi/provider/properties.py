"""The properties of an `OmniCluster` as Pulumi stores them: inputs, facts, and some hidden ones of ours.

Pulumi hides what begins with two underscores. Inputs and outputs share one namespace, and a preview shows the inputs in
place of outputs that do not exist yet; so the inputs `kubeconfig` and `talosconfig` have other names in here.
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

from pulumi.output import Unknown
from pulumi.runtime import rpc

from ksail_pulumi.lifecycle.outputs import FACTS, SECRETS, stored_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ksail_pulumi.lifecycle.outputs import ClusterOutputs
    from ksail_pulumi.problems import FieldPath

OWNER = "__owner"
"""The mark on everything that the resource makes in Omni. It follows the resource's URN (`owner_by_urn`)."""

ADOPT = "__adopt"
"""An existing cluster is taken over by create (`opts.import_`). Never leaves `check`, as the next ones."""

PREVIEW = "__preview"
"""The program runs in a preview."""

CREATE_FIRST = "__createFirst"
"""A replacement creates before it deletes (`opts.delete_before_replace` is False)."""

NAME_LEFT_OUT = "__nameLeftOut"
"""The name is that of the resource, since the program gives none."""

CHOSEN = "__chosen"
"""Versions that the program leaves out and that the replaced cluster had."""

MARKED = "__marked"
"""The paths of the inputs that are marked as secret. Not among the inputs that `check` returns, but in the outputs."""

UNASKED = "__unasked"
"""What `check` tells `create` and `delete`: why Omni could not tell what a replacement keeps."""

UNSEEN = "__unseen"
"""What `check` tells `diff`: a hidden input differs from the stored one, and the engine would show that."""

PACKAGE = "__package"
"""In outputs: the version of this package that wrote them."""

UNFINISHED = "__unfinished"
"""In outputs: the attempt whose mark of an unfinished creation is still on the cluster."""

PINNED = "__pinned"
"""In outputs: the versions that the user left to us."""

OMNI = "__omni"
"""In outputs: the endpoint of the Omni that the cluster was last seen in."""

_CONTENTS = frozenset({"annotations", "description", "inline", "job", "kernelArgs", "labels", "url"})

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
        **{key: _guarded(key, found[key]) for key in (*FACTS, *pinned) if key in found},
        **inputs,
        PINNED: pinned,
        OMNI: endpoint,
        PACKAGE: metadata.version("ksail-pulumi"),
        **({UNFINISHED: outputs.creation} if outputs.creation else {}),
        **({MARKED: [list(path) for path in marked]} if marked else {}),
    }


def refreshed(outputs: ClusterOutputs, old: Mapping[str, Any], endpoint: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Outputs and inputs of a cluster as it was found, given the outputs that are stored of it.

    The inputs have the user's own spelling already (`plan.refresh`).
    """
    inputs = {**({OWNER: old[OWNER]} if OWNER in old else {}), **stored_inputs(outputs.inputs)}
    pinned = [version for version in old.get(PINNED, ()) if version in inputs]
    versions = {version: inputs.pop(version) for version in pinned}
    kept_marks = {MARKED: old[MARKED]} if MARKED in old else {}
    return {**stored(outputs, inputs, endpoint), **versions, **kept_marks, PINNED: pinned}, inputs


def found(outputs: ClusterOutputs) -> dict[str, Any]:
    """The outputs of a cluster that nobody asked for in this state (`OmniCluster.get`).

    What patches, manifests, labels and the like hold is secret: whether its author has marked it, nobody can tell from
    Omni.
    """
    return {key: _contents_guarded(key, value) for key, value in outputs.to_wire().items()}


def _contents_guarded(key: str, value: Any) -> Any:
    if key in _CONTENTS or key in SECRETS:
        return rpc.wrap_rpc_secret(value)
    if isinstance(value, dict):
        return {name: _contents_guarded(name, item) for name, item in value.items()}
    return [_contents_guarded("", item) for item in value] if isinstance(value, list) else value


def without_unknowns(inputs: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldPath]]:
    """What a preview knows of the inputs: without their unknown parts, and the paths of these.

    A list with an unknown item is unknown as a whole: it may get longer or shorter.
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


def concerns(path: FieldPath, unknown: list[FieldPath]) -> bool:
    """Whether what is said of a field may be due to something unknown in it, around it or in it."""
    return any(path[: len(each)] == each or each[: len(path)] == path for each in unknown)


def _guarded(key: str, value: Any) -> Any:
    return rpc.wrap_rpc_secret(value) if key in SECRETS else value
