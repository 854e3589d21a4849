"""Which values of a cluster's inputs may not be shown: what a `Gate` has to know."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import yaml

from ksail_pulumi.goyaml.loaders import SafeLoader
from ksail_pulumi.goyaml.read import MAX_DEPTH
from ksail_pulumi.model.objects import objects_in
from ksail_pulumi.problems import is_private

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ksail_pulumi.problems import FieldPath

_TEXTS = ("inline", "job", "providerData")
"""Fields that may hold YAML text."""

_IDENTIFIERS = frozenset({"idOverride", "interval", "mode", "name"})
"""What is not private of a patch, a manifest or a health check: Omni names them by it."""


def secret_values(wire: Mapping[str, Any], marked: Collection[FieldPath]) -> set[str]:
    """What the user has marked as secret.

    Args:
        wire: Inputs on the wire. They need not be those of a valid cluster.
        marked: The paths of what is marked.
    """
    return {value for path, value in _scalars(wire, ()) if any(path[: len(each)] == each for each in marked)}


def private_values(wire: Mapping[str, Any]) -> set[str]:
    """What patches, manifests, labels and annotations hold in inputs on the wire, valid or not."""
    return {value for path, value in _scalars(wire, ()) if _is_content(path)} - set(_names(wire))


def _scalars(value: Any, path: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    """Every text and number in a value, with its path. Of YAML text these are its values, with the path of the text."""
    if isinstance(value, str) and path[-1:] and path[-1] in _TEXTS:
        yield from ((path, scalar) for scalar in _in_yaml(value))
    elif isinstance(value, str):
        yield path, value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, f"{value:.15g}"
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _scalars(item, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _scalars(item, (*path, index))


def _is_content(path: FieldPath) -> bool:
    """Whether a value is the content of a patch or a manifest, or that of a label or an annotation."""
    if not is_private(path):
        return False
    # Names are identifiers only where they are those of a patch itself, not of something in its content.
    return path[-1] not in _IDENTIFIERS or any(part in (*_TEXTS, "labels", "annotations") for part in path[:-1])


def _names(wire: Mapping[str, Any]) -> Iterator[str]:
    """What identifies the cluster and its parts in every text about them. None of it can be a secret."""
    for key in ("name", "endpoint", "kubernetesVersion", "talosVersion"):
        if isinstance(value := wire.get(key), str):
            yield value
    workers = wire.get("workers")
    sets = [wire.get("controlPlane"), *(workers if isinstance(workers, list | tuple) else ())]
    for machine_set in sets:
        if isinstance(machine_set, Mapping):
            if isinstance(listed := machine_set.get("machines"), list | tuple):
                yield from map(str, listed)
            yield str(machine_set.get("name", "workers"))
    if isinstance(machines := wire.get("machines"), Mapping):
        yield from machines
    if isinstance(manifests := wire.get("manifests"), list | tuple):
        yield from (name for each in manifests if isinstance(each, Mapping) for name in _object_names(each))
    if isinstance(addons := wire.get("addons"), Mapping):
        yield from (name for each in addons.values() if isinstance(each, Mapping) for name in _object_names(each))


def _object_names(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What identifies the Kubernetes objects of a manifest: version, kind, namespace and name."""
    inline = manifest.get("inline")
    if isinstance(inline, str):
        with suppress(ValueError):  # the validation reports it
            for each in objects_in(inline):
                yield from (each.version, each.kind, each.namespace, each.name)
        return
    for each in inline if isinstance(inline, list | tuple) else (inline,):
        if isinstance(each, Mapping):
            metadata = each.get("metadata")
            named = metadata if isinstance(metadata, Mapping) else {}
            found = (each.get("apiVersion"), each.get("kind"), named.get("namespace"), named.get("name"))
            if found[1] and found[3]:
                yield from (value for value in found if isinstance(value, str))


def _in_yaml(text: str) -> Iterator[str]:
    """The values in a YAML text, or of each of its lines what is behind the key, where it is none."""
    try:
        found = list(_values(text))
    except (yaml.YAMLError, ValueError, RecursionError):
        lines = [line.strip(" -") for line in text.splitlines()]
        found = [line.partition(": ")[2] or line for line in lines if not line.endswith(":")]
    yield from found


def _values(text: str) -> Iterator[str]:
    """The scalars of a YAML text that are no keys. Works on events: aliases are not followed, nesting costs nothing."""
    open_mappings: list[bool | None] = []  # for each open collection: whether a key comes next; None in a list
    for event in yaml.parse(text, Loader=SafeLoader):
        is_key = bool(open_mappings and open_mappings[-1])
        if isinstance(event, yaml.CollectionEndEvent):
            open_mappings.pop()
            continue
        if isinstance(event, yaml.NodeEvent) and open_mappings and open_mappings[-1] is not None:
            open_mappings[-1] = not is_key
        if isinstance(event, yaml.ScalarEvent) and not is_key:
            yield event.value
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(open_mappings) > MAX_DEPTH:
                raise ValueError("values are nested too deep")
            open_mappings.append(True if isinstance(event, yaml.MappingStartEvent) else None)
