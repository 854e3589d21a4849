"""The schema of the plugin `ksail`, from which Pulumi makes `KSailCluster` for every language."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from input_fields import ALWAYS_SET, Input, Part, Shape, component_parts
from ksail_pulumi.formats.descriptions import first_sentence, on_the_wire
from ksail_pulumi.lifecycle.outputs import FACTS, SECRETS, ClusterNode
from ksail_pulumi.provider.cluster import OmniCluster

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_SCALARS = {"str": "string", "int": "integer", "bool": "boolean", "literal": "string"}
_ANY = {"$ref": "pulumi.json#/Any"}


def text() -> str:
    """The schema as JSON, without the version of the package."""
    return json.dumps(_schema(), indent=2, ensure_ascii=False) + "\n"


def _schema() -> dict[str, Any]:
    *parts, options, cluster = component_parts()
    inputs = (*cluster.inputs, *options.inputs)
    types = {_token(part.name): _type(part) for part in parts}
    enums = {_token(name): enum for part in (*parts, cluster) for name, enum in _enums(part, cluster)}
    outputs = dict(_outputs())
    return {
        "name": "ksail",
        "displayName": "KSail",
        "description": "Talos Kubernetes clusters on Sidero Omni",
        "keywords": ["category/infrastructure", "kind/component", "kubernetes", "omni", "talos"],
        "license": "Apache-2.0",
        "meta": {"moduleFormat": "(.*)"},
        "types": dict(sorted({**types, **enums, _token("ClusterNode"): _node()}.items())),
        "resources": {
            _token("KSailCluster"): {
                "isComponent": True,
                "description": "A Talos Kubernetes cluster on Sidero Omni. "
                "Its Omni is that of the stack: `omni:endpoint` and the secret `omni:serviceAccountKey`, or the "
                "environment variables `OMNI_ENDPOINT` and `OMNI_SERVICE_ACCOUNT_KEY`.",
                "properties": outputs,
                "required": list(outputs),
                "inputProperties": {each.wire: _property(each, cluster, cluster) for each in inputs},
            }
        },
        "language": {name: {"respectSchemaVersion": True} for name in ("csharp", "go", "nodejs", "python")},
    }


def _token(name: str) -> str:
    return f"ksail:index:{name}"


def _type(part: Part) -> dict[str, Any]:
    found = {
        "type": "object",
        "description": on_the_wire(part.description),
        "properties": {each.wire: _property(each, part) for each in part.inputs},
    }
    required = [each.wire for each in part.inputs if each.required]
    return {**found, "required": required} if required else found


def _property(each: Input, part: Part, cluster: Part | None = None) -> dict[str, Any]:
    schema = _union(each.shapes, _enum_name(each, part, cluster))
    marks = {"plain": each.plain, "secret": each.secret}
    shown = {name: True for name, marked in marks.items() if marked}
    return {**schema, **shown, "description": on_the_wire(each.description)}


def _union(shapes: Sequence[Shape], enum: str) -> dict[str, Any]:
    if len(shapes) == 1:
        (shape,) = shapes
        return {"$ref": f"#/types/{_token(enum)}"} if shape.kind == "literal" else _one(shape, enum)
    found = {json.dumps(one): one for one in (_one(shape, enum) for shape in shapes)}
    return {"oneOf": list(found.values())}


def _one(shape: Shape, enum: str) -> dict[str, Any]:
    match shape.kind:
        case "any":
            return _ANY
        case "list":
            return {"type": "array", "items": _union(shape.items, enum)}
        case "map":
            return {"type": "object", "additionalProperties": _union(shape.items, enum)}
        case "part":
            return {"$ref": f"#/types/{_token(shape.part)}"}
        case scalar:
            return {"type": _SCALARS[scalar]}


def _enums(part: Part, cluster: Part) -> Iterator[tuple[str, dict[str, Any]]]:
    """The types of the texts that have fixed values, by name."""
    for each in part.inputs:
        for shape in (*each.shapes, *(item for outer in each.shapes for item in outer.items)):
            if shape.kind == "literal" and len(each.shapes) == 1:
                yield (
                    _enum_name(each, part, cluster),
                    {"type": "string", "enum": [{"value": value} for value in shape.values]},
                )


def _enum_name(each: Input, part: Part, cluster: Part | None) -> str:
    name = each.wire[:1].upper() + each.wire[1:]
    return name if part is cluster else f"{part.name}{name}"


def _outputs() -> Iterator[tuple[str, dict[str, Any]]]:
    wire = {name: re.sub(r"_(.)", lambda found: found[1].upper(), name) for name in ALWAYS_SET}
    facts = {re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower(): name for name in FACTS if name != "schema"}
    for name, key in (wire | facts).items():
        getter = getattr(OmniCluster, name).fget
        schema = _annotated(getter.__annotations__["return"].removeprefix("Output[").removesuffix("]"))
        secret = {"secret": True} if key in SECRETS else {}
        yield key, {**schema, **secret, "description": first_sentence(getter.__doc__)}


def _node() -> dict[str, Any]:
    lines = (ClusterNode.__doc__ or "").splitlines()
    texts: Mapping[str, str] = dict(line.strip().split(": ", 1) for line in lines if re.match(r" +\w+: ", line))
    properties = {
        name: {**_annotated(kind.__forward_arg__), "description": texts[name]}
        for name, kind in ClusterNode.__annotations__.items()
    }
    return {"type": "object", "description": lines[0], "properties": properties, "required": list(properties)}


def _annotated(kind: str) -> dict[str, Any]:
    """The schema of a type in an annotation of an output."""
    if kind.startswith("list["):
        return {"type": "array", "items": _annotated(kind[len("list[") : -1])}
    return {"type": _SCALARS[kind]} if kind in _SCALARS else {"$ref": f"#/types/{_token(kind)}"}
