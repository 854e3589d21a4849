"""The package's code, in which functions that make texts report each text and all that they hand out.

Tracing finds the same, and makes all other functions slow too.
"""

from __future__ import annotations

import ast
import builtins
import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tests.secrecy.sites import is_site
from tools.list_texts import PACKAGE, places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import CodeType

    from tools.list_texts import Place

    Made = Callable[[str, int], None]
    HandedOut = Callable[[str, object], None]

MADE, HANDED_OUT, EACH, CAUGHT = "_observed_made", "_observed_handed_out", "_observed_each", "_observed_caught"

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def observe(made: Made, handed_out: HandedOut) -> None:
    """Import the package's modules from now on with reports.

    Args:
        made: Is called with the module and the line of each text that is made.
        handed_out: Is called with the module and function, and with all that a function that makes texts returns,
            yields, raises or catches.
    """
    vars(builtins).update(reports(made, handed_out))
    # All are compiled at once: CPython 3.11 cannot parse while another thread formats a traceback.
    code = {str(PACKAGE / module): compiled(module, found) for module, found in _with_texts()}
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE.name]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Finder(code))


def reports(made: Made, handed_out: HandedOut) -> dict[str, Callable[..., object]]:
    """What the observed code calls, by the names that it uses."""

    def handed_out_by(where: str, value: object) -> object:
        handed_out(where, value)
        return value

    def each(where: str, values: Iterable[object]) -> Iterator[object]:
        return (handed_out_by(where, value) for value in values)

    return {
        MADE: made,
        HANDED_OUT: handed_out_by,
        EACH: each,
        CAUGHT: lambda where: handed_out(where, sys.exception()),
    }


class _Finder:
    def __init__(self, code: dict[str, CodeType]) -> None:
        self._code = code

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name.partition(".")[0] == PACKAGE.name else None
        if spec is None or spec.origin not in self._code:
            return None
        spec.loader = _Loader(self._code[spec.origin], name, spec.origin)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, code: CodeType, name: str, path: str) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        return self._code


def _with_texts() -> Iterator[tuple[str, list[Place]]]:
    for module, found in groupby(places(), lambda place: place.module):
        its = list(found)
        if any(map(is_site, its)):
            yield module, its


def compiled(module: str, found: list[Place]) -> CodeType:
    """The code of a module with the reports, from all places in it."""
    tree = _Observed(module, found).visit(found[0].node)
    return compile(ast.fix_missing_locations(tree), str(PACKAGE / module), "exec")


class _Observed(ast.NodeTransformer):
    def __init__(self, module: str, found: Iterable[Place]) -> None:
        self._module = module
        self._sites = {place.node for place in found if is_site(place)}
        # The nearest function around each text has it.
        self._functions = {
            next(each for each in place.parents if isinstance(each, _Function)): f"{module} {place.function}"
            for place in found
            if place.node in self._sites
        }
        self._around: list[str | None] = []

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, _Function):
            self._around.append(self._functions.get(node))
            changed = self._function(self.generic_visit(node))
            self._around.pop()
            return changed
        is_site = node in self._sites
        changed = self.generic_visit(node)
        if self._around and self._around[-1] is not None:
            changed = self._handing_out(changed)
        if not is_site:
            return changed
        line = node.lineno  # type: ignore[attr-defined]
        report = self._call(MADE, self._module, line)
        if isinstance(changed, ast.stmt):
            return [self._statement(report, changed), changed]
        # Before the text is made: a function that is called with it may never return.
        if isinstance(changed, ast.Yield):
            changed.value = self._after(report, changed.value)
            return changed
        return self._after(report, changed)

    def _function(self, node: Any) -> Any:
        where = self._around[-1]
        if where is None:
            return node
        if isinstance(node, ast.Lambda):
            node.body = self._call(HANDED_OUT, where, node.body)
            return node
        caught = self._statement(self._call(CAUGHT, where), node)
        handler = ast.ExceptHandler(ast.Name("BaseException", ast.Load()), None, [caught, ast.Raise()])
        body = ast.Try(node.body, [handler], [], [])
        node.body = [ast.copy_location(body, node)]
        return node

    def _handing_out(self, node: Any) -> Any:
        where = self._around[-1]
        match node:
            case ast.Return(value=ast.expr()) | ast.Yield(value=ast.expr()):
                node.value = self._call(HANDED_OUT, where, node.value)
            case ast.YieldFrom():
                node.value = self._call(EACH, where, node.value)
            case ast.GeneratorExp():
                node.elt = self._call(HANDED_OUT, where, node.elt)
            case ast.ExceptHandler():
                node.body.insert(0, self._statement(self._call(CAUGHT, where), node.body[0]))
        return node

    def _call(self, name: str, *arguments: Any) -> ast.Call:
        given = [each if isinstance(each, ast.expr) else ast.Constant(each) for each in arguments]
        return ast.Call(ast.Name(name, ast.Load()), given, [])

    def _after(self, report: ast.Call, value: Any) -> ast.expr:
        both = ast.Tuple([report, value], ast.Load())
        return ast.copy_location(ast.Subscript(both, ast.Constant(1), ast.Load()), value)

    def _statement(self, call: ast.Call, before: ast.AST) -> ast.stmt:
        return ast.copy_location(ast.Expr(call), before)
