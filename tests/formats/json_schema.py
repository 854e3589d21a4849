"""The part of JSON Schema (draft 2020-12) that the schemas here use; a keyword beyond it is an error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "number": (int, float),
}
_NOTES = frozenset({"$schema", "$defs", "title", "description", "default"})


def mistakes(value: Any, schema: Mapping[str, Any]) -> list[str]:
    """What in a value does not fit a schema."""
    return list(_mistakes(value, schema, schema, ""))


def _mistakes(value: Any, schema: Any, root: Mapping[str, Any], path: str) -> Iterator[str]:
    if isinstance(schema, bool):
        if not schema:
            yield f"{path}: nothing is allowed here"
        return
    for keyword, argument in schema.items():
        if keyword in _NOTES or keyword == "additionalProperties":
            continue
        if keyword == "$ref":
            yield from _mistakes(value, root["$defs"][argument.removeprefix("#/$defs/")], root, path)
        elif keyword in ("anyOf", "oneOf"):
            fitting = [each for each in argument if not list(_mistakes(value, each, root, path))]
            if not fitting or (keyword == "oneOf" and len(fitting) > 1):
                yield f"{path}: fits {len(fitting)} of {keyword}"
        elif keyword == "properties":
            if isinstance(value, dict):
                yield from _properties(value, argument, schema.get("additionalProperties", True), root, path)
        elif keyword == "items":
            for index, item in enumerate(value if isinstance(value, list) else []):
                yield from _mistakes(item, argument, root, f"{path}[{index}]")
        elif not _fits(value, keyword, argument):
            yield f"{path}: {keyword} {argument}"
    if "properties" not in schema and "additionalProperties" in schema and isinstance(value, dict):
        yield from _properties(value, {}, schema["additionalProperties"], root, path)


def _properties(
    value: dict[str, Any], known: Mapping[str, Any], others: Any, root: Mapping[str, Any], path: str
) -> Iterator[str]:
    for name, item in value.items():
        yield from _mistakes(item, known.get(name, others), root, f"{path}.{name}")


def _fits(value: Any, keyword: str, argument: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match keyword:
        case "type":
            return any(_is(value, name) for name in ([argument] if isinstance(argument, str) else argument))
        case "const":
            return bool(value == argument)
        case "enum":
            return value in argument
        case "required":
            return not isinstance(value, dict) or set(argument) <= set(value)
        case "minimum":
            return not number or value >= argument
        case "maximum":
            return not number or value <= argument
        case "pattern":
            return not isinstance(value, str) or bool(re.search(argument, value))
        case "maxLength":
            return not isinstance(value, str) or len(value) <= argument
    raise NotImplementedError(keyword)


def _is(value: Any, name: str) -> bool:
    if name == "integer":
        return isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
    if name == "number" and isinstance(value, bool):
        return False
    return isinstance(value, _TYPES[name])
