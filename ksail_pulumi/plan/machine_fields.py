"""Which fields of which machines resources set: no field is set by a `MachineConfig` and by a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.ownership import OwnershipMark, of_machine_config
from ksail_pulumi.plan.parts.install_disks import is_install_patch
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.snapshot import Snapshot
    from ksail_pulumi.problems import FieldPath

MachineField = tuple[str, str]
"""The ID of a machine and the name of a field of a `MachineConfig` on the wire; `""` for the machine as a whole."""

INSTALL_DISK, KERNEL_ARGS, PATCHES, WHOLE = "installDisk", "kernelArgs", "patches", ""
_IN_CLUSTER = {INSTALL_DISK: "install"}
"""The names of fields in a cluster's `machines`, where they differ."""

_NOUNS = {
    INSTALL_DISK: ("the install disk", "is", "it"),
    KERNEL_ARGS: ("the kernel arguments", "are", "them"),
    PATCHES: ("the patches", "are", "them"),
}


def fields_of(resources: Iterable[Resource]) -> dict[MachineField, Resource]:
    """The fields of machines that resources set, each with one of these."""
    return {field: each for each in resources for field in _fields(each)}


def _fields(resource: Resource) -> Iterator[MachineField]:
    if resource.type == omni.KERNEL_ARGS:
        yield resource.id, KERNEL_ARGS
    elif resource.type == omni.MACHINE_INSTALL_DISK_CONFIG:
        yield resource.id, INSTALL_DISK
    elif resource.type == omni.CONFIG_PATCH:
        for label in (omni.LABEL_MACHINE, omni.LABEL_CLUSTER_MACHINE):
            if label in resource.labels:
                yield resource.labels[label], INSTALL_DISK if is_install_patch(resource) else PATCHES


def set_by_configs(spec: ClusterSpec, desired: Iterable[Resource], snapshot: Snapshot) -> Iterator[Problem]:
    """Refuse fields that the resources of a cluster set and a `MachineConfig` has set.

    Args:
        spec: What the user asks for.
        desired: What it makes of the cluster.
        snapshot: What Omni has.
    """
    wanted = fields_of(desired)
    configured = fields_of(filter(of_machine_config, (*snapshot.resources, *snapshot.machine_patches)))
    for field in sorted(wanted.keys() & configured.keys()):
        machine, name = field
        owner = OwnershipMark.owner_of(configured[field])
        yield set_twice(snapshot.machine_name(machine), name, f"the MachineConfig {owner}", path_in(spec, field))


def set_twice(machine: str, field: str, other: str, path: FieldPath) -> Problem:
    """The problem that another resource sets a field of a machine."""
    if field == WHOLE:
        return Problem(path, f"machine {machine} is configured by {other}, and can have only one MachineConfig")
    noun, verb, it = _NOUNS[field]
    reason = (
        f"{noun} of machine {machine} {verb} set by {other}. Either a cluster or a MachineConfig can set {it}: remove "
        f"{it} here, or remove {it} there and run `pulumi up` before you set {it} here"
    )
    return Problem(path, reason)


def path_in(spec: ClusterSpec, field: MachineField) -> FieldPath:
    """The path of a field of a machine in the inputs of a cluster; empty if a set or the cluster sets it for all."""
    machine, name = field
    name = _IN_CLUSTER.get(name, name)
    described = spec.machines.get(machine)
    by_name: Mapping[str, object] = described.model_dump(by_alias=True, exclude_none=True) if described else {}
    return ("machines", machine, name) if name in by_name else ()
