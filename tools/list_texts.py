"""Print every text that a user may see: `file:line  text`, with `{…}` where a value is inserted.

python tools/list_texts.py

Errors are printed with their class. What the simulator answers and what protoc wrote is left out.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ksail_pulumi import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(errors.__file__).parent

ERRORS = frozenset(
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.KsailPulumiError)
)
"""The names of the classes in `ksail_pulumi/errors.py`."""

MAKERS = frozenset(
    {
        "Problem",
        "invalid",
        "_invalid",
        "ConfigFileError",
        "_fail",
        "error",
        "PydanticCustomError",
        "_wrong",
        "Check",
        "CheckFailure",
        "warning",
        "warn",
        "info",
        "progress",
        "failure",
        "_say",
    }
)
"""Functions that make a text for the user. Their arguments that are no text (a path, a resource) do not count."""

VALUE = "{…}"
# Modules that write files: only the errors in them are messages.
_WRITERS = (
    "addons/catalogue",
    "formats/literals",
    "formats/project",
    "formats/python",
    "formats/schema",
    "goyaml/write",
)
_LEFT_OUT = ("simulator", "api")
_PROSE = re.compile(r"\w.* \S|\S .*\w")  # other constants are names and keys


@dataclass(frozen=True)
class Place:
    """A place in the code.

    Attributes:
        module: The file, relative to the package.
        function: The function or class around it, with the ones around that; `""` in the module itself.
        node: The syntax tree.
        parents: The nodes around it, the nearest one first.
    """

    module: str
    function: str
    node: ast.AST
    parents: tuple[ast.AST, ...]


@dataclass(frozen=True, order=True)
class Text:
    """A text for the user.

    Attributes:
        module: The file, relative to the package.
        line: Its first line in it.
        error: The class of the error that is made from it, `""` for another text.
        text: The text.
        maker: The function or class that is called with it, if it is one of `MAKERS` or of `ERRORS`.
        function: The function or class around it; `""` in the module itself.
    """

    module: str
    line: int
    error: str
    text: str
    maker: str = ""
    function: str = ""

    def __str__(self) -> str:
        text = self.text.replace("\n", "\\n")
        return f"{PACKAGE.name}/{self.module}:{self.line}  {f'{self.error}: ' if self.error else ''}{text}"


def places() -> Iterator[Place]:
    """Every place in the code that runs in a user's process."""
    for file in sorted(PACKAGE.rglob("*.py")):
        module = file.relative_to(PACKAGE)
        if not set(_LEFT_OUT) & set(module.parts):
            yield from places_in(str(module), ast.parse(file.read_text()))


def texts() -> list[Text]:
    """Every text that a user may see."""
    return sorted({text for place in places() if (text := _text(place))})


def name_called(node: ast.AST) -> str:
    """The name of the function or class that is called; `""` for anything else."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def is_content(place: Place) -> bool:
    """Whether it becomes a part of a file that the user gets, and no message."""
    raised = any(isinstance(each, ast.Raise) for each in (place.node, *place.parents))
    return place.module.startswith(_WRITERS) and not raised


def places_in(module: str, node: ast.AST, function: str = "", parents: tuple[ast.AST, ...] = ()) -> Iterator[Place]:
    """Every place in the code of a module, the outer ones first."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        function = f"{function}.{node.name}".lstrip(".")
    yield Place(module, function, node, parents)
    for child in ast.iter_child_nodes(node):
        yield from places_in(module, child, function, (node, *parents))


def _text(place: Place) -> Text | None:
    node = place.node
    if not isinstance(node, ast.expr):
        return None
    callers = [name_called(each) for each in (node, *place.parents)]
    error = next((name for name in callers if name in ERRORS), "")
    maker = next((name for name in callers if name in MAKERS | ERRORS), "")
    text = _rendered(node)
    if text is None:
        made_elsewhere = name_called(node) in ERRORS and not any(map(_is_message, ast.walk(node)))
        return Text(place.module, node.lineno, error, VALUE, maker, place.function) if made_elsewhere else None
    if is_content(place) or not _is_whole(place) or not _is_message(node) or _is_pattern(place):
        return None
    return Text(place.module, node.lineno, error, text, maker, place.function)


def _is_whole(place: Place) -> bool:
    """Whether a text is neither a docstring nor a part of another one."""
    parent = place.parents[0]
    return not isinstance(parent, ast.Expr | ast.JoinedStr) and _rendered(parent) is None


def _is_message(node: ast.AST) -> bool:
    text = _rendered(node) or ""
    is_file = text.rstrip("\n").count("\n") > 1
    return not is_file and _PROSE.search(text) is not None


def _is_pattern(place: Place) -> bool:
    """Whether it is a regular expression."""
    return any(isinstance(each, ast.Call) and ast.unparse(each.func).startswith("re.") for each in place.parents)


def _rendered(node: ast.AST) -> str | None:
    """The text that an expression makes, None if it makes none."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_rendered(part) or VALUE for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [_rendered(node.left), _rendered(node.right)]
        return None if parts == [None, None] else "".join(VALUE if part is None else part for part in parts)
    return None


if __name__ == "__main__":
    print(*texts(), sep="\n")
