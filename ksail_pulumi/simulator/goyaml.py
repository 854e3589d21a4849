"""Reads and writes YAML the way Go's YAML library does, which Omni and Talos use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

INDENT = 4
"""Spaces; what is nested starts at the next column that they divide."""

DEEPEST = 100
"""How deep a document may be nested: libyaml recurses into it, and past the end of the stack if it is let."""


def load_all(text: str) -> list[Any]:
    """All documents of a text.

    Raises:
        yaml.YAMLError: It is no YAML, or is nested too deep.
    """
    check_depth(text)
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))


def check_depth(text: str) -> None:
    """Refuse what is nested too deep before anything recurses into it.

    Raises:
        yaml.YAMLError: It is, or it is no YAML.
    """
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise yaml.MarkedYAMLError(problem="exceeded max depth", problem_mark=event.start_mark)  # type: ignore[arg-type]


def dump(data: Any) -> str:
    """Data as YAML text, its keys in the order that they have."""
    return "".join(f"{' ' * column}{text}\n" for column, text in _lines(data, 0))


def _lines(data: Any, column: int) -> Iterator[tuple[int, str]]:
    deeper = (column // INDENT + 1) * INDENT
    if isinstance(data, dict) and data:
        for key, value in data.items():
            if isinstance(value, (dict, list)) and value:
                yield column, f"{_scalar(key)}:"
                yield from _lines(value, deeper)
            else:
                yield column, f"{_scalar(key)}: {_scalar(value)}"
    elif isinstance(data, list) and data:
        for item in data:
            (_, first), *rest = _lines(item, column + 2)
            yield column, f"- {first}"
            yield from rest
    else:
        yield column, _scalar(data)


def _scalar(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1 << 30)
    return text.removesuffix("...\n").strip()
