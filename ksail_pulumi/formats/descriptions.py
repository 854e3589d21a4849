"""What the texts below the fields of a model say: a string literal after each, as editors show it.

Read from the source, and only where somebody asks for it: pydantic's own `use_attribute_docstrings` reads it at import,
which took the provider process 35 ms.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from pydantic import BaseModel


def described(model: type[BaseModel]) -> str:
    """What a model is, on one line; empty if it does not say."""
    return _line(model.__doc__ or "")


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """What the fields of a model are, by their names in Python, each on one line. Includes fields of its bases."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        found |= _by_class(base.__module__).get(base.__name__, {})
    return {name: text for name, text in found.items() if name in model.model_fields}


def on_the_wire(text: str) -> str:
    """A description with the names of fields as they are in YAML and JSON."""
    return re.sub(r"(?<=`)[a-z]+(_[a-z]+)+(?=`)", lambda found: to_camel(found[0]), text)


def first_sentence(text: str) -> str:
    """The first sentence of a description."""
    first, dot, _ = text.partition(". ")
    return first + dot.rstrip()


@cache
def _by_class(module: str) -> dict[str, dict[str, str]]:
    if not module.startswith(__package__.partition(".")[0]):
        return {}
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: _below_fields(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _below_fields(node: ast.ClassDef) -> dict[str, str]:
    found = {}
    for field, below in pairwise(node.body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as text)):
                found[name] = _line(text)
    return found


def _line(text: str) -> str:
    return " ".join(text.split())
