"""Long lists in texts: the first items, and how many more there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT = 10
"""The number of items that a text shows."""


def names(items: Sequence[str]) -> str:
    """The items of a list in one line: `a, b` or, of a long list, `a, b, … and 3 more`."""
    more = len(items) - LIMIT
    return ", ".join(items[:LIMIT]) + (f" and {more} more" if more > 0 else "")


def lines(items: Sequence[str]) -> list[str]:
    """The items of a list, each a line of its own; the last line of a long list is `and 3 more`."""
    more = len(items) - LIMIT
    return [*items[:LIMIT], *([f"and {more} more"] if more > 0 else [])]
