"""Checks a YAML document against a model and says of every mistake in which line it stands."""

from __future__ import annotations

import copy
import difflib
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from ksail_pulumi.errors import ConfigFileError
from ksail_pulumi.spec.reasons import MISPLACED, model_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_core import ErrorDetails

    from ksail_pulumi.spec.documents import Document

Model = TypeVar("Model", bound=BaseModel)

MAX_SHOWN = 20
"""How many mistakes of one file are told."""

_EXPECTED = {
    "string_type": "text is expected",
    "int_type": "a whole number is expected",
    "int_from_float": "a whole number is expected",
    "bool_type": "true or false is expected",
    "bool_parsing": "true or false is expected",
    "list_type": "a list is expected",
    "dict_type": "a mapping is expected",
    "model_type": "a mapping is expected",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
}


def read_model(document: Document, model: type[Model]) -> Model:
    """Make a model of a document.

    Where text is expected, a scalar counts as it was written: `talosVersion: 1.10` is `"1.10"`, not 1.1.

    Raises:
        ConfigFileError: The document does not fit. Names the first mistake in the file and lists the others.
    """
    mistakes = _mistakes(document.value, model)
    texts = [mistake["loc"] for mistake in mistakes if mistake["type"] == "string_type"]
    value = _with_texts(document, texts) if texts else document.value
    mistakes = _mistakes(value, model) if texts else mistakes
    if mistakes:
        raise _error(document, model, mistakes)
    return model.model_validate(value)


def _mistakes(value: Any, model: type[BaseModel]) -> list[ErrorDetails]:
    try:
        model.model_validate(value)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _with_texts(document: Document, fields: Sequence[tuple[str | int, ...]]) -> Any:
    """The document's data with the scalars at these paths as they were written; null stays null."""
    value = copy.deepcopy(document.value)
    for field in fields:
        node = document.node(field)
        if field and node.text is not None and node.value is not None:
            parent = value
            for part in field[:-1]:
                parent = parent[part]
            parent[field[-1]] = node.text
    return value


def _error(document: Document, model: type[BaseModel], mistakes: Sequence[ErrorDetails]) -> ConfigFileError:
    errors = [document.error(mistake["loc"], _reason(mistake, model)) for mistake in mistakes]
    return combined(sorted(errors, key=lambda error: error.line))


def combined(errors: Sequence[ConfigFileError]) -> ConfigFileError:
    """One error for many: it is the first of them, and lists the others up to `MAX_SHOWN`."""
    first, *others = errors
    lines = [first.reason, *map(str, others[: MAX_SHOWN - 1])]
    if len(errors) > MAX_SHOWN:
        lines.append(f"... and {len(errors) - MAX_SHOWN} more")
    return ConfigFileError(first.path, first.line, first.field, "\n".join(lines))


def _reason(mistake: ErrorDetails, model: type[BaseModel]) -> str:
    kind = mistake["type"]
    context = mistake.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_field(mistake["loc"], model)
    if kind == "missing":
        return "is required"
    if kind == "value_error":
        return str(context["error"])
    if kind in _EXPECTED:
        return f"{_EXPECTED[kind].format(**context)}, not {_shown(mistake['input'])}"
    return mistake["msg"]


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else repr(value)[:80]


def _unknown_field(field: Sequence[str | int], model: type[BaseModel]) -> str:
    parent = model_at(model, field[:-1])
    if parent and (misplaced := MISPLACED.get((parent.__name__, str(field[-1])))):
        return misplaced
    known = [info.alias or name for name, info in parent.model_fields.items()] if parent else []
    close = difflib.get_close_matches(str(field[-1]), known, n=1)
    return f"there is no such field; did you mean {close[0]}?" if close else "there is no such field"
