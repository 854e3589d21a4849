"""What a preview says of a `MachineConfig`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.limits import refused_resources
from ksail_pulumi.plan.machine_config import wanted_resources
from ksail_pulumi.plan.machine_fields import WHOLE, fields_of, set_twice
from ksail_pulumi.plan.machine_labels import labels_of, our_keys
from ksail_pulumi.plan.ownership import MachineConfigMark, of_machine_config
from ksail_pulumi.plan.parts import install_disks, kernel_args, patches
from ksail_pulumi.plan.parts.table import PART_OF
from ksail_pulumi.plan.server_age import lacking_kernel_args
from ksail_pulumi.plan.snapshot import INSTALL_DISK_API
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.model.machine_config import MachineConfigInputs
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.machine_config import MachineChanges
    from ksail_pulumi.plan.machine_fields import MachineField
    from ksail_pulumi.plan.machine_view import MachineView, Owner


def machine_fields(spec: MachineConfigInputs) -> set[MachineField]:
    """The fields that no other resource may set."""
    given = wanted_resources(spec, MachineConfigMark(""), INSTALL_DISK_API)
    return {*fields_of(given), (spec.machine_id, WHOLE)}


def config_problems(
    spec: MachineConfigInputs,
    before: MachineConfigInputs | None,
    machine: MachineView,
    owner: Owner,
    changes: MachineChanges,
) -> Iterator[Problem]:
    """What Omni or this package would refuse, apart from the texts of patches.

    Args:
        spec: What the user asks for.
        before: The inputs before; None for a new resource.
        machine: What Omni has.
        owner: Whose the resources are.
        changes: What must change.
    """
    if machine.status is None:
        reason = "machine {id} is not in this Omni: register it first, or correct the ID"
        yield Problem(("machineId",), reason, id=machine.id)
        return
    if spec.kernel_args is not None:
        yield from lacking_kernel_args(("kernelArgs",), machine.sys_version)
    yield from install_disks.unsupported(("installDisk",), spec.install_disk, machine.sys_version)
    yield from install_disks.patched_disks(("patches",), spec.patches, machine.sys_version, instead="installDisk")
    strangers = [each for each in _marked(machine) if not owner.owns(each)]
    if strangers:
        other = f"the Pulumi resource {owner.mark.owner_of(strangers[0])}"
        twice = set_twice(machine.name, WHOLE, other, ("machineId",))
        yield Problem(twice.path, f"{twice.reason}. {_to_take_over(machine)}")
        return
    moves = owner.moves(machine)
    for each in [patch for patch in machine.elsewhere if patch not in moves]:
        whose = "another machine" if omni.LABEL_MACHINE in each.labels else "a cluster"
        yield Problem(("patches",), f"{_what(each)} exists for {whose}: use another ID")
    yield from _set_by_cluster(spec, machine, owner)
    yield from _set_by_others(spec, machine, owner)
    if not owner.adopt:
        yield from _foreign_labels(spec, before, machine, owner)
    yield from refused_resources((*changes.creates, *(each.desired for each in changes.updates)))


def _marked(machine: MachineView) -> list[Resource]:
    present = (*machine.own, *([machine.labels] if machine.labels is not None else []))
    return [each for each in present if of_machine_config(each)]


def _set_by_cluster(spec: MachineConfigInputs, machine: MachineView, owner: Owner) -> Iterator[Problem]:
    """What the cluster that has the machine sets: it cannot be taken over, because the cluster would set it again."""
    if machine.node is None:
        return
    present = [each for each in (*machine.own, *machine.in_cluster) if not of_machine_config(each)]
    by_cluster = fields_of(each for each in present if _by_a_tool(each))
    for field in sorted(by_cluster.keys() & machine_fields(spec)):
        whose = owner.mark.owner_of(by_cluster[field])
        other = f"cluster {machine.node.cluster!r}" + (f" (the Pulumi resource {whose})" if whose else "")
        yield set_twice(machine.name, field[1], other, (field[1],))


def _by_a_tool(resource: Resource) -> bool:
    return omni.ANNOTATION_MANAGED_BY_TEMPLATES in resource.annotations or bool(MachineConfigMark.owner_of(resource))


def _set_by_others(spec: MachineConfigInputs, machine: MachineView, owner: Owner) -> Iterator[Problem]:
    """What exists and is not ours, unless it is taken over."""
    if owner.adopt:
        return
    known = {each.key: each for each in machine.own if not owner.owns(each)}
    cluster = {} if machine.node is None else fields_of(each for each in known.values() if _by_a_tool(each))
    for each in wanted_resources(spec, owner.mark, machine.api_version):
        ((_, field),) = fields_of([each])
        if each.key in known and (machine.id, field) not in cluster:
            reason = f"{_what(each)} exists, and this resource has not created it. Delete it in Omni. "
            yield Problem((field,), f"{reason}{_to_take_over(machine)}")


def _foreign_labels(
    spec: MachineConfigInputs, before: MachineConfigInputs | None, machine: MachineView, owner: Owner
) -> Iterator[Problem]:
    if machine.labels is None:
        return
    ours = our_keys(machine.labels, owner, labels_of(before))
    for key in spec.labels or {}:
        if key in machine.labels.labels and key not in ours:
            reason = f"machine {machine.name} has this label, and this resource has not set it. Remove it in Omni. "
            yield Problem(("labels", key), f"{reason}{_to_take_over(machine)}")


def takeover(spec: MachineConfigInputs, machine: MachineView, owner: Owner) -> Iterator[str]:
    """What exists and is taken over."""
    known = {each.key: each for each in machine.own}
    for each in wanted_resources(spec, owner.mark, machine.api_version):
        if each.key in known and not owner.mark.owns(known[each.key]):
            change = "" if known[each.key].spec == each.spec else ", and changed"
            yield f"{_what(each)} is taken over{change}"
    present = machine.labels.labels if machine.labels is not None else {}
    taken = [key for key in spec.labels or {} if key in present]
    if taken:
        yield f"these labels of machine {machine.name} are taken over: {listing.names(sorted(taken))}"


def _what(resource: Resource) -> str:
    return f"{PART_OF[resource.type].nouns[0]} {resource.id}"


def _to_take_over(machine: MachineView) -> str:
    return f"To take over what the machine has, import it: opts=pulumi.ResourceOptions(import_={machine.id!r})"


def effects(changes: MachineChanges, machine: MachineView) -> Iterator[str]:
    """What changes mean for a machine that is in a cluster."""
    if machine.node is None:
        return
    written = [
        *(("adds", each) for each in changes.creates),
        *(("adds", each.desired) for each in changes.updates if each.actual in machine.elsewhere),
        *(
            ("changes", each.desired)
            for each in changes.updates
            if each.actual not in machine.elsewhere and each.actual.spec != each.desired.spec
        ),
        *(("removes", each) for each in changes.destroys),
    ]
    reaching = [(verb, each) for verb, each in written if each.type in (omni.KERNEL_ARGS, omni.CONFIG_PATCH)]
    for verb, each in reaching:
        if each.type == omni.KERNEL_ARGS:
            yield kernel_args.effect(verb, machine.name)
        elif not install_disks.is_install_patch(each):
            preposition = {"adds": "to", "changes": "on", "removes": "from"}[verb]
            yield patches.effect(f"{verb} patch {each.id} {preposition} {machine.name}")
    if reaching:
        yield f"machine {machine.name} is in cluster {machine.node.cluster}; `up` does not wait for it"
        if omni.ANNOTATION_LOCKED in machine.node.annotations:
            yield f"machine {machine.name} is locked: it will not be updated until it is unlocked"
