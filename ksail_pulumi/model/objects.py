"""The Kubernetes objects in the text of a manifest.

A text stays as it is written: Omni reads YAML by other rules than this package, so it gets each document unchanged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from ksail_pulumi.goyaml.loaders import SafeLoader, load
from ksail_pulumi.goyaml.write import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DEFINITION = "CustomResourceDefinition"
CLUSTER_WIDE = frozenset(
    {
        "APIService",
        "CSIDriver",
        "ClusterRole",
        "ClusterRoleBinding",
        DEFINITION,
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)
"""Kinds of Kubernetes whose objects are in no namespace."""

_BETWEEN = re.compile(r"^---(?:[ \t].*)?$", re.MULTILINE)
_METADATA = re.compile(r"^metadata:[ \t]*\n([ \t]+)", re.MULTILINE)


@dataclass(frozen=True)
class KubernetesObject:
    """An object in a manifest.

    Attributes:
        version: Its `apiVersion`.
        kind: Its kind.
        namespace: Its namespace; `""` for none.
        name: Its name.
        text: Its document.
    """

    version: str
    kind: str
    namespace: str
    name: str
    text: str = field(repr=False, compare=False)

    def __str__(self) -> str:
        """As Omni names it: `ConfigMap/default/one`."""
        return "/".join(filter(None, (self.kind, self.namespace, self.name)))

    @property
    def group(self) -> str:
        """The API group; `""` for that of Kubernetes' first kinds."""
        return self.version.rpartition("/")[0]

    def content(self) -> Any:
        """Its fields.

        Raises:
            yaml.YAMLError: The text is not valid YAML.
        """
        return load(self.text)

    def within(self, namespace: str) -> KubernetesObject:
        """The object in a namespace, if it needs one and has none."""
        if self.namespace or self.kind in CLUSTER_WIDE:
            return self
        text, found = _METADATA.subn(lambda place: f"{place[0]}namespace: {namespace}\n{place[1]}", self.text, count=1)
        if not found:
            content = self.content()
            text = encode({**content, "metadata": {**content["metadata"], "namespace": namespace}})
        return KubernetesObject(self.version, self.kind, namespace, self.name, text)


def objects_in(text: str) -> list[KubernetesObject]:
    """The objects in a text, in its order. Documents that are no object are left out."""
    return [each for document in _BETWEEN.split(text) if (each := _object(document)) is not None]


def joined(objects: Iterable[KubernetesObject]) -> str:
    """The text of a manifest with these objects."""
    return "---\n".join(each.text.strip("\n") + "\n" for each in objects)


def _object(document: str) -> KubernetesObject | None:
    found: dict[str, str] = {}
    try:
        for path, value in _scalars(document):
            found[path] = value
            # What follows is not needed, and in a definition it is long.
            if len(found) >= 4 or (len(found) == 3 and found.get("kind") in CLUSTER_WIDE):
                break
    except yaml.YAMLError:
        return None
    wanted = ("apiVersion", "kind", "metadata.namespace", "metadata.name")
    version, kind, namespace, name = (found.get(each, "") for each in wanted)
    return KubernetesObject(version, kind, namespace, name, document.strip("\n") + "\n") if kind and name else None


_IDENTITY = {"apiVersion", "kind", "metadata.name", "metadata.namespace"}


def _scalars(document: str) -> Iterator[tuple[str, str]]:
    """The texts that identify an object, each with its path. Works on events: nesting costs nothing."""
    path: list[str] = []
    depth, key = 0, True
    for event in yaml.parse(document, Loader=SafeLoader):
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            path, key = path[:depth], True
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            key = isinstance(event, yaml.MappingStartEvent)
        elif isinstance(event, yaml.ScalarEvent) and depth in (1, 2) and len(path) >= depth - 1:
            if key:
                path = [*path[: depth - 1], event.value]
            elif (place := ".".join(path)) in _IDENTITY:
                yield place, event.value
            key = not key
