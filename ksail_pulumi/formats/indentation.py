"""Finds YAML that has lost its indentation, as when it is copied from a web page.

Such a file is still YAML, or has duplicate keys; either way the errors would not name the cause.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from ksail_pulumi.errors import ConfigFileError
from ksail_pulumi.model.reasons import model_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic import BaseModel

_KEY = re.compile(r"(?P<indentation> *)(?P<key>[A-Za-z]+) *:(?P<value>.*)")
_NOTHING = re.compile(r" *(#.*)?")


def refuse_lost_indentation(text: str, path: str, models: Iterable[type[BaseModel]]) -> None:
    """Refuse a file in which the first field of a part is on the level of the part.

    Args:
        text: The content of the file.
        path: The file, as the user named it.
        models: The models of its documents.

    Raises:
        ConfigFileError: With the line of this field.
    """
    parts = dict(_parts(models))
    beside = [frozenset(_names(model)) for model in {*models, *parts.values()}]
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if not _NOTHING.fullmatch(line)]
    for (number, line), (next_number, next_line) in pairwise(lines):
        part, first = _KEY.fullmatch(line), _KEY.fullmatch(next_line)
        if part is None or first is None or not _NOTHING.fullmatch(part["value"]):
            continue
        if part["indentation"] != first["indentation"] or part["key"] not in parts:
            continue
        # An empty part may be followed by one beside it.
        if first["key"] in _names(parts[part["key"]]) and not any(
            {part["key"], first["key"]} <= each for each in beside
        ):
            raise ConfigFileError(
                path,
                next_number,
                "",
                f"the file has lost its indentation: {first['key']} is not indented below {part['key']} (line "
                f"{number}). Indent the fields of each part by two spaces; a copy from a web page often loses them",
            )


def _parts(models: Iterable[type[BaseModel]]) -> Iterator[tuple[str, type[BaseModel]]]:
    for model in models:
        for name, info in model.model_fields.items():
            if inner := model_in(info.annotation):
                yield info.alias or name, inner
                yield from _parts([inner])


def _names(model: type[BaseModel]) -> set[str]:
    return {info.alias or name for name, info in model.model_fields.items()}
