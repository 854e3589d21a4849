"""One form for inputs on the wire, however they were written.

Names on the wire are camelCase and frozen. Users write snake_case; dictionaries may be written either way. Only names
of ours and the IDs of machines are respelled: labels and patches are the user's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from pulumi import Output

from ksail_pulumi.errors import InputError
from ksail_pulumi.model.machine_ids import machine_id
from ksail_pulumi.provider.fields import FIELDS, FORMER_NAMES, Field

if TYPE_CHECKING:
    from ksail_pulumi.provider.inputs import OmniClusterArgs

CLUSTER = "OmniCluster"


def to_wire(inputs: OmniClusterArgs | Mapping[str, Any], part: str = CLUSTER) -> dict[str, Any]:
    """The inputs in their form on the wire; what was not set is left out, and outputs stay outputs.

    Args:
        inputs: The inputs of a cluster, or of another resource.
        part: The name of these inputs in `FIELDS`.

    Raises:
        InputError: One input is given in both spellings, or these are no inputs at all.
    """
    if not isinstance(inputs, Mapping) and not dataclasses.is_dataclass(inputs):
        raise InputError(
            "", f"the inputs should be an OmniClusterArgs or a dictionary, not a value of type {type(inputs).__name__}"
        )
    return _respelled_mapping(inputs, part, "")


def deprecations(inputs: OmniClusterArgs | Mapping[str, Any]) -> list[str]:
    """A warning for each input that is given under a former name."""
    given = _items(inputs)
    return [
        f"input {former} is deprecated: use {name}"
        for former, name in FORMER_NAMES.items()
        if given.get(former) is not None
    ]


def wire_name(name: str, part: str = CLUSTER) -> str:
    """The name on the wire of an input or of a field of one of its parts; one that is on the wire already stays."""
    found = fields_of(part).get(name)
    return found.wire if found else _camel_case(name)


@cache
def fields_of(part: str) -> dict[str, Field]:
    """The fields of a part under both of their spellings."""
    found = dict(FIELDS.get(part, {}))
    return {field.wire: field for field in found.values()} | found


def _respelled(value: Any, part: str, path: str) -> Any:
    if isinstance(value, Output):
        return value.apply(lambda known: _respelled(known, part, path))
    if isinstance(value, list | tuple):
        return [_respelled(item, part, f"{path}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping) or dataclasses.is_dataclass(value):
        return _respelled_mapping(value, part, path)
    return value


def _respelled_mapping(value: Any, part: str, path: str) -> dict[str, Any]:
    wire: dict[str, Any] = {}
    for key, item in _items(value).items():
        name, inner, _ = fields_of(part).get(key) or Field(_camel_case(key))
        place = f"{path}.{name}" if path else name
        if item is None:
            continue
        if name in wire:
            raise InputError(place, "is set twice, in two spellings: keep one of them")
        if name == "machines":
            wire[name] = _respelled_machines(item, inner, place)
        else:
            wire[name] = _respelled(item, inner, place) if inner else item
    return wire


def _items(value: Any) -> Mapping[str, Any]:
    if dataclasses.is_dataclass(value):
        return {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    return value  # type: ignore[no-any-return]


def _respelled_machines(value: Any, part: str, path: str) -> Any:
    """The machines of a set, or a mapping from machines to values of ours; anything else as it is."""
    if isinstance(value, Output):
        return value.apply(lambda known: _respelled_machines(known, part, path))
    if isinstance(value, str):
        return machine_id(value)
    if isinstance(value, list | tuple):
        return [_respelled_machines(item, part, path) for item in value]
    if not isinstance(value, Mapping):
        return value
    wire: dict[str, Any] = {}
    for key, item in value.items():
        machine = _respelled_machines(key, part, path)
        place = f"{path}.{machine}"
        if machine in wire:
            raise InputError(place, "is set twice, in two spellings: keep one of them")
        wire[machine] = _respelled(item, part, place)
    return wire


def _camel_case(name: str) -> str:
    """The name on the wire of a field that does not exist: `check` reports it."""
    if name.startswith("__"):
        return name
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
