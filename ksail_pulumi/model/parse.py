"""From what the user wrote to the model of a cluster, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from ksail_pulumi.model.base import Inputs
from ksail_pulumi.model.cluster import (
    ClusterSpec,
    ControlPlane,
    Kubeconfig,
    Machine,
    MachineClass,
    MachineSet,
    OnDelete,
    OnUpdate,
    Patch,
    Workers,
)
from ksail_pulumi.model.durations import duration, format_duration
from ksail_pulumi.model.files import read_files, with_files
from ksail_pulumi.model.reasons import problems_of
from ksail_pulumi.model.validation import validate
from ksail_pulumi.problems import InvalidCluster, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "ClusterSpec",
    "ControlPlane",
    "InvalidCluster",
    "Kubeconfig",
    "Machine",
    "MachineClass",
    "MachineSet",
    "OnDelete",
    "OnUpdate",
    "Patch",
    "Problem",
    "Workers",
    "compact",
    "duration",
    "format_duration",
    "parse_cluster",
    "parse_inputs",
    "to_wire",
    "validate",
    "with_files",
]

_DEEPEST = 100  # levels of nesting

Spec = TypeVar("Spec", bound=Inputs)
Part = TypeVar("Part", bound=BaseModel)


def parse_cluster(data: Mapping[str, Any], *, base: Path | None = None) -> ClusterSpec:
    """Make a model of what the user wrote.

    Patches in files are read, whole floats taken as integers, versions freed of their `v`.

    Args:
        data: The inputs, in wire names.
        base: What the paths of patch files are relative to; the working directory if left out.

    Raises:
        InvalidCluster: With one problem for every field that cannot be used.
    """
    _refuse_garbled(data)
    read, problems = read_files(data, base)
    try:
        spec = ClusterSpec.model_validate(read)
    except ValidationError as error:
        raise InvalidCluster([*problems, *problems_of(error.errors(include_url=False), ClusterSpec)]) from None
    problems += validate(spec)
    if problems:
        raise InvalidCluster(problems)
    return spec


def parse_inputs(data: Mapping[str, Any], model: type[Spec]) -> Spec:
    """Make a model of the inputs of another resource than a cluster.

    Raises:
        InvalidCluster: With one problem for every field that cannot be used.
    """
    spec = parse_part(data, model)
    if problems := {problem.path: problem for problem in spec.problems()}:
        raise InvalidCluster(list(problems.values()))
    return spec


def parse_part(data: Mapping[str, Any], model: type[Part]) -> Part:
    """Make a model of a part of what the user wrote, each field of which can be checked alone.

    Raises:
        InvalidCluster: With one problem for every field that cannot be used.
    """
    _refuse_garbled(data)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InvalidCluster(problems_of(error.errors(include_url=False), model)) from None


def _refuse_garbled(data: Mapping[str, Any]) -> None:
    if garbled := {problem.path: problem for problem in _garbled(data, ())}:
        raise InvalidCluster(list(garbled.values()))


def _garbled(value: Any, path: tuple[str | int, ...]) -> Iterator[Problem]:
    """Text that cannot be written down in Unicode, and nesting that nobody wrote by hand."""
    if len(path) > _DEEPEST:
        yield Problem(path[:3], f"is nested more than {_DEEPEST} levels deep")
    elif isinstance(value, str):
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            yield Problem(path, "contains invalid characters (lone surrogates)")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _garbled(str(key), path)
            yield from _garbled(item, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _garbled(item, (*path, index))


def to_wire(spec: ClusterSpec) -> dict[str, Any]:
    """The inputs as plain JSON, in canonical form: what was not set is left out."""
    wire: dict[str, Any] = spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return compact(wire)


def compact(wire: dict[str, Any]) -> dict[str, Any]:
    """Write a single default worker set of so many machines as that number, and no set at all as 0."""
    match wire.get("workers"):
        case []:
            return {**wire, "workers": 0}
        case [{"count": int() as count, **rest}] if count and not rest:
            return {**wire, "workers": count}
    return wire
