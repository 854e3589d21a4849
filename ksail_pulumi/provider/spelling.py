"""One form for inputs on the wire, however they were written.

Names on the wire are camelCase and frozen. Users write snake_case; dictionaries may be written either way. Only names
of ours and the IDs of machines are respelled: labels and patches are the user's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pulumi import Output

from ksail_pulumi.errors import InputError
from ksail_pulumi.model.machine_ids import machine_id

if TYPE_CHECKING:
    from ksail_pulumi.provider.inputs import OmniClusterArgs

_OURS = frozenset(
    {
        "backup",
        "bootstrapSpec",
        "certManager",
        "cni",
        "components",
        "controlPlane",
        "csi",
        "deleteStrategy",
        "features",
        "gitOpsEngine",
        "healthChecks",
        "install",
        "kubeconfig",
        "machineClass",
        "manifests",
        "metricsServer",
        "onDelete",
        "patches",
        "policyEngine",
        "rolling",
        "updateStrategy",
        "upgradeStrategy",
        "workers",
    }
)
"""Inputs with names of ours inside. `machines` of a cluster is one more: a mapping with such values."""

_SPELLINGS = {"cluster_uuid": "clusterUUID"}
"""Where omnictl's templates have another spelling than camelCase."""


def to_wire(inputs: OmniClusterArgs | Mapping[str, Any]) -> dict[str, Any]:
    """The inputs in their form on the wire; what was not set is left out, and outputs stay outputs.

    Raises:
        InputError: One input is given in both spellings, or these are no inputs at all.
    """
    if not isinstance(inputs, Mapping) and not dataclasses.is_dataclass(inputs):
        raise InputError(
            "", f"the inputs should be an OmniClusterArgs or a dictionary, not a value of type {type(inputs).__name__}"
        )
    return _respelled_mapping(inputs, "")


def _respelled(value: Any, path: str) -> Any:
    if isinstance(value, Output):
        return value.apply(lambda known: _respelled(known, path))
    if isinstance(value, list | tuple):
        return [_respelled(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping) or dataclasses.is_dataclass(value):
        return _respelled_mapping(value, path)
    return value


def _respelled_mapping(value: Any, path: str) -> dict[str, Any]:
    if dataclasses.is_dataclass(value):
        value = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    wire: dict[str, Any] = {}
    for key, item in value.items():
        name = wire_name(key)
        place = f"{path}.{name}" if path else name
        if item is None:
            continue
        if name in wire:
            raise InputError(place, "is given twice, in both of its spellings")
        if name in _OURS:
            wire[name] = _respelled(item, place)
        elif name == "machines":
            wire[name] = _respelled_machines(item, place)
        else:
            wire[name] = item
    return wire


def _respelled_machines(value: Any, path: str) -> Any:
    """The machines of a set, or a mapping from machines to values of ours; anything else as it is."""
    if isinstance(value, Output):
        return value.apply(lambda known: _respelled_machines(known, path))
    if isinstance(value, str):
        return machine_id(value)
    if isinstance(value, list | tuple):
        return [_respelled_machines(item, path) for item in value]
    if not isinstance(value, Mapping):
        return value
    wire: dict[str, Any] = {}
    for key, item in value.items():
        machine = _respelled_machines(key, path)
        place = f"{path}.{machine}"
        if machine in wire:
            raise InputError(place, "is given twice, in both of its spellings")
        wire[machine] = _respelled(item, place)
    return wire


def wire_name(name: str) -> str:
    """The name of an input on the wire; one that is on the wire already stays."""
    if name.startswith("__"):
        return name
    if name in _SPELLINGS:
        return _SPELLINGS[name]
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
