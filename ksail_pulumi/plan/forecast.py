"""What a plan will do to machines and versions, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.addons.patches import is_component
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.versions import versions_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ksail_pulumi.model.versions import Versions
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.changes import Changes
    from ksail_pulumi.plan.diff import Plan
    from ksail_pulumi.plan.machines import Assignment
    from ksail_pulumi.plan.ownership import OwnershipMark
    from ksail_pulumi.plan.snapshot import Snapshot

_REACHING_MACHINES = (
    omni.CLUSTER.name,
    omni.CONFIG_PATCH.name,
    omni.EXTENSIONS_CONFIGURATION.name,
    omni.KERNEL_ARGS.name,
)
_MOST_NAMED = 5  # machines that a line names before it counts the rest


def forecast(
    changes: Changes, versions: Versions, assignment: Assignment, snapshot: Snapshot, mark: OwnershipMark
) -> list[str]:
    """Say what carrying out a plan will mean: machines that join and leave, versions, patches, what others made."""
    plan = changes.plan
    return [
        *_versions(versions, snapshot),
        *_joining(plan, snapshot),
        *_leaving(plan, snapshot),
        *_parts(changes, assignment, snapshot),
        *_foreign(changes, mark),
        *_locked(plan, snapshot),
    ]


def _versions(versions: Versions, snapshot: Snapshot) -> Iterator[str]:
    if snapshot.cluster is None:
        yield f"Talos {versions.talos}, Kubernetes {versions.kubernetes}"
        return
    current = versions_of(snapshot.cluster)
    if versions.talos != current.talos:
        yield f"Talos {current.talos} -> {versions.talos}: every machine reboots, control plane first, one at a time"
        offered = {each.id: each.spec.upgradable_talos_versions for each in snapshot.talos_versions}.get(current.talos)
        if offered and versions.talos not in offered:
            yield f"Omni does not list Talos {versions.talos} among those that {current.talos} can be upgraded to"
    if versions.kubernetes != current.kubernetes:
        yield f"Kubernetes {current.kubernetes} -> {versions.kubernetes}: component by component, without a reboot"


def _joining(plan: Plan, snapshot: Snapshot) -> Iterator[str]:
    by_set: dict[str, list[str]] = {}
    for node in (*plan.creates, *plan.deferred):
        if node.type == omni.MACHINE_SET_NODE:
            by_set.setdefault(node.labels[omni.LABEL_MACHINE_SET], []).append(node.id)
    for set_id, machines in by_set.items():
        yield f"{set_id} gets {named(machines, snapshot)}"
    for resource in (*plan.creates, *(update.desired for update in plan.updates)):
        if resource.type == omni.MACHINE_SET and (allocation := resource.spec.machine_allocation).name:
            size = "all machines" if allocation.allocation_type else f"{allocation.machine_count} machines"
            yield f"{resource.id} has {size} of class {allocation.name}, chosen by Omni"


def _leaving(plan: Plan, snapshot: Snapshot) -> Iterator[str]:
    sets = {each.id for each in plan.destroys if each.type == omni.MACHINE_SET}
    gone = {each.id for each in plan.destroys if each.type == omni.MACHINE_SET_NODE}
    by_set: dict[str, list[str]] = {}
    for node in snapshot.resources:
        set_id = node.labels.get(omni.LABEL_MACHINE_SET, "")
        if node.type == omni.MACHINE_SET_NODE and (node.id in gone or set_id in sets):
            by_set.setdefault(set_id, []).append(node.id)
    for set_id, machines in by_set.items():
        yield f"{named(machines, snapshot)} will leave {set_id} and be reset: its data is wiped"


def _parts(changes: Changes, assignment: Assignment, snapshot: Snapshot) -> Iterator[str]:
    """What changes about patches, extensions and the like on a cluster that runs."""
    if snapshot.cluster is None:
        return
    plan = changes.plan
    renumbered = {each.new.key for each in changes.renumbered} | {each.old.key for each in changes.renumbered}
    parts = [("added", each) for each in plan.creates if each.key not in renumbered]
    parts += [("changed", update.desired) for update in plan.updates if update.actual.spec != update.desired.spec]
    parts += [("removed", each) for each in plan.destroys if each.key not in renumbered]
    parts += [(f"renumbered to {each.new.id}", each.old) for each in changes.renumbered]
    for change, part in parts:
        scope = _scope(part, assignment, snapshot)
        match part.type.name:
            case omni.CONFIG_PATCH.name if not is_component(part):
                yield f"patch {part.id} is {change}: this concerns {scope}, with a reboot where Talos needs one"
            case omni.EXTENSIONS_CONFIGURATION.name:
                yield f"system extensions {part.id} are {change}: this concerns {scope}, with a reboot one at a time"
            case omni.KERNEL_ARGS.name:
                yield f"kernel arguments of {snapshot.machine_name(part.id)} are {change}: it reboots"
            case omni.KUBERNETES_MANIFEST_GROUP.name:
                yield f"manifest {part.id} is {change}"
            case omni.KUBERNETES_HEALTH_CHECK.name:
                yield f"health check {part.id} is {change}"


def _scope(part: Resource, assignment: Assignment, snapshot: Snapshot) -> str:
    if machine := part.labels.get(omni.LABEL_CLUSTER_MACHINE):
        return snapshot.machine_name(machine)
    if set_id := part.labels.get(omni.LABEL_MACHINE_SET):
        members = assignment.sets.get(set_id)
        return f"all of {set_id}" if members is None else f"the {_count(members)} of {set_id}"
    return "every machine of the cluster"


def _foreign(changes: Changes, mark: OwnershipMark) -> Iterator[str]:
    """With exclusive ownership: what goes although this resource did not make it."""
    renumbered = {each.old.key for each in changes.renumbered}
    for each in changes.plan.destroys:
        if not mark.owns(each) and each.key not in renumbered:
            owner = mark.owner_of(each) or "somebody else"
            yield f"{each} was made by {owner} and goes, because ownership is exclusive"


def _locked(plan: Plan, snapshot: Snapshot) -> Iterator[str]:
    """Machines that a change would reach if they were not locked, and are not unlocked by it."""
    nodes = {each.id: each for each in snapshot.resources if each.type == omni.MACHINE_SET_NODE}
    updates = [each.desired for each in plan.updates if each.desired.type == omni.MACHINE_SET_NODE]
    nodes |= {node.id: node for node in updates}
    locked = [node for node in nodes.values() if omni.ANNOTATION_LOCKED in node.annotations]
    reached = [node.id for node in locked if any(_reaches(part, node) for part in _written(plan))]
    if reached:
        names = named(reached, snapshot)
        yield f"locked, and so left as they are until they are unlocked, which an `up` waits for: {names}"


def _reaches(part: Resource, node: Resource) -> bool:
    """Whether a part of the cluster concerns a machine."""
    if part.type == omni.KERNEL_ARGS:
        return part.id == node.id
    target = part.labels.get(omni.LABEL_CLUSTER_MACHINE) or part.labels.get(omni.LABEL_MACHINE_SET)
    return part.type.name in _REACHING_MACHINES and target in (None, node.id, node.labels.get(omni.LABEL_MACHINE_SET))


def _written(plan: Plan) -> Iterator[Resource]:
    yield from plan.creates
    yield from (update.desired for update in plan.updates if update.actual.spec != update.desired.spec)
    yield from plan.destroys


def _count(machines: Sequence[str]) -> str:
    return "1 machine" if len(machines) == 1 else f"{len(machines)} machines"


def named(machines: Sequence[str], snapshot: Snapshot) -> str:
    """The names of machines, the first few of many."""
    names = sorted(snapshot.machine_name(machine) for machine in machines)
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
