"""What pydantic finds, in words for the person who wrote the input."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from ksail_pulumi.spec.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import ValidationError

_PLAIN_KEY = re.compile(r"[\w-]+")

MISPLACED = {
    ("ControlPlane", "name"): "custom name is not allowed in the controlplane",
    ("ControlPlane", "updateStrategy"): "updateStrategy is not allowed in the controlplane",
    ("ControlPlane", "deleteStrategy"): "deleteStrategy is not allowed in the controlplane",
    ("Workers", "bootstrapSpec"): "bootstrapSpec is not allowed in workers",
}
"""Fields that one kind of set has and another has not, by model; the texts are omnictl's."""

# What omnictl says about a value of a field that is none of those it knows.
_VALUES = {
    "size": "invalid machine count {input}: it should be a whole number or unlimited",
    "mode": "unknown mode name {input}: it should be {expected}",
    "type": "invalid update strategy type {input}: it should be {expected}",
}
_REASONS = {
    "missing": "is required",
    "string_type": "should be a string, not {input}",
    "int_type": "should be a whole number, not {input}",
    "int_parsing": "should be a whole number, not {input}",
    "int_parsing_size": "should be a whole number, not {input}",
    "int_from_float": "should be a whole number, not {input}",
    "greater_than_equal": "should be {ge} or more",
    "less_than_equal": "should be {le} or less",
    "bool_type": "should be true or false, not {input}",
    "bool_parsing": "should be true or false, not {input}",
    "dict_type": "should be a mapping",
    "model_type": "should be a mapping",
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "literal_error": "should be {expected}, not {input}",
}


def field_path(parts: Sequence[str | int]) -> str:
    """Write a path the way Pulumi does: `workers[0].labels["a.b/c"]`."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            path += f".{part}" if path else part
        else:
            path += f'["{part}"]'
    return path


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Put pydantic's findings into words, one for a field."""
    problems: dict[str, Problem] = {}
    for each in error.errors(include_url=False):
        location = [part for part in each["loc"] if part not in ("constrained-int", "literal['unlimited']")]
        field = field_path(location)
        context = {"expected": "", **each.get("ctx", {}), "input": _shown(each["input"])}
        if each["type"] == "extra_forbidden":
            reason = _unknown(str(location[-1]), model_at(model, location[:-1]))
        elif each["type"] != "missing" and location and location[-1] in _VALUES:
            reason = _VALUES[str(location[-1])].format(**context)
        else:
            template = _REASONS.get(each["type"], "")
            reason = template.format(**context) if template else each["msg"]
        problems.setdefault(field, Problem(field, reason))
    return list(problems.values())


_LONGEST_NUMBER = 10**15


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 60 else "a long text"
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) >= _LONGEST_NUMBER:
        return "a number that is too large"  # for a float, and perhaps even for Python to write out
    if isinstance(value, int | float):
        return f"the number {value:.15g}"  # Pulumi sends every number as a float
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list | tuple) else "that"


def _unknown(name: str, model: type[BaseModel] | None) -> str:
    if model and (misplaced := MISPLACED.get((model.__name__, name))):
        return misplaced
    known = sorted(field.alias or name for name, field in model.model_fields.items()) if model else []
    close = get_close_matches(name, known, n=1)
    return f"unknown field; did you mean {close[0]}?" if close else f"unknown field; known are {', '.join(known)}"


def model_at(model: type[BaseModel], location: Sequence[str | int]) -> type[BaseModel] | None:
    """The model that the fields at a location belong to."""
    at: type[BaseModel] | None = model
    for part in location:
        by_alias = {field.alias or name: field for name, field in at.model_fields.items()} if at else {}
        if isinstance(part, str) and part in by_alias:
            at = model_in(by_alias[part].annotation)
    return at


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model in an annotation such as `Omni | None` or `list[Omni]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := model_in(each))), None)
