"""Texts that fit: their width in a font whose characters all have one width, and what is left out of long ones."""

from __future__ import annotations

from collections.abc import Iterator
from unicodedata import combining, east_asian_width

from ksail_pulumi.redaction import HIDDEN, printable


def one_line(text: str) -> str:
    """The text without line ends and other characters that cannot be drawn."""
    return " ".join(printable(text).split())


def cells(text: str) -> int:
    """The width of a text in columns: characters of Asian scripts and emoji take two."""
    return sum(map(_cells, text))


def shortened(text: str, most: int) -> str:
    """The text in at most so many columns, with `…` in place of its middle: ends of names differ more often."""
    text = one_line(text)
    if cells(text) <= most:
        return text
    head = _until(text, (most - 1) // 2)
    tail = _until(text[::-1], most - 1 - cells(head))[::-1]
    return f"{head}{HIDDEN}{tail}"


def _until(text: str, most: int) -> str:
    width = 0
    for place, character in enumerate(text):
        width += _cells(character)
        if width > most:
            return text[:place]
    return text


def _cells(character: str) -> int:
    if combining(character):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def wrapped(text: str, most: int) -> Iterator[str]:
    """The lines of a text of at most so many columns each, broken at spaces."""
    line = ""
    for word in one_line(text).split(" "):
        fitting = shortened(word, most)
        if line and cells(line) + 1 + cells(fitting) > most:
            yield line
            line = fitting
        else:
            line = f"{line} {fitting}" if line else fitting
    if line:
        yield line
