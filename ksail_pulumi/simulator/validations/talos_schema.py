"""Which fields a Talos machine configuration has, and of which type (`talos_schema.yaml`)."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

import yaml

from ksail_pulumi.simulator.validations.faults import Refused

V1ALPHA1 = "v1alpha1.Config"
"""The type of the configuration with `machine:` and `cluster:`."""

DEEPEST = 100
"""How deep a configuration may be nested."""

_SCALARS = {"string": frozenset(("str", "int", "bool", "float", "timestamp")), "bool": frozenset(("bool",)),
            "int": frozenset(("int",))}  # fmt: skip
_TAG = "tag:yaml.org,2002:"

Fields = Mapping[str, str]


@functools.cache
def _schema() -> Mapping[str, Any]:
    text = resources.files(__package__).joinpath("talos_schema.yaml").read_text(encoding="utf-8")
    schema: Mapping[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return schema


def document(kind: str) -> tuple[str, Fields | None] | None:
    """The Go type of a document's kind and its fields (None: not known); None for a kind that does not exist."""
    known = _schema()["documents"].get(kind)
    if known is None:
        return None
    fields = known.get("fields")
    common = {"apiVersion": "string", "kind": "string"}
    return known.get("go", kind), None if fields is None else {**fields, **common}


def fields_of(type_name: str) -> Fields | None:
    """The fields of a structure; None for what is none."""
    fields: Fields | None = _schema()["types"].get(type_name)
    return fields


class Examination:
    """Compares one document with its fields. Each part is looked at once, however often aliases repeat it."""

    def __init__(self) -> None:
        """Begin."""
        self._seen: set[tuple[int, str]] = set()
        self._unknown: dict[tuple[int, str], Any] = {}

    def type_faults(self, node: yaml.MappingNode, fields: Fields) -> list[str]:
        """Values that cannot be what their field is, in Go's words."""
        return list(self._structure(node, fields, 0))

    def unknown_keys(self, node: yaml.MappingNode, fields: Fields) -> Any:
        """The part of the document that has no field, as data; None if there is none."""
        unknown = {}
        for key, value in node.value:
            if key.value not in fields:
                unknown[key.value] = _data(value)
            elif (deeper := self._unknown_below(value, fields[key.value])) is not None:
                unknown[key.value] = deeper
        return unknown or None

    def _structure(self, node: yaml.MappingNode, fields: Fields, depth: int) -> Iterator[str]:
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in fields:
                yield from self._value(value, fields[key.value], depth + 1)

    def _value(self, node: yaml.Node, kind: str, depth: int) -> Iterator[str]:
        if depth > DEEPEST:
            raise Refused("decode error: go-yaml load error in composer: exceeded max depth")
        if (id(node), kind) in self._seen or kind == "any" or node.tag == f"{_TAG}null":
            return
        self._seen.add((id(node), kind))
        inner = _inner(kind)
        fields = fields_of(kind)
        choices = _schema()["enums"].get(kind)
        if choices is not None:
            if isinstance(node, yaml.ScalarNode) and node.value not in choices:
                yield f"line {_line(node)}: {node.value} does not belong to {kind} values"
        elif kind.startswith("[]") and isinstance(node, yaml.SequenceNode):
            for item in node.value:
                yield from self._value(item, inner, depth + 1)
        elif kind.startswith("map[") and isinstance(node, yaml.MappingNode):
            for _, value in node.value:
                yield from self._value(value, inner, depth + 1)
        elif fields is not None and isinstance(node, yaml.MappingNode):
            yield from self._structure(node, fields, depth)
        elif not (isinstance(node, yaml.ScalarNode) and node.tag.removeprefix(_TAG) in _SCALARS.get(kind, ())):
            yield f"line {_line(node)}: cannot construct {_shown(node)} into {kind.replace('any', 'interface {}')}"

    def _unknown_below(self, node: yaml.Node, kind: str) -> Any:
        place = (id(node), kind)
        if place not in self._unknown:
            self._unknown[place] = None
            self._unknown[place] = self._look_below(node, kind)
        return self._unknown[place]

    def _look_below(self, node: yaml.Node, kind: str) -> Any:
        fields = fields_of(kind)
        if fields is not None and isinstance(node, yaml.MappingNode):
            return self.unknown_keys(node, fields)
        if kind.startswith("[]") and isinstance(node, yaml.SequenceNode):
            items = [self._unknown_below(item, _inner(kind)) for item in node.value]
            return [item for item in items if item is not None] or None
        if kind.startswith("map[") and isinstance(node, yaml.MappingNode):
            found = {key.value: self._unknown_below(value, _inner(kind)) for key, value in node.value}
            return {key: value for key, value in found.items() if value is not None} or None
        return None


def _inner(kind: str) -> str:
    return kind.removeprefix("[]") if kind.startswith("[]") else kind.removeprefix("map[string]")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return f"!!{node.tag.removeprefix(_TAG)} `{node.value}`"
    return "!!seq" if isinstance(node, yaml.SequenceNode) else "!!map"


def _data(node: yaml.Node) -> Any:
    return yaml.SafeLoader("").construct_document(node)
