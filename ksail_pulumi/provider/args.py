"""What an `OmniCluster` is made from: classes, their twins as dictionaries, and the one form both take on the wire.

Names on the wire are camelCase and frozen. Users write snake_case; dictionaries may be written either way. Only names
of ours are respelled: labels, patches and machine IDs are the user's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from pulumi import Input, Output

from ksail_pulumi.errors import InputError

_OURS = frozenset({"controlPlane", "workers", "machineClass", "patches", "kubeconfig", "onDelete"})
"""Inputs with names of ours inside. `machines` of a cluster is one more: a mapping with such values."""


@dataclass(frozen=True, kw_only=True)
class MachineClassArgs:
    """Machines that Omni allocates by a machine class.

    Attributes:
        name: The machine class.
        size: How many machines, or `"unlimited"`.
    """

    name: Input[str] | None = None
    size: Input[int | Literal["unlimited"]] | None = None


@dataclass(frozen=True, kw_only=True)
class PatchArgs:
    """A patch of the Talos machine configuration, in one of two forms: `inline` or `file`.

    Attributes:
        name: Its name, unique in its place; required with `inline`, the file's name otherwise.
        inline: The patch: a mapping, a list of mappings (several documents), or YAML text that is passed on untouched.
        file: A file with the patch, relative to the program's folder. It is read when the program runs.
        id_override: The ID of the resource in Omni, in place of the one that is made from the name.
        labels: Labels of the resource in Omni.
        annotations: Annotations of the resource in Omni.
        description: Shown in Omni.
    """

    name: Input[str] | None = None
    inline: Input[str | Mapping[str, Any] | Sequence[Mapping[str, Any]]] | None = None
    file: str | None = None
    id_override: Input[str] | None = None
    labels: Input[Mapping[str, Input[str]]] | None = None
    annotations: Input[Mapping[str, Input[str]]] | None = None
    description: Input[str] | None = None


@dataclass(frozen=True, kw_only=True)
class MachineSetArgs:
    """The machines of one role; of `count`, `machines` and `machine_class` at most one.

    Attributes:
        count: How many machines to take from those that are free, 1 by default.
        machines: The IDs of exactly the machines to use.
        machine_class: Machines that Omni allocates itself.
        selector: With `count`: an Omni label selector that a machine must match, `"zone = b, !gpu"`.
        patches: Patches for these machines.
        labels: Labels of the machine set in Omni.
        annotations: Annotations of the machine set in Omni.
    """

    count: Input[int] | None = None
    machines: Input[Sequence[Input[str]]] | None = None
    machine_class: Input[MachineClassArgs | MachineClassArgsDict] | None = None
    selector: Input[str] | None = None
    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]] | None = None
    labels: Input[Mapping[str, Input[str]]] | None = None
    annotations: Input[Mapping[str, Input[str]]] | None = None


@dataclass(frozen=True, kw_only=True)
class WorkersArgs(MachineSetArgs):
    """A set of workers.

    Attributes:
        name: Its name, `workers` by default; a cluster's sets have different names.
    """

    name: Input[str] | None = None


@dataclass(frozen=True, kw_only=True)
class MachineArgs:
    """What is special about one machine.

    Attributes:
        labels: Labels of its place in the cluster (`MachineSetNode`) in Omni.
        annotations: Annotations of the same.
        patches: Patches for this machine alone.
    """

    labels: Input[Mapping[str, Input[str]]] | None = None
    annotations: Input[Mapping[str, Input[str]]] | None = None
    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]] | None = None


@dataclass(frozen=True, kw_only=True)
class KubeconfigArgs:
    """The kubeconfig that the cluster hands out: one of a Kubernetes service account, made by Omni.

    Attributes:
        user: The user in it.
        groups: The Kubernetes groups of that user.
        ttl: How long it lasts, as Go writes durations: `"720h"`.
        renew_before: How long before its end an update makes a new one, `"168h"`.
    """

    user: Input[str] | None = None
    groups: Input[Sequence[Input[str]]] | None = None
    ttl: Input[str] | None = None
    renew_before: Input[str] | None = None


@dataclass(frozen=True, kw_only=True)
class OnDeleteArgs:
    """What happens when the cluster is deleted.

    Attributes:
        disconnected_machines: A machine that cannot be reached holds the deletion up: `"fail"` (the default) names such
            machines and deletes nothing, `"wait"` waits for them, `"remove"` removes them from Omni altogether.
    """

    disconnected_machines: Input[Literal["fail", "wait", "remove"]] | None = None


@dataclass(frozen=True, kw_only=True)
class OmniClusterArgs:
    """The inputs of an `OmniCluster`.

    Attributes:
        name: The cluster's name in Omni, the resource's name by default. A change replaces the cluster.
        endpoint: URL of this cluster's Omni, where it is not the stack's (`omni:endpoint`). Another Omni replaces it.
        service_account_key_env_var: Name of the environment variable with the key for that Omni.
        kubernetes_version: With or without `v`. Omitted: the newest that Omni supports at create, and then pinned.
        talos_version: The same for Talos.
        control_plane: The control plane's machines, one by default.
        workers: A number of workers, or a list of worker sets.
        machines: What is special about single machines, by their IDs.
        patches: Patches for all machines of the cluster.
        labels: Labels of the cluster in Omni.
        annotations: Annotations of the cluster in Omni.
        kubeconfig: How the kubeconfig is made that the cluster hands out.
        talosconfig: Whether the cluster hands out a talosconfig, true by default.
        wait_for: `"ready"` (the default); `"running"`, where the network plugin comes later; `"none"`.
        on_delete: What happens when the cluster is deleted.
    """

    name: Input[str] | None = None
    endpoint: Input[str] | None = None
    service_account_key_env_var: Input[str] | None = None
    kubernetes_version: Input[str] | None = None
    talos_version: Input[str] | None = None
    control_plane: Input[MachineSetArgs | MachineSetArgsDict] | None = None
    workers: Input[int | Sequence[Input[WorkersArgs | WorkersArgsDict]]] | None = None
    machines: Input[Mapping[str, Input[MachineArgs | MachineArgsDict]]] | None = None
    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]] | None = None
    labels: Input[Mapping[str, Input[str]]] | None = None
    annotations: Input[Mapping[str, Input[str]]] | None = None
    kubeconfig: Input[KubeconfigArgs | KubeconfigArgsDict] | None = None
    talosconfig: Input[bool] | None = None
    wait_for: Input[Literal["ready", "running", "none"]] | None = None
    on_delete: Input[OnDeleteArgs | OnDeleteArgsDict] | None = None


class MachineClassArgsDict(TypedDict, total=False):
    """`MachineClassArgs` as a dictionary."""

    name: Input[str]
    size: Input[int | Literal["unlimited"]]


class PatchArgsDict(TypedDict, total=False):
    """`PatchArgs` as a dictionary."""

    name: Input[str]
    inline: Input[str | Mapping[str, Any] | Sequence[Mapping[str, Any]]]
    file: str
    id_override: Input[str]
    labels: Input[Mapping[str, Input[str]]]
    annotations: Input[Mapping[str, Input[str]]]
    description: Input[str]


class MachineSetArgsDict(TypedDict, total=False):
    """`MachineSetArgs` as a dictionary."""

    count: Input[int]
    machines: Input[Sequence[Input[str]]]
    machine_class: Input[MachineClassArgs | MachineClassArgsDict]
    selector: Input[str]
    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]]
    labels: Input[Mapping[str, Input[str]]]
    annotations: Input[Mapping[str, Input[str]]]


class WorkersArgsDict(MachineSetArgsDict, total=False):
    """`WorkersArgs` as a dictionary."""

    name: Input[str]


class MachineArgsDict(TypedDict, total=False):
    """`MachineArgs` as a dictionary."""

    labels: Input[Mapping[str, Input[str]]]
    annotations: Input[Mapping[str, Input[str]]]
    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]]


class KubeconfigArgsDict(TypedDict, total=False):
    """`KubeconfigArgs` as a dictionary."""

    user: Input[str]
    groups: Input[Sequence[Input[str]]]
    ttl: Input[str]
    renew_before: Input[str]


class OnDeleteArgsDict(TypedDict, total=False):
    """`OnDeleteArgs` as a dictionary."""

    disconnected_machines: Input[Literal["fail", "wait", "remove"]]


class OmniClusterArgsDict(TypedDict, total=False):
    """`OmniClusterArgs` as a dictionary, and as keyword arguments."""

    name: Input[str]
    endpoint: Input[str]
    service_account_key_env_var: Input[str]
    kubernetes_version: Input[str]
    talos_version: Input[str]
    control_plane: Input[MachineSetArgs | MachineSetArgsDict]
    workers: Input[int | Sequence[Input[WorkersArgs | WorkersArgsDict]]]
    machines: Input[Mapping[str, Input[MachineArgs | MachineArgsDict]]]
    patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]]
    labels: Input[Mapping[str, Input[str]]]
    annotations: Input[Mapping[str, Input[str]]]
    kubeconfig: Input[KubeconfigArgs | KubeconfigArgsDict]
    talosconfig: Input[bool]
    wait_for: Input[Literal["ready", "running", "none"]]
    on_delete: Input[OnDeleteArgs | OnDeleteArgsDict]


def to_wire(inputs: OmniClusterArgs | Mapping[str, Any]) -> dict[str, Any]:
    """The inputs in their form on the wire; what was not set is left out, and outputs stay outputs.

    Raises:
        InputError: One input is given in both spellings.
    """
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
        name = _camel_case(key)
        place = f"{path}.{name}" if path else name
        if item is None:
            continue
        if name in wire:
            raise InputError(place, "is given twice, in both of its spellings")
        if name in _OURS:
            wire[name] = _respelled(item, place)
        elif name == "machines":
            wire[name] = _respelled_values(item, place)
        else:
            wire[name] = item
    return wire


def _respelled_values(value: Any, path: str) -> Any:
    """A mapping with keys of the user's and values of ours; anything else as it is."""
    if isinstance(value, Output):
        return value.apply(lambda known: _respelled_values(known, path))
    if isinstance(value, Mapping):
        return {key: _respelled(item, f"{path}.{key}") for key, item in value.items()}
    return value


def _camel_case(name: str) -> str:
    if name.startswith("__"):
        return name
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
