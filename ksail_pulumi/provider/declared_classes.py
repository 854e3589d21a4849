"""The machine classes that a program declares, for the previews of the clusters that it declares after them.

A class that the same `up` creates does not exist in a preview. It is safe to use if the cluster depends on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import pulumi
from pulumi import Output, Resource

from ksail_pulumi.provider.properties import DEPENDS

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from pulumi import ResourceOptions

# One process can run several programs, also at the same time: each has a stack resource of its own.
_declared: WeakKeyDictionary[Resource, list[tuple[Resource, Mapping[str, Any]]]] = WeakKeyDictionary()


def declare_class(machine_class: Resource, wire: Mapping[str, Any]) -> None:
    """Add a machine class, with its inputs on the wire, to those of its program."""
    if (stack := pulumi.runtime.get_root_resource()) is not None:
        _declared.setdefault(stack, []).append((machine_class, wire))


class DeclaredClasses:
    """The classes that are declared so far, to be sent with a cluster; None if there are none. Awaited by Pulumi."""

    def __init__(self, wire: Mapping[str, Any], opts: ResourceOptions) -> None:
        """Belong to a cluster with these inputs on the wire and these options."""
        stack = pulumi.runtime.get_root_resource()
        self._classes = list(_declared.get(stack, ())) if stack is not None else []
        self._sets = [wire.get("controlPlane"), wire.get("workers")]
        self._depends_on = opts.depends_on

    def __await__(self) -> Generator[Any, None, list[dict[str, Any]] | None]:
        return self._found().__await__()

    async def _found(self) -> list[dict[str, Any]] | None:
        if not self._classes:
            return None
        needed = await resources_of(self._sets) | await resources_of(self._depends_on)
        return [await _sent(wire, depends=resource in needed) for resource, wire in self._classes]


async def resources_of(value: Any) -> set[Resource]:
    """The resources that a value comes from."""
    if isinstance(value, Resource):
        return {value}
    if isinstance(value, Output):
        return set(await value.resources())
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return {resource for each in value for resource in await resources_of(each)}
    return set()


async def _sent(wire: Mapping[str, Any], *, depends: bool) -> dict[str, Any]:
    """What decides whether a cluster can use a class. The settings of the infra provider are not sent."""
    found: dict[str, Any] = {DEPENDS: depends}
    for key in ("name", "endpoint", "matchLabels"):
        value = wire.get(key)
        # The cluster must not wait for an output of a class that it does not depend on.
        plain = isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value))
        if plain or (depends and value is not None):
            found[key] = await _known(value) if depends else value
    return {**found, "autoProvision": "autoProvision" in wire}


async def _known(value: Any) -> Any:
    """The value of an input; None while it is unknown or if it is secret."""
    output: Output[Any] = Output.from_input(value)
    return None if await output.is_secret() or not await output.is_known() else await output.future()
