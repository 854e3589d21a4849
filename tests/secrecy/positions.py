"""Every place where a user can write a value, by walking the models of the doors: inputs, ksail.yaml, templates.

Each place gets a value of its own that stands nowhere else, a canary.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from ksail_pulumi.formats.ksail import file as ksail_file
from ksail_pulumi.formats.template import file as template_file
from ksail_pulumi.model import cluster as models
from ksail_pulumi.model.reasons import model_in
from ksail_pulumi.problems import is_private

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ksail_pulumi.problems import FieldPath

ID = "d2f1b8d6-5a3e-4c4e-9a7a-0c5a1b2c3d4e"
_SET = {"name": "w", "count": 1}

# What has to stand around a field for the rest of its model to be right.
_AROUND: dict[type[BaseModel], dict[str, Any]] = {
    models.Patch: {"name": "p", "inline": {"machine": {}}},
    models.Manifest: {"name": "m", "mode": "full", "inline": {"kind": "Namespace"}},
    models.HealthCheck: {"name": "h", "job": {"kind": "Job"}},
    models.MachineClass: {"name": "c", "size": 1},
    models.Workers: {"name": "w"},
    models.BootstrapSpec: {"clusterUUID": "u", "snapshot": "s"},
    template_file.Patch: {"name": "p", "inline": {"machine": {}}},
    template_file.Manifest: {"name": "m", "mode": "full", "inline": {"kind": "Namespace"}},
    template_file.HealthCheck: {"name": "h", "job": {"kind": "Job"}},
    template_file.MachineClass: {"name": "c", "size": "1"},
}
_numbers = itertools.count(1)

# Contents of a patch or manifest with a value at a place that Omni or a parser objects to.
_CONTENTS = {
    "unknown field": lambda value: {"machine": {"nosuchfield": value}},
    "wrong type": lambda value: {"machine": {"registries": value}},
    "in a list": lambda value: [{"machine": {"kubelet": {"extraArgs": [value]}}}],
    "forbidden field": lambda value: {"cluster": {"token": value}},
    "document of a kind": lambda value: {"apiVersion": "v1", "kind": "Secret", "data": {"a": value}},
    "forbidden kind": lambda value: [{"kind": "KubeClusterConfig", "a": value}] * 2,
    "patch of JSON": lambda value: [{"op": "add", "path": "/machine/token", "value": value}],
    "only text": lambda value: value,
    "text": lambda value: f"machine:\n  nosuchfield: {value}\n",
    "broken text": lambda value: f"machine:\n  token: {value}\n a: [\n",
    "text with a tag": lambda value: f"machine:\n  token: !{value} x\n",
    "text with an alias": lambda value: f"machine:\n  token: *{value}\n",
    "text with a character": lambda value: f"machine:\n  token: {value}\x01\n",
    "text of two": lambda value: f"kind: {value}\n---\nkind: {value}\n",
    "a number": lambda value: {"machine": {"nosuchfield": int(value[1:5]) + 70_000_000}},
    "no data": lambda value: {"machine": {"a": (value,)}},
}


@dataclass(frozen=True)
class Position:
    """One place with a canary.

    Attributes:
        path: The path of the field.
        kind: What is put there.
        data: The whole that it stands in, with all that it needs around it.
        canary: A text that stands nowhere but there; what Go's YAML library would leave of it tells it, too.
        number: Or a number that does; 0 if it is text.
    """

    path: FieldPath
    kind: str
    data: Any
    canary: str
    number: int = 0

    @property
    def private(self) -> bool:
        """Whether no message may show it."""
        return is_private(self.path)

    @property
    def name(self) -> str:
        """What identifies a part of the cluster, also where its content is private."""
        return f"{'.'.join(map(str, self.path))} {self.kind}"

    def leaks(self, text: str) -> bool:
        """Whether the canary stands in a text, if only its beginning."""
        return self.canary[:6] in text or (self.number > 0 and str(self.number) in text)


def canary() -> str:
    """A text that no other place has, in its first six characters."""
    return f"Q{next(_numbers):04d}Zcanary"


def positions(model: type[BaseModel], around: dict[str, Any] | None = None) -> Iterator[Position]:
    """Every place in the data of a model, which has `around` beside it."""
    for path, kind, made in _fields(model, ()):
        yield from _placed(path, kind, made, around or {})


def _placed(path: FieldPath, kind: str, made: Any, around: dict[str, Any]) -> Iterator[Position]:
    value = canary()
    number = int(value[1:5]) + 70_000_000 if "number" in kind else 0
    yield Position(path, kind, {**around, **made(number if kind == "number" else value)}, value, number)


def _fields(model: type[BaseModel], path: FieldPath) -> Iterator[tuple[FieldPath, str, Any]]:
    """The places in a model: path, kind, and a function that makes the data from the value."""
    beside = _AROUND.get(model, {})
    for name, info in model.model_fields.items():
        alias = info.alias or name
        for inner_path, kind, made in _values(alias, info.annotation, (*path, alias)):
            yield inner_path, kind, lambda value, alias=alias, made=made: {**beside, alias: made(value)}


def _values(alias: str, annotation: Any, path: FieldPath) -> Iterator[tuple[FieldPath, str, Any]]:
    yield path, "text", lambda value: value
    yield path, "long text", lambda value: f"{value} " + "x" * 80
    yield path, "number", lambda value: value
    yield path, "list", lambda value: [value]
    yield path, "mapping", lambda value: {"a": value}
    if alias in ("inline", "job"):
        for kind, content in _CONTENTS.items():
            yield path, kind, content
    elif alias in ("labels", "annotations"):
        yield (*path, "k"), "line", lambda value: {"k": f"{value}\nb"}
        yield (*path, "omni.sidero.dev/k"), "reserved", lambda value: {"omni.sidero.dev/k": value}
    elif (inner := model_in(annotation)) is not None:
        yield from _nested(annotation, inner, path)


def _nested(annotation: Any, inner: type[BaseModel], path: FieldPath) -> Iterator[tuple[FieldPath, str, Any]]:
    """The places in the models of a field: one, a list of them, or a mapping by machine ID."""
    text = str(annotation)
    if "dict[" in text and path[-1] == "machines":
        place: FieldPath = (*path, ID)
        wrap = lambda made: lambda value: {ID: made(value)}  # noqa: E731
    elif any("tuple[" in str(each) or "list[" in str(each) for each in (annotation, *get_args(annotation))):
        place = (*path, 0)
        wrap = lambda made: lambda value: [made(value)]  # noqa: E731
    else:
        place = path
        wrap = lambda made: made  # noqa: E731
    for inner_path, kind, made in _fields(inner, place):
        yield inner_path, kind, wrap(made)


def inputs() -> list[Position]:
    """Every place in the inputs of a cluster."""
    return list(positions(models.ClusterSpec, {"name": "west"}))


def ksail() -> list[Position]:
    """Every place in a ksail.yaml."""
    return list(positions(ksail_file.KsailFile))


def template(kind: str) -> list[Position]:
    """Every place in one kind of a template's documents."""
    return list(positions(template_file.KINDS[kind], {"kind": kind}))
