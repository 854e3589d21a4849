"""The objects in the Kubernetes of a cluster, and how Omni and Talos apply manifests to them.

Both use server-side apply with an inventory: a list of the objects that came from them. An object of another inventory
is not changed, and an object that is no longer in the manifests is deleted if it is in the inventory.
"""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ksail_pulumi.simulator.kubernetes_kinds import BUILT_IN, DEFINITION, Kind, defined_by

ANNOTATION_INVENTORY = "config.k8s.io/owning-inventory"
USER, ONE_TIME, TALOS = "omni-user-inventory", "omni-sync-one-time", "talos-bootstrap-manifests-inventory"
INVENTORY_NAMESPACE = "kube-system"
RETRYABLE = "retryable error occurred while applying manifests"

_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_IMMUTABLE = {("Deployment", "selector"), ("DaemonSet", "selector"), ("StatefulSet", "selector"), ("Job", "template")}
_MOST_PORT = 65535

Object = dict[str, Any]


@dataclass(frozen=True)
class Key:
    """The identity of an object."""

    group: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Key:
        metadata = item["metadata"]
        group, slash, _ = str(item.get("apiVersion", "")).partition("/")
        namespace = str(metadata.get("namespace") or "")
        return cls(group if slash else "", str(item.get("kind", "")), namespace, str(metadata.get("name", "")))

    def __str__(self) -> str:
        """As Omni writes it: `ConfigMap/default/one`."""
        return "/".join(filter(None, (self.kind, self.namespace, self.name)))

    @property
    def entry(self) -> str:
        """Its key in the ConfigMap of an inventory."""
        name = self.name.replace(":", "__")
        return f"{self.namespace}_{name}_{self.group}_{self.kind}"


class NotAppliedError(Exception):
    """Manifests cannot be applied; the text is Omni's."""

    def __init__(self, text: str, *, fatal: bool) -> None:
        super().__init__(text)
        self.fatal = fatal


