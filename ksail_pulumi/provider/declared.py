"""Remembers the clusters that a program declares, for the clusters that it declares after them.

Clusters of one stack choose machines from one pool. The order in which the engine checks and creates them is not
fixed, but that of the program is.
"""

from __future__ import annotations

import json
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import pulumi

from ksail_pulumi.provider.properties import ADOPT

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_CLUSTER = ("name", "endpoint", "talosVersion", "ownership")
_OF_SET = ("name", "count", "machines", "machineClass", "selector")

# One process can run several programs, also at the same time: each has a stack resource of its own.
_declared: WeakKeyDictionary[object, list[str]] = WeakKeyDictionary()
behind_plugin: ContextVar[object | None] = ContextVar("behind_plugin", default=None)
"""In a plugin, which has no stack resource: what stands for the program whose components it constructs."""

_lock = threading.Lock()


def declare(wire: Mapping[str, Any], *, adopt: bool) -> str:
    """Add a cluster to those of its program, and return the ones before it, one in JSON on each line.

    They are one text because Pulumi resolves each value of a list on its own, for each of many clusters.

    A cluster is left out if an input that decides its machines is an output: this cluster must not depend on it.

    Args:
        wire: The inputs of the cluster.
        adopt: Whether the cluster is taken over.
    """
    stack = pulumi.runtime.get_root_resource() or behind_plugin.get()
    if stack is None:
        return ""
    machines = _what_decides_machines(wire)
    with _lock:
        declared = _declared.setdefault(stack, [])
        earlier = "\n".join(declared)
        if _is_plain(machines):
            declared.append(json.dumps({**machines, **({ADOPT: True} if adopt else {})}))
    return earlier


def _what_decides_machines(wire: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: wire[key] for key in _OF_CLUSTER if key in wire}
    if "controlPlane" in wire:
        found["controlPlane"] = _of_set(wire["controlPlane"])
    if "workers" in wire:
        workers = wire["workers"]
        found["workers"] = [_of_set(each) for each in workers] if isinstance(workers, list) else workers
    return found


def _of_set(machine_set: Any) -> Any:
    if not isinstance(machine_set, dict):
        return machine_set
    return {key: machine_set[key] for key in _OF_SET if key in machine_set}


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float)
