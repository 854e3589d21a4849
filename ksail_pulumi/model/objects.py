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

# YAML has these markers at the start of a line only, also within texts of several lines.
_BETWEEN = re.compile(r"^(?:---|\.\.\.)(?=[ \t\n]|\Z)", re.MULTILINE)
_LINE_BREAKS = re.compile(r"\r\n?")
_NULL = "tag:yaml.org,2002:null"
_NOTHING = re.compile(r"(?:[ \t]*(?:#.*)?\n|%.*\n)*")
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
    """The objects in a text, in its order. Other documents are left out: `faults_in` has those."""
    return [each for _, document in _documents(text) if (each := _object(document)) is not None]


def faults_in(text: str) -> Iterator[str]:
    """What is wrong with each document that is not one object."""
    for line, document in _documents(text):
        try:
            content = yaml.compose(document, Loader=SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            wrong = line + mark.line if mark is not None else line
            yield f"line {wrong} of its manifest is not valid YAML: give a corrected manifest as `file` or `inline`"
            continue
        found = _object(document)
        single = found is not None and found.version and (found.version, found.kind) != ("v1", "List")
        if not single and content is not None and content.tag != _NULL:
            yield (
                f"the document at line {line} of its manifest is not one Kubernetes object with apiVersion, kind and "
                "metadata.name. Give a manifest without it as `file` or `inline`; make each item of a List a document"
            )


def joined(objects: Iterable[KubernetesObject]) -> str:
    """The text of a manifest with these objects."""
    return "---\n".join(each.text.strip("\n") + "\n" for each in objects)


def _documents(text: str) -> Iterator[tuple[int, str]]:
    """The documents in a text, each with its line; not those that have nothing but comments and directives."""
    text = _LINE_BREAKS.sub("\n", text.removeprefix("\ufeff"))
    line = 1
    for each in _BETWEEN.split(text):
        document = each.strip("\n") + "\n"
        if not _NOTHING.fullmatch(document):
            yield line + len(each) - len(each.lstrip("\n")), document
        line += each.count("\n")


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
    return KubernetesObject(version, kind, namespace, name, document) if kind and name else None


_IDENTITY = {"apiVersion", "kind", "metadata.name", "metadata.namespace"}


def _scalars(document: str) -> Iterator[tuple[str, str]]:
    """The texts that identify an object, each with its path. Works on events: nesting costs nothing."""
    path: list[str] = []
    anchors: dict[str, str] = {}
    depth, key = 0, True
    for event in yaml.parse(document, Loader=SafeLoader):
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            path, key = path[:depth], True
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            key = isinstance(event, yaml.MappingStartEvent)
        elif isinstance(event, (yaml.ScalarEvent, yaml.AliasEvent)):
            value = anchors.get(event.anchor or "", "") if isinstance(event, yaml.AliasEvent) else event.value
            if event.anchor:
                anchors[event.anchor] = value
            if depth in (1, 2) and len(path) >= depth - 1:
                if key:
                    path = [*path[: depth - 1], value]
                elif (place := ".".join(path)) in _IDENTITY:
                    yield place, value
                key = not key