class Kubernetes:
    """The API server of one cluster. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._objects: dict[Key, Object] = {}
        self._applied: dict[Key, Object] = {}
        for name in _NAMESPACES:
            self._put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    # -- what users do

    def get(self, key: Key) -> Object | None:
        with self._lock:
            found = self._objects.get(key)
            return copy.deepcopy(found) if found is not None else None

    def write(self, item: Mapping[str, Any]) -> None:
        """Create or replace an object, as somebody does by hand."""
        with self._lock:
            self._put(copy.deepcopy(dict(item)))

    def patch(self, key: Key, patch: Mapping[str, Any]) -> Object | None:
        """Merge a patch into an object (RFC 7396); None if there is none."""
        with self._lock:
            found = self._objects.get(key)
            if found is None:
                return None
            self._objects[key] = merged(found, patch)
            return copy.deepcopy(self._objects[key])

    def delete(self, key: Key) -> None:
        """Delete an object; a namespace with all that is in it."""
        with self._lock:
            going = [key]
            if key.kind == "Namespace":
                going += [each for each in self._objects if each.namespace == key.name]
            if key.kind == DEFINITION:
                kinds = {(kind.group, kind.name) for kind in defined_by([self._objects.get(key, {})])}
                going += [each for each in self._objects if (each.group, each.kind) in kinds]
            for each in going:
                self._objects.pop(each, None)
                self._applied.pop(each, None)

    def kinds(self, version: str = "") -> list[Kind]:
        """The kinds of a group and version; all if it is left out."""
        with self._lock:
            definitions = [item for key, item in self._objects.items() if key.kind == DEFINITION]
            return [kind for kind in (*BUILT_IN, *defined_by(definitions)) if version in ("", kind.version)]

    # -- what Omni and Talos do

    def listed(self, inventory: str) -> set[str]:
        """The entries of an inventory, also those of objects that somebody has deleted."""
        with self._lock:
            return set(self._objects.get(_inventory(inventory), {}).get("data") or {})

    def _inventory(self, name: str) -> set[Key]:
        entries = self.listed(name)
        return {key for key in self._objects if key.entry in entries} if entries else set()

    def create_missing(self, objects: Iterable[Mapping[str, Any]], inventory: str | None) -> None:
        """Create what does not exist, as Talos does; before Talos 1.13 without an inventory."""
        with self._lock:
            for item in objects:
                key = Key.of(item)
                if key not in self._objects:
                    self._put(_owned(item, inventory) if inventory else dict(item))
                    if inventory:
                        self._record(inventory, {*self._inventory(inventory), key})

    def sync(self, inventory: str, objects: Sequence[Mapping[str, Any]], *, prune: bool) -> None:
        """Apply all objects of an inventory, or none of them.

        Raises:
            NotAppliedError: One of them cannot be applied.
        """
        with self._lock:
            wanted = {Key.of(item): _owned(item, inventory) for item in objects}
            known = {(kind.version, kind.name): kind for kind in self.kinds()}
            known |= {(kind.version, kind.name): kind for kind in defined_by(
                item for key, item in wanted.items() if key.kind == DEFINITION)}  # fmt: skip
            changed = {key: item for key, item in wanted.items() if not self._same(key, item)}
            for key, item in wanted.items():
                self._check(key, item, known, inventory, changed=key in changed)
            namespaces = {key.name for key in (*self._objects, *wanted) if key.kind == "Namespace"}
            if any(key.namespace and key.namespace not in namespaces for key in changed):
                raise NotAppliedError(RETRYABLE, fatal=False)
            for key, item in changed.items():
                self._apply(key, item)
            stale = self._inventory(inventory) - wanted.keys() if prune else set()
            for key in stale:
                self.delete(key)
            self._record(inventory, self._inventory(inventory) - stale | wanted.keys())

    def _check(
        self, key: Key, item: Object, known: Mapping[tuple[str, str], Kind], inventory: str, *, changed: bool
    ) -> None:
        kind = known.get((str(item.get("apiVersion")), key.kind))
        if kind is None:
            raise NotAppliedError(RETRYABLE, fatal=False)
        if kind.namespaced and not key.namespace:
            text = f"{key} namespace not specified: the server could not find the requested resource"
            raise NotAppliedError(f"1 error(s) occurred:\n\t{text}", fatal=True)
        found = self._objects.get(key)
        if fault := _invalid(key, item, found):
            version = item["apiVersion"]
            resource = f"{key.kind}.{key.group}" if key.group else key.kind
            raise NotAppliedError(
                f"failed to diff object {version}.{key}, apply dry run failed for {key}: 1 error(s) occurred:\n\t"
                f'{key} dry-run failed (Invalid): {resource} "{key.name}" is invalid: {fault}',
                fatal=True,
            )
        owner = _annotations(found).get(ANNOTATION_INVENTORY) if found else None
        if changed and owner not in (None, inventory):
            raise NotAppliedError(RETRYABLE, fatal=False)

    def _same(self, key: Key, item: Object) -> bool:
        found = self._objects.get(key)
        return found is not None and self._applied.get(key) == item and merged(found, item) == found

    def _apply(self, key: Key, item: Object) -> None:
        """Server-side apply: fields that were applied before and are gone now are removed, those of others stay."""
        before = self._objects.get(key, {})
        left = _without(before, self._applied.get(key, {}), item)
        self._objects[key] = merged(left, item)
        self._applied[key] = item

    def _put(self, item: Object) -> None:
        self._objects[Key.of(item)] = item

    def _record(self, inventory: str, keys: Iterable[Key]) -> None:
        key = _inventory(inventory)
        data = {each.entry: "" for each in sorted(keys, key=str)}
        self._put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(key), "data": data})


def merged(item: Mapping[str, Any], patch: Mapping[str, Any]) -> Object:
    """An object with a merge patch (RFC 7396)."""
    result = dict(item)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            old = result.get(name)
            result[name] = merged(old if isinstance(old, Mapping) else {}, value)
        else:
            result[name] = value
    return result


def _without(item: Mapping[str, Any], before: Mapping[str, Any], now: Mapping[str, Any]) -> Object:
    """An object without the fields that were applied before and are not any longer."""
    result = dict(item)
    for name, value in before.items():
        if name not in now:
            result.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(now[name], Mapping) and isinstance(result.get(name), Mapping):
            result[name] = _without(result[name], value, now[name])
    return result


def _owned(item: Mapping[str, Any], inventory: str) -> Object:
    owned = copy.deepcopy(dict(item))
    owned["metadata"] = {**owned["metadata"], "annotations": {**_annotations(item), ANNOTATION_INVENTORY: inventory}}
    return owned


def _annotations(item: Mapping[str, Any] | None) -> Mapping[str, str]:
    found = (item or {}).get("metadata", {}).get("annotations")
    return found if isinstance(found, Mapping) else {}


def _invalid(key: Key, item: Mapping[str, Any], found: Mapping[str, Any] | None) -> str:
    """What the API server would refuse: ports of a Service, and changes of fields that are immutable."""
    given = item.get("spec")
    spec: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    ports = spec.get("ports") if key.kind == "Service" else None
    faults = [
        f"spec.ports[{index}].{field}: Invalid value: {port['port']}: must be between 1 and {_MOST_PORT}, inclusive"
        for index, port in enumerate(ports or ())
        if not 1 <= port.get("port", 1) <= _MOST_PORT
        for field in ("port", "targetPort")
    ]
    before = (found or {}).get("spec") or {}
    for kind, field in sorted(_IMMUTABLE):
        if key.kind == kind and field in before and field in spec and before[field] != spec[field]:
            value = json.dumps(spec[field], separators=(",", ":"))
            faults.append(f"spec.{field}: Invalid value: {value}: field is immutable")
    return f"[{', '.join(faults)}]" if len(faults) > 1 else "".join(faults)


def _inventory(name: str) -> Key:
    return Key("", "ConfigMap", INVENTORY_NAMESPACE, name)


def _metadata(key: Key) -> dict[str, str]:
    return {"name": key.name, "namespace": key.namespace}


class Clusters:
    """The API servers of all clusters, by the cluster's name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clusters: dict[str, Kubernetes] = {}

    def of(self, cluster: str) -> Kubernetes:
        with self._lock:
            return self._clusters.setdefault(cluster, Kubernetes())

    def forget(self, cluster: str) -> None:
        with self._lock:
            self._clusters.pop(cluster, None)
