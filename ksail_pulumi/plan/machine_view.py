"""What a plan knows of one machine, and which of its resources are ours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.ownership import of_machine_config
from ksail_pulumi.plan.snapshot import INSTALL_DISK_API

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.ownership import MachineConfigMark


@dataclass(frozen=True)
class MachineView:
    """What Omni has of a machine.

    Attributes:
        id: Its ID.
        status: Its `MachineStatus`; None if it is not in this Omni.
        node: Its `MachineSetNode`, if it is in a cluster.
        labels: Its `MachineLabels`.
        own: What else stays with the machine: kernel arguments, install disk and patches.
        elsewhere: Patches with the IDs that its patches are to have, and that it does not have.
        in_cluster: The patches that it has in its cluster.
        sys_version: Omni's `SysVersion`.
    """

    id: str
    status: Resource | None = None
    node: Resource | None = None
    labels: Resource | None = None
    own: Sequence[Resource] = ()
    elsewhere: Sequence[Resource] = ()
    in_cluster: Sequence[Resource] = ()
    sys_version: Resource | None = None

    @property
    def name(self) -> str:
        """The name in texts."""
        return self.id if self.status is None else omni.machine_name(self.status)

    @property
    def leaving(self) -> list[Resource]:
        """What of it is being deleted, its status and node aside."""
        return [each for each in (*self.own, self.labels) if each is not None and each.tearing_down]

    @property
    def staying(self) -> MachineView:
        """The same without what is being deleted."""
        labels = None if self.labels is None or self.labels.tearing_down else self.labels
        own, in_cluster = ([each for each in found if not each.tearing_down] for found in (self.own, self.in_cluster))
        return replace(self, labels=labels, own=own, in_cluster=in_cluster)

    @property
    def api_version(self) -> int:
        """Omni's API version; the newest that is known here if it was not read."""
        return self.sys_version.spec.backend_api_version if self.sys_version else INSTALL_DISK_API


@dataclass(frozen=True)
class Owner:
    """Whose the resources of a machine are.

    Attributes:
        mark: The mark of this resource.
        adopt: Whether what exists is taken over.
    """

    mark: MachineConfigMark
    adopt: bool = False

    def moves(self, machine: MachineView) -> list[Resource]:
        """The patches of the machine that this resource is to leave: they have IDs of the user, and move along."""
        return [each for each in machine.elsewhere if self.mark.owns(each)]

    def owns(self, resource: Resource) -> bool:
        """Whether a resource is ours, or that of a `MachineConfig` that is taken over."""
        return of_machine_config(resource) if self.adopt else self.mark.owns(resource)
