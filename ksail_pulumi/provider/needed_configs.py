"""The settings of machines that a cluster depends on: in a preview, its selectors match the labels that they set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ksail_pulumi.provider.declared_classes import resources_of
from ksail_pulumi.provider.machine_config import MachineConfig

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from pulumi import ResourceOptions


class NeededConfigs:
    """The URNs of these resources, to be sent with the cluster; None if there are none. Awaited by Pulumi."""

    def __init__(self, wire: Mapping[str, Any], opts: ResourceOptions) -> None:
        """Belong to a cluster with these inputs on the wire and these options."""
        self._sources = [wire.get("controlPlane"), wire.get("workers"), opts.depends_on]

    def __await__(self) -> Generator[Any, None, list[str] | None]:
        return self._found().__await__()

    async def _found(self) -> list[str] | None:
        needed = [each for each in await resources_of(self._sources) if isinstance(each, MachineConfig)]
        return sorted([str(await each.urn.future()) for each in needed]) or None
