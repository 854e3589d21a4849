"""What is set on a machine itself, so that it already has it when a cluster takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.model.base import Inputs, MachineId, Metadata
from ksail_pulumi.model.cluster import Install, Patch
from ksail_pulumi.model.machine_ids import is_uuid
from ksail_pulumi.model.patches import MACHINE_INFIX, MACHINE_WEIGHT, patch_id
from ksail_pulumi.model.validation import (
    install_rules,
    kernel_args_rules,
    metadata_rules,
    patch_rules,
    same_patch_ids,
)
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator


class MachineConfigInputs(Inputs):
    """Settings of a machine that apply in whichever cluster it is."""

    machine_id: MachineId
    """ID (UUID) of the machine. A change replaces the resource."""

    labels: Metadata | None = None
    """Labels of the machine, for selectors and machine classes. Labels that others have set are kept."""

    patches: tuple[Patch, ...] | None = None
    """Talos patches for the machine."""

    kernel_args: tuple[str, ...] | None = None
    """Kernel arguments of the machine. An empty list: none."""

    install_disk: Install | None = None
    """The disk that Talos is installed on."""

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if not is_uuid(self.machine_id):
            yield Problem(("machineId",), "invalid machine ID {id}: it should be a UUID", id=self.machine_id)
        if not (self.labels or self.patches or self.kernel_args is not None or self.install_disk is not None):
            yield Problem((), "at least one of labels, patches, kernelArgs and installDisk is required")
        yield from metadata_rules((), self.labels)
        yield from patch_rules(("patches",), self.patches)
        yield from same_patch_ids(
            (("patches", index), patch, patch_id(patch, index, MACHINE_WEIGHT, f"{MACHINE_INFIX}{self.machine_id}"))
            for index, patch in enumerate(self.patches or ())
        )
        yield from kernel_args_rules(("kernelArgs",), self.kernel_args)
        yield from install_rules(("installDisk",), self.install_disk)
