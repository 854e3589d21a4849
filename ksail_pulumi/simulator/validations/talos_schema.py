"""The fields of a Talos machine configuration and their types (`talos_schema.yaml`)."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

import yaml

from ksail_pulumi.goyaml.loaders import load

V1ALPHA1 = "v1alpha1.Config"
"""The Go type of the v1alpha1 configuration (`machine:`, `cluster:`)."""

_SCALARS = {"string": frozenset(("str", "int", "bool", "float", "timestamp")), "bool": frozenset(("bool",)),
            "int": frozenset(("int",))}  # fmt: skip
_TAG = "tag:yaml.org,2002:"

_BOOLS = frozenset(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF"))
"""Text that Go's YAML library takes for a bool, as YAML 1.1 does."""
_DURATION = re.compile(r"[-+]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)")

Fields = Mapping[str, str]


@functools.cache
def _schema() -> Mapping[str, Any]:
    text = resources.files(__package__).joinpath("talos_schema.yaml").read_text(encoding="utf-8")
    schema: Mapping[str, Any] = load(text)
    return schema


def document(kind: str) -> tuple[str, Fields | None] | None:
    """The Go type of a document kind and its fields (None: not known); None for an unknown kind."""
    known = _schema()["documents"].get(kind)
    if known is None:
        return None
    fields = known.get("fields")
    common = {"apiVersion": "string", "kind": "string"}
    return known.get("go", kind), None if fields is None else {**fields, **common}


def fields_of(type_name: str) -> Fields | None:
    """The fields of a structure; None for other types."""
    fields: Fields | None = _schema()["types"].get(type_name)
    return fields


def type_faults(node: yaml.MappingNode, fields: Fields) -> Iterator[str]:
    """Values of the wrong type, with Go's texts. The document must not contain aliases."""
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value in fields:
            yield from _value_faults(value, fields[key.value])


def unknown_keys(node: yaml.MappingNode, fields: Fields) -> dict[str, Any]:
    """The part of a document with unknown fields, as data; empty if there is none."""
    unknown: dict[str, Any] = {}
    for key, value in node.value:
        if key.value not in fields:
            unknown[key.value] = yaml.SafeLoader("").construct_document(value)
        elif deeper := _unknown_below(value, fields[key.value]):
            unknown[key.value] = deeper
    return unknown


def _value_faults(node: yaml.Node, kind: str) -> Iterator[str]:
    if kind == "any" or node.tag == f"{_TAG}null":
        return
    fields = fields_of(kind)
    choices = _schema()["enums"].get(kind)
    if choices is not None:
        if isinstance(node, yaml.ScalarNode) and node.value not in choices:
            yield f"line {_line(node)}: {node.value} does not belong to {kind} values"
    elif kind.startswith("[]") and isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _value_faults(item, _inner(kind))
    elif kind.startswith("map[") and isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _value_faults(value, _inner(kind))
    elif fields is not None and isinstance(node, yaml.MappingNode):
        yield from type_faults(node, fields)
    elif not (isinstance(node, yaml.ScalarNode) and _is_scalar(node, kind)):
        yield f"line {_line(node)}: cannot construct {_shown(node)} into {kind.replace('any', 'interface {}')}"


def _is_scalar(node: yaml.ScalarNode, kind: str) -> bool:
    if kind == "time.Duration":
        return _DURATION.fullmatch(node.value) is not None
    tag = node.tag.removeprefix(_TAG)
    return tag in _SCALARS.get(kind, ()) or (kind == "bool" and tag == "str" and node.value in _BOOLS)


def duplicate_keys(node: yaml.Node) -> Iterator[str]:
    """Keys that a mapping has twice, with Go's texts. The document must not contain aliases."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from duplicate_keys(item)
    elif isinstance(node, yaml.MappingNode):
        seen: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and seen.setdefault(key.value, key) is not key:
                earlier = _line(seen[key.value])
                yield f'line {_line(key)}: mapping key "{key.value}" already defined at line {earlier}'
            yield from duplicate_keys(value)


def _unknown_below(node: yaml.Node, kind: str) -> Any:
    fields = fields_of(kind)
    if fields is not None and isinstance(node, yaml.MappingNode):
        return unknown_keys(node, fields)
    if kind.startswith("[]") and isinstance(node, yaml.SequenceNode):
        return [unknown for item in node.value if (unknown := _unknown_below(item, _inner(kind)))]
    if kind.startswith("map[") and isinstance(node, yaml.MappingNode):
        return {key.value: unknown for key, value in node.value if (unknown := _unknown_below(value, _inner(kind)))}
    return None


def _inner(kind: str) -> str:
    return kind.removeprefix("[]") if kind.startswith("[]") else kind.removeprefix("map[string]")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return f"!!{node.tag.removeprefix(_TAG)} `{node.value}`"
    return "!!seq" if isinstance(node, yaml.SequenceNode) else "!!map"
