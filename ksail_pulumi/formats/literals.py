"""Plain data as Python source, in the layout of formatters (ruff, black)."""

from __future__ import annotations

from typing import Any
from unicodedata import east_asian_width

WIDTH = 88
"""The line length, the default of both formatters."""

_STEP = 4


def literal(value: Any, *, indent: int = 0, taken: int = 0) -> str:
    """The source of mappings, lists, strings, numbers, booleans and None.

    Args:
        value: The data.
        indent: The indentation of its line.
        taken: How many other characters are in the line, before it and (like a comma) after it.
    """
    flat = _flat(value)
    if not isinstance(value, dict | list | tuple) or not value:
        return flat
    if "\n" not in flat and indent + taken + _width(flat) <= WIDTH:
        return flat
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    lines = [opening, *(f"{' ' * (indent + _STEP)}{item}," for item in _items(value, indent + _STEP))]
    return "\n".join([*lines, " " * indent + closing])


def argument(name: str, value: Any, indent: int) -> str:
    """A line `name=value,` of a call with one argument per line; a long value takes several lines."""
    return f"{' ' * indent}{name}={literal(value, indent=indent, taken=len(name) + 2)},"


def _items(value: Any, indent: int) -> list[str]:
    if not isinstance(value, dict):
        return [literal(item, indent=indent, taken=1) for item in value]
    items = []
    for key, item in value.items():
        name = text_literal(key)
        items.append(f"{name}: {literal(item, indent=indent, taken=_width(name) + 3)}")
    return items


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{text_literal(key)}: {_flat(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flat, value)) + "]"
    return text_literal(value) if isinstance(value, str) else repr(value).replace("e+", "e")


def _width(text: str) -> int:
    """The width of a text in columns; wide characters such as Chinese ones take two."""
    return len(text) + sum(east_asian_width(character) in "WF" for character in text)


def text_literal(text: str) -> str:
    """The source of a string: triple quotes for several lines, otherwise the quotes that need fewer escapes."""
    if "\n" in text.strip("\n") and all(each == "\n" or each.isprintable() for each in text):
        body = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
        if body.endswith('"'):
            body = body[:-1] + '\\"'
        return f'"""\\\n{body}"""'
    quote = "'" if text.count('"') > text.count("'") else '"'
    # `repr` escapes the text, but chooses the quotes by its content; so the quotes are added afterwards.
    body = "'".join('"'.join(repr(part)[1:-1] for part in line.split('"')) for line in text.split("'"))
    return quote + body.replace(quote, "\\" + quote) + quote
