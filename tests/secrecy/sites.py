"""Every place in the code that makes a text for the user out of something that is not constant.

A text that is a constant cannot show what a user wrote, so it is left out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ksail_pulumi

ROOT = Path(ksail_pulumi.__file__).parent
_LEFT_OUT = ("simulator", "api")  # the simulator is another program; what protoc wrote is not ours
# What writes files: it holds what the user wrote, and is no message.
_WRITERS = (
    "addons/catalogue",
    "formats/literals",
    "formats/python",
    "formats/schema",
    "formats/template/write",
    "goyaml/write",
)

# What makes a text that a user may read. Their arguments that are no text (a path, a resource) do not count.
_MAKERS = frozenset(
    {
        "Problem",
        "invalid",
        "_invalid",
        "ConfigFileError",
        "_fail",
        "error",
        "PydanticCustomError",
        "_wrong",
        "CheckFailure",
        "warning",
        "warn",
        "info",
        "progress",
        "failure",
        "_say",
    }
)


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


def _sites() -> list[Site]:
    found: set[Site] = set()
    for file in sorted(ROOT.rglob("*.py")):
        module = file.relative_to(ROOT)
        if not set(_LEFT_OUT) & set(module.parts) and not str(module).startswith(_WRITERS):
            found.update(_in_module(str(module), ast.parse(file.read_text())))
    return sorted(found)


def _in_module(module: str, tree: ast.AST) -> Iterator[Site]:
    def walk(node: ast.AST, function: str) -> Iterator[Site]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            function = f"{function}.{node.name}".lstrip(".")
        for child in ast.iter_child_nodes(node):
            yield from walk(child, function)
        if _makes_text(node) and function:
            yield Site(module, function, node.lineno, node.end_lineno or node.lineno)  # type: ignore[attr-defined]

    return walk(tree, "")


def _makes_text(node: ast.AST) -> bool:
    """Whether a text is put together here: an f-string that is raised, told, returned, or given a name."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return any(map(_interpolates, node.exc.args))
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return name in _MAKERS and (any(map(_interpolates, node.args)) or bool(node.keywords))
    if isinstance(node, ast.Return | ast.Assign | ast.Yield | ast.Expr) and node.value is not None:
        return isinstance(node.value, ast.JoinedStr | ast.BinOp) and _interpolates(node.value)
    return False


def _interpolates(node: ast.AST) -> bool:
    return any(isinstance(each, ast.FormattedValue) for each in ast.walk(node))


# Found while the tests are collected: CPython 3.11 cannot parse in one thread while another formats a traceback.
SITES = _sites()
"""All of them, by walking the code."""


def not_run(ran: set[tuple[str, int]], among: list[Site]) -> list[Site]:
    """The texts that were not made."""
    return [site for site in among if not any((site.module, line) in ran for line in range(site.first, site.last + 1))]
