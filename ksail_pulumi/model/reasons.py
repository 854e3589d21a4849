"""Texts for the errors of pydantic, the same for inputs and files."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from ksail_pulumi.problems import Problem, unknown_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pydantic_core import ErrorDetails

    from ksail_pulumi.problems import FieldPath

MISPLACED = {
    ("ControlPlane", "name"): "custom name is not allowed in the controlplane",
    ("ControlPlane", "updateStrategy"): "updateStrategy is not allowed in the controlplane",
    ("ControlPlane", "deleteStrategy"): "deleteStrategy is not allowed in the controlplane",
    ("Workers", "bootstrapSpec"): "bootstrapSpec is not allowed in workers",
}
"""Fields that one kind of set has and another has not, by model; the texts are omnictl's."""

# What omnictl says about a value of a field that is none of those it knows.
_VALUES = {
    "size": "invalid machine count: it should be a whole number or unlimited, not {input}",
    "mode": "unknown mode name: it should be {expected}",
    "type": "invalid update strategy type: it should be {expected}, not {input}",
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
    "dict_type": "should be a mapping, not {input}",
    "model_type": "should be a mapping, not {input}",
    "tuple_type": "should be a list, not {input}",
    "list_type": "should be a list, not {input}",
    "literal_error": "should be {expected}, not {input}",
}
# Parts of a location that pydantic adds for the members of a union.
_UNION_MEMBERS = ("constrained-int", "literal['unlimited']")


def problems_of(findings: Iterable[ErrorDetails], model: type[BaseModel]) -> list[Problem]:
    """Put pydantic's findings into words, one for a field."""
    problems: dict[FieldPath, Problem] = {}
    for each in findings:
        path = tuple(part for part in each["loc"] if part not in _UNION_MEMBERS)
        problems.setdefault(path, _problem(path, each, model))
    return list(problems.values())


def _problem(path: FieldPath, found: ErrorDetails, model: type[BaseModel]) -> Problem:
    kind, context = found["type"], found.get("ctx", {})
    if kind == "extra_forbidden":
        return Problem(path, _unknown(str(path[-1]), model_at(model, path[:-1])))
    if kind == "value_error":
        return Problem(path, str(context["error"]))
    if kind in _REASONS:
        reason = _REASONS[kind]
        if kind != "missing" and path and path[-1] in _VALUES:
            reason = _VALUES[str(path[-1])]
        for name in ("expected", "ge", "le"):
            reason = reason.replace(f"{{{name}}}", str(context.get(name, "")))
    else:
        reason = found["msg"]  # one of our own: its values are not in it yet
    return Problem(path, reason, input=context.get("value", found["input"]))


def _unknown(name: str, model: type[BaseModel] | None) -> str:
    if model and (misplaced := MISPLACED.get((model.__name__, name))):
        return misplaced
    known = sorted(field.alias or name for name, field in model.model_fields.items()) if model else []
    return unknown_field(name, known)


def model_at(model: type[BaseModel], location: Sequence[str | int]) -> type[BaseModel] | None:
    """The model that the fields at a location belong to."""
    at: type[BaseModel] | None = model
    for part in location:
        by_alias = {field.alias or name: field for name, field in at.model_fields.items()} if at else {}
        if isinstance(part, str) and part in by_alias:
            at = model_in(by_alias[part].annotation)
    return at


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := model_in(each))), None)


model_in: Callable[[Any], type[BaseModel] | None] = functools.cache(_model_in)
"""The model in an annotation such as `Omni | None` or `list[Omni]`. Every file that is read asks for all of them."""
