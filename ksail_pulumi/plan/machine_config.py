"""What a `MachineConfig` is in Omni: the resources of one machine, and what must change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ksail_pulumi.model.patches import patch_id
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.changes import Update
from ksail_pulumi.plan.diff import merge, same
from ksail_pulumi.plan.machine_labels import labelled, labels_of, own_labels
from ksail_pulumi.plan.parts import install_disks, kernel_args, patches
from ksail_pulumi.plan.refresh import followed_patch
from ksail_pulumi.plan.scopes import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ksail_pulumi.model.cluster import Patch
    from ksail_pulumi.model.machine_config import MachineConfigInputs
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.machine_view import MachineView, Owner
    from ksail_pulumi.plan.ownership import MachineConfigMark


@dataclass(frozen=True)
class MachineChanges:
    """What must change.

    Attributes:
        creates: In this order: the labels come last, because a class takes a machine as soon as it has them.
        updates: The same.
        destroys: The labels come first.
    """

    creates: Sequence[Resource] = ()
    updates: Sequence[Update] = ()
    destroys: Sequence[Resource] = ()


def wanted_resources(spec: MachineConfigInputs, mark: MachineConfigMark, api_version: int) -> list[Resource]:
    """The resources of a machine, without its labels."""
    scope = Scope(omni.LABEL_MACHINE, spec.machine_id)
    wanted = list(patches.patches(mark, scope, spec.patches or ()))
    if spec.install_disk is not None:
        wanted.append(install_disks.install_disk(mark, scope, spec.install_disk, api_version))
    if spec.kernel_args is not None:
        wanted.append(kernel_args.kernel_args(mark, spec.machine_id, spec.kernel_args))
    return wanted


def machine_changes(
    spec: MachineConfigInputs | None, before: MachineConfigInputs | None, machine: MachineView, owner: Owner
) -> MachineChanges:
    """What must change for a machine to be as asked for.

    Args:
        spec: What the user asks for; None: all that is ours goes.
        before: The inputs before: labels and annotations of patches that only these have are removed.
        machine: What Omni has.
        owner: Whose the resources are.
    """
    wanted, baseline = (resources_by_key(each, machine, owner) for each in (spec, before))
    known = {each.key: each for each in (*machine.own, *owner.moves(machine))}
    creates = [each for key, each in wanted.items() if key not in known]
    merged = [(known[key], merge(known[key], each, baseline.get(key))) for key, each in wanted.items() if key in known]
    updates = [Update(actual, desired) for actual, desired in merged if not same(actual, desired)]
    destroys = [each for each in machine.own if owner.owns(each) and each.key not in wanted]
    labels = labelled(machine, labels_of(spec), labels_of(before), owner)
    if machine.labels is None:
        creates += [labels] if labels is not None else []
    elif labels is None:
        destroys.insert(0, machine.labels)
    elif not same(labels, machine.labels):
        updates.append(Update(machine.labels, labels))
    return MachineChanges(creates, updates, destroys)


def resources_by_key(
    spec: MachineConfigInputs | None, machine: MachineView, owner: Owner
) -> dict[tuple[str, str], Resource]:
    """The resources of inputs without the labels, by their keys."""
    wanted = wanted_resources(spec, owner.mark, machine.api_version) if spec is not None else []
    return {each.key: each for each in wanted}


def machine_inputs(
    machine: MachineView, owner: Owner | None, spec: MachineConfigInputs | None
) -> dict[str, Any] | None:
    """The inputs that describe a machine, on the wire; None if it has nothing.

    Args:
        machine: What Omni has of it.
        owner: Whose resources count; None: whoever set them.
        spec: The inputs in the state; a patch that still means the same keeps its form.
    """
    own = [each for each in machine.own if owner is None or owner.owns(each)]
    labels = own_labels(machine.labels, owner, labels_of(spec))
    if not own and not labels:
        return None
    found: dict[str, Any] = {"machineId": machine.id}
    if labels or (spec is not None and spec.labels is not None):
        found["labels"] = labels
    listed = [each for each in own if each.type == omni.CONFIG_PATCH and not install_disks.is_install_patch(each)]
    read = list(_read_patches(listed, machine.id, (spec.patches if spec is not None else None) or ()))
    if read or (spec is not None and spec.patches is not None):
        found["patches"] = read
    for each in own:
        if each.type == omni.KERNEL_ARGS:
            found["kernelArgs"] = list(each.spec.args)
        elif each.type == omni.MACHINE_INSTALL_DISK_CONFIG or install_disks.is_install_patch(each):
            disk = install_disks.observed_disk(each)
            found["installDisk"] = disk.model_dump(mode="json", by_alias=True, exclude_none=True)
    return found


def _read_patches(listed: Sequence[Resource], machine: str, asked: Sequence[Patch]) -> Iterator[dict[str, Any]]:
    scope = Scope(omni.LABEL_MACHINE, machine)
    there = {each.id: each for each in sorted(listed, key=lambda each: each.id)}
    place = 0
    for index, patch in enumerate(asked):
        actual = there.pop(patch_id(patch, index, scope.weight, scope.infix()), None)
        if actual is not None:
            yield followed_patch(patch, patches.observed_patch(actual, index, scope))
            place += 1
    for extra, actual in enumerate(there.values(), start=place):
        yield followed_patch(None, patches.observed_patch(actual, extra, scope))
