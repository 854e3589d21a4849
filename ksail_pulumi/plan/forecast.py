"""What a plan will do to machines and versions, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.parts.part import Change
from ksail_pulumi.plan.parts.table import PART_OF, PARTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.changes import Plan
    from ksail_pulumi.plan.ownership import OwnershipMark
    from ksail_pulumi.plan.parts.part import Outlook
    from ksail_pulumi.plan.snapshot import Snapshot


def forecast(outlook: Outlook, mark: OwnershipMark) -> list[str]:
    """Say what carrying out a plan will mean: machines that join and leave, versions, patches, what others made."""
    lines = [line for part in PARTS for line in part.forecast(outlook)]
    if outlook.snapshot.cluster is not None:
        lines += [
            line for each in _changes(outlook.plan) if (line := PART_OF[each.resource.type].describe(each, outlook))
        ]
    return [*lines, *_foreign(outlook.plan, mark), *_locked(outlook.plan, outlook.snapshot)]


def _changes(plan: Plan) -> Iterator[Change]:
    renumbered = {key for each in plan.renumbered for key in (each.old.key, each.new.key)}
    yield from (Change("adds", each) for each in plan.creates if each.key not in renumbered)
    yield from (Change("changes", desired) for _, desired in plan.changed)
    yield from (Change("removes", each) for each in plan.destroys if each.key not in renumbered)
    yield from (Change("renumbers", each.old, each.new.id) for each in plan.renumbered)


def _foreign(plan: Plan, mark: OwnershipMark) -> Iterator[str]:
    """With exclusive ownership: what is deleted although this resource did not make it."""
    renumbered = {each.old.key for each in plan.renumbered}
    for each in plan.destroys:
        if not mark.owns(each) and each.key not in renumbered:
            owner = mark.owner_of(each) or "someone else"
            yield f"{each} was created by {owner} and will be deleted (ownership: exclusive)"


def _locked(plan: Plan, snapshot: Snapshot) -> Iterator[str]:
    """Machines that a change would reach if they were not locked, and that it does not unlock."""
    nodes = {each.id: each for each in snapshot.resources if each.type == omni.MACHINE_SET_NODE}
    updates = [each.desired for each in plan.updates if each.desired.type == omni.MACHINE_SET_NODE]
    nodes |= {node.id: node for node in updates}
    locked = [node for node in nodes.values() if omni.ANNOTATION_LOCKED in node.annotations]
    written = [*plan.creates, *(desired for _, desired in plan.changed), *plan.destroys]
    reached = [node.id for node in locked if any(_reaches(part, node) for part in written)]
    if reached:
        names = snapshot.machine_names(reached)
        yield f"locked machines will not be updated until they are unlocked; `up` waits for: {names}"


def _reaches(resource: Resource, node: Resource) -> bool:
    """Whether a change of a resource reaches a machine."""
    part = PART_OF[resource.type]
    if part.of_machine:
        return part.on_machines and resource.id == node.id
    target = resource.labels.get(omni.LABEL_CLUSTER_MACHINE) or resource.labels.get(omni.LABEL_MACHINE_SET)
    return part.on_machines and target in (None, node.id, node.labels.get(omni.LABEL_MACHINE_SET))
