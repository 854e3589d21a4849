"""Reads and writes YAML like Go's YAML library, which Omni and Talos use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from ksail_pulumi.goyaml.loaders import SafeLoader

INDENT = 4
"""Spaces; nested content starts at the next multiple."""

DEEPEST = 100
"""The maximum nesting: libyaml is recursive, and its stack is limited."""


def load_all(text: str) -> list[Any]:
    """All documents of a text.

    Raises:
        yaml.YAMLError: The text is not valid YAML, or is nested too deep.
    """
    check_depth(text)
    return list(yaml.load_all(text, Loader=SafeLoader))


def check_depth(text: str) -> None:
    """Refuse documents that are nested too deep.

    Raises:
        yaml.YAMLError: It is nested too deep, or not valid YAML.
    """
    depth = 0
    for event in yaml.parse(text, Loader=SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise yaml.MarkedYAMLError(problem="exceeded max depth", problem_mark=event.start_mark)  # type: ignore[arg-type]


def dump(data: Any) -> str:
    """Data as YAML text, keys in their own order."""
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
