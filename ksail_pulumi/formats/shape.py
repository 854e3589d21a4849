"""Validates a YAML document against a model, and reports the line of every mistake."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from ksail_pulumi import listing
from ksail_pulumi.errors import ConfigFileError
from ksail_pulumi.model.reasons import problems_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_core import ErrorDetails

    from ksail_pulumi.goyaml.read import Document

Model = TypeVar("Model", bound=BaseModel)

"""How many mistakes of a file are reported."""


def read_model(document: Document, model: type[Model]) -> Model:
    """Convert a document into a model.

    In a text field a scalar is used as written: `talosVersion: 1.10` is `"1.10"`, not 1.1.

    Raises:
        ConfigFileError: The document is not valid. Names the first mistake and lists the others.
    """
    mistakes = _mistakes(document.value, model)
    texts = [mistake["loc"] for mistake in mistakes if mistake["type"] == "string_type"]
    value = _with_texts(document, texts) if texts else document.value
    mistakes = _mistakes(value, model) if texts else mistakes
    if mistakes:
        errors = [document.error(problem.path, problem.reason) for problem in problems_of(mistakes, model)]
        raise combined(sorted(errors, key=lambda error: error.line))
    return model.model_validate(value)


def _mistakes(value: Any, model: type[BaseModel]) -> list[ErrorDetails]:
    try:
        model.model_validate(value)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _with_texts(document: Document, fields: Sequence[tuple[str | int, ...]]) -> Any:
    """The data of the document, with the scalars at these paths as they are written; null stays null."""
    value = copy.deepcopy(document.value)
    for field in fields:
        node = document.node(field)
        if field and node.text is not None and node.value is not None:
            parent = value
            for part in field[:-1]:
                parent = parent[part]
            parent[field[-1]] = node.text
    return value


def combined(errors: Sequence[ConfigFileError]) -> ConfigFileError:
    """One error for many: the first one, with a list of the others."""
    first, *others = errors
    reasons = listing.lines([first.reason, *map(str, others)])
    return ConfigFileError(first.path, first.line, first.field, "\n".join(reasons))
