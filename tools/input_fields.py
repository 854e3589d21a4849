"""What the models say about the inputs, as plain data: the one source of everything that `make args` writes."""

from __future__ import annotations

import types
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic_core import PydanticUndefined

from ksail_pulumi.formats.descriptions import described, descriptions
from ksail_pulumi.model.base import ALWAYS_SECRET, PRIVATE_FIELDS, READ_BY_PROGRAM, Formerly
from ksail_pulumi.model.cluster import ClusterSpec
from ksail_pulumi.model.component import ComponentOptions
from ksail_pulumi.model.etcd_backup import EtcdBackupInputs
from ksail_pulumi.model.machine_class import MachineClassInputs
from ksail_pulumi.model.machine_config import MachineConfigInputs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic.fields import FieldInfo

RESOURCES: dict[str, type[BaseModel]] = {
    "MachineClass": MachineClassInputs,
    "EtcdBackup": EtcdBackupInputs,
    "MachineConfig": MachineConfigInputs,
}
"""The models of the resources other than clusters."""

ALWAYS_SET = ("name", "kubernetes_version", "talos_version")
"""Inputs that every cluster has once it exists: the provider fills them in."""

_SCALARS = {str: "str", int: "int", bool: "bool", Any: "any"}
_COLLECTIONS = {tuple: "list", list: "list", dict: "map"}


@dataclass(frozen=True)
class Shape:
    """One form that a value may have.

    Attributes:
        kind: `str`, `int`, `bool`, `any`, `literal` (one of `values`), `list` or `map` (of `items`), or `part`.
        values: The texts of a `literal`.
        items: The forms of the items of a collection. A map has texts as keys.
        part: The name of a part of the inputs.
    """

    kind: str
    values: tuple[str, ...] = ()
    items: tuple[Shape, ...] = ()
    part: str = ""


@dataclass(frozen=True)
class Input:
    """A field.

    Attributes:
        name: Its name in Python.
        wire: Its name in YAML and JSON.
        shapes: The forms that its value may have.
        description: What it is, on one line; names other fields in Python's spelling.
        private: Whether it may hold a secret.
        secret: Whether it always is a secret.
        plain: Whether it cannot be an output.
        required: Whether a user must set it if its part is given.
        former: The name that it had before, still accepted; `""` for none.
    """

    name: str
    wire: str
    shapes: tuple[Shape, ...]
    description: str
    private: bool
    secret: bool
    plain: bool
    required: bool
    former: str


@dataclass(frozen=True)
class Part:
    """A model: the inputs of a cluster, or a part of them."""

    name: str
    description: str
    inputs: tuple[Input, ...] = field(repr=False)


def parts() -> list[Part]:
    """All parts of the inputs in Python, each after those that it consists of: the cluster is the last."""
    return _parts(*RESOURCES.values(), ClusterSpec)


def component_parts() -> list[Part]:
    """Those of a `KSailCluster` in other languages: the last two are its options and the cluster."""
    timeouts_and_options = _parts(ComponentOptions)
    cluster = _parts(ClusterSpec)
    return [*cluster[:-1], *timeouts_and_options, cluster[-1]]


def _parts(*roots: type[BaseModel]) -> list[Part]:
    models: dict[type[BaseModel], None] = {}
    for model in roots:
        _collect(model, models)
    return [Part(_name(model), described(model), tuple(_inputs(model))) for model in models]


def _collect(model: type[BaseModel], found: dict[type[BaseModel], None]) -> None:
    for info in model.model_fields.values():
        for inner in _models(_annotation(info)):
            if inner not in found:
                _collect(inner, found)
    found[model] = None


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)


def _name(model: type[BaseModel]) -> str:
    return "OmniCluster" if model is ClusterSpec else model.__name__


def _inputs(model: type[BaseModel]) -> Iterator[Input]:
    texts = descriptions(model)
    for name, info in model.model_fields.items():
        marks = list(_marks(_annotation(info)))
        yield Input(
            name=name,
            wire=info.alias or name,
            shapes=_shapes(_annotation(info)),
            description=texts[name],
            private=name in PRIVATE_FIELDS,
            secret=ALWAYS_SECRET in marks,
            plain=READ_BY_PROGRAM in marks,
            # Not what the model requires: some of that is added before, and some is only missed later.
            required=texts[name].endswith("Required."),
            former=next((mark.name for mark in marks if isinstance(mark, Formerly)), ""),
        )


def _annotation(info: FieldInfo) -> Any:
    """A field's annotation as it was written: pydantic takes the outermost `Annotated` off."""
    annotation: Any = info.annotation
    for mark in info.metadata:
        annotation = Annotated[annotation, mark]
    return annotation


def _marks(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Annotated:
        yield from annotation.__metadata__
    for each in get_args(annotation):
        yield from _marks(each)


def _shapes(annotation: Any) -> tuple[Shape, ...]:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _shapes(_accepted(annotation))
    if origin in (Union, types.UnionType):
        return _joined(_shapes(each) for each in args if each is not type(None))
    if origin is Literal:
        return (Shape("literal", values=args),)
    if origin in _COLLECTIONS:
        item = args[1] if origin is dict else args[0]
        return (Shape(_COLLECTIONS[origin], items=_shapes(item)),)
    if annotation in _SCALARS:
        return (Shape(_SCALARS[annotation]),)
    return (Shape("part", part=_name(annotation)),)


def _accepted(annotation: Any) -> Any:
    """What a user may write: what a validator that comes first accepts, or else the type itself."""
    for mark in annotation.__metadata__:
        if isinstance(mark, BeforeValidator) and mark.json_schema_input_type is not PydanticUndefined:
            return mark.json_schema_input_type
    return annotation.__origin__


def _joined(shapes: Iterable[tuple[Shape, ...]]) -> tuple[Shape, ...]:
    return tuple(shape for each in shapes for shape in each)
