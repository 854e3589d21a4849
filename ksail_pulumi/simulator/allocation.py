"""The machine class of a machine set."""

from __future__ import annotations

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource

MachineAllocation = specs_pb2.MachineSetSpec.MachineAllocation


def allocation_of(machine_set: Resource) -> MachineAllocation | None:
    """The machine class allocation of a set, if any. Omni reads the deprecated field first."""
    for field in ("machine_class", "machine_allocation"):
        if machine_set.spec.HasField(field):
            found: MachineAllocation = getattr(machine_set.spec, field)
            return found
    return None
