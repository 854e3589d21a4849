"""Every place in the code that makes a text for the user out of something that is not constant.

A text that is a constant cannot show what a user wrote, so it is left out.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from tools.list_texts import MAKERS, PACKAGE, Place, is_content, name_called, places

ROOT = PACKAGE
REPORTS = "KSAIL_PULUMI_OBSERVED"
"""The environment variable with the folder that `tests/secrecy/observer.py` writes to."""


@dataclass(frozen=True, order=True)
class Site:
    """One text.

    Attributes:
        module: The file, from the package's folder on.
        function: The function that it stands in.
        first: Its first line.
        last: Its last one.
    """

    module: str
    function: str
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.module}:{self.first} in {self.function}"


def sites() -> list[Site]:
    """All of them, by walking the code."""
    return sorted({_site(place) for place in places() if is_site(place)})


def is_site(place: Place) -> bool:
    """Whether such a text is made there."""
    return _makes_text(place.node) and bool(place.function) and not is_content(place)


def _site(place: Place) -> Site:
    first, last = place.node.lineno, place.node.end_lineno  # type: ignore[attr-defined]
    return Site(place.module, place.function, first, last or first)


def _makes_text(node: ast.AST) -> bool:
    """Whether a text is put together here: an f-string that is raised, reported, returned, or given a name."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return any(map(_interpolates, node.exc.args))
    if isinstance(node, ast.Call):
        return name_called(node) in MAKERS and (any(map(_interpolates, node.args)) or bool(node.keywords))
    if isinstance(node, ast.Return | ast.Assign | ast.Yield | ast.Expr) and node.value is not None:
        return isinstance(node.value, ast.JoinedStr | ast.BinOp) and _interpolates(node.value)
    return False


def _interpolates(node: ast.AST) -> bool:
    return any(isinstance(each, ast.FormattedValue) for each in ast.walk(node))


def not_run(ran: set[tuple[str, int]], among: list[Site]) -> list[Site]:
    """The texts that were not made."""
    return [site for site in among if not any((site.module, line) in ran for line in range(site.first, site.last + 1))]
