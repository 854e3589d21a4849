"""Reads keys and values of a ksail.yaml as KSail's own loader does: in any case of letters, without unknown keys."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from ksail_pulumi.model.reasons import model_in
from ksail_pulumi.problems import field_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from ksail_pulumi.goyaml.read import Document, Node

_TYPING_MISTAKE = 0.8  # of 1, for difflib
_FORMER = (("spec", "cluster", "omni"), ("spec", "cluster", "talos"))


def as_ksail_reads(document: Document, model: type[BaseModel]) -> tuple[Document, list[str]]:
    """The document with the keys and values of the model, and a warning for each key that KSail ignores.

    Keys that look like a typing mistake stay, for the model to refuse them.

    Raises:
        ConfigFileError: A key is written twice.
    """
    reading = _Reading(document, model)
    return replace(document, root=reading.part(document.root, model, ())), reading.warnings


class _Reading:
    def __init__(self, document: Document, model: type[BaseModel]) -> None:
        self.document = document
        self.warnings: list[str] = []
        self.places = {path[-1].lower(): path for path in _places(model, ()) if path[:3] not in _FORMER}

    def part(self, node: Node, model: type[BaseModel], path: tuple[str, ...]) -> Node:
        if not isinstance(node.value, dict):
            return node
        fields = _fields(model)
        names = {name.lower(): name for name in fields}
        # A file without any key of KSail's is another kind of file.
        foreign = not path and not any(str(key).lower() in names for key in node.children)
        children: dict[str | int, Node] = {}
        for key, child in node.children.items():
            name = names.get(str(key).lower())
            if name in children:
                raise self.document.error((*path, key), f"{name} is set twice, in two spellings: keep one of them")
            if name is not None:
                children[name] = self._value(child, fields[name], (*path, name))
            elif foreign or get_close_matches(str(key).lower(), names, cutoff=_TYPING_MISTAKE):
                children[key] = child
            else:
                self._ignored((*path, str(key)), child.line)
        return replace(node, children=children, value={key: child.value for key, child in children.items()})

    def _value(self, node: Node, info: FieldInfo, path: tuple[str, ...]) -> Node:
        if inner := model_in(info.annotation):
            return self.part(node, inner, path)
        # KSail compares `apiVersion` and `kind` as they are written.
        if isinstance(node.value, str) and len(path) > 1:
            value = next((each for each in _choices(info.annotation) if each.lower() == node.value.lower()), node.value)
            return replace(node, value=value)
        return node

    def _ignored(self, path: tuple[str, ...], line: int) -> None:
        meant = self.places.get(path[-1].lower())
        hint = f"; did you mean {field_path(meant)}?" if meant else ""
        self.warnings.append(
            f"{self.document.path}:{line}: {field_path(path)} is not a field of KSail and is ignored{hint}"
        )


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _places(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The paths of all fields, the outer ones last."""
    for name, info in _fields(model).items():
        if inner := model_in(info.annotation):
            yield from _places(inner, (*path, name))
        yield (*path, name)


def _choices(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
        return
    for each in get_args(annotation):
        yield from _choices(each)
