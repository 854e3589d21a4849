"""Arguments of the Linux kernel, machine by machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.parts.asked import owned
from ksail_pulumi.plan.parts.part import Part
from ksail_pulumi.plan.scopes import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ksail_pulumi.plan.ownership import OwnershipMark
    from ksail_pulumi.plan.parts.asked import Asked
    from ksail_pulumi.plan.parts.live import Draft, Live
    from ksail_pulumi.plan.parts.part import Change, Outlook


def desired(asked: Asked) -> Iterator[Resource]:
    for set_id, machine_set in asked.machine_sets:
        for machine in asked.assignment.sets.get(set_id, ()):
            args = asked.spec.kernel_args_of(machine, machine_set)
            if args is not None:
                yield kernel_args(asked.mark, machine, args)


def kernel_args(mark: OwnershipMark, machine: str, args: Sequence[str]) -> Resource:
    """The kernel arguments of a machine."""
    return owned(mark, Resource(omni.KERNEL_ARGS, machine, specs_pb2.KernelArgsSpec(args=args)))


def observe(live: Live, draft: Draft) -> None:
    for each in live.of(omni.KERNEL_ARGS):
        draft.at(Scope(omni.LABEL_CLUSTER_MACHINE, each.id))["kernel_args"] = tuple(each.spec.args)


def describe(change: Change, outlook: Outlook) -> str:
    return effect(change.verb, outlook.snapshot.machine_name(change.resource.id))


def effect(verb: str, machine: str) -> str:
    """What a change means for a machine in a cluster."""
    return f"{verb} the kernel arguments of {machine}; it reboots"


PART = Part(
    type=omni.KERNEL_ARGS,
    nouns=("list of kernel arguments", "lists of kernel arguments"),
    desired=desired,
    observe=observe,
    describe=describe,
    of_machine=True,
    permanent=True,  # as with omnictl: to remove them would reboot a machine into something nobody asked for
    late=True,
    on_machines=True,
)
