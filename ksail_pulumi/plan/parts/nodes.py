"""The places of machines in the machine sets of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.plan.machines import version_conflict
from ksail_pulumi.plan.parts.live import metadata_of
from ksail_pulumi.plan.parts.machine_sets import role_of
from ksail_pulumi.plan.parts.part import Part
from ksail_pulumi.plan.scopes import Scope
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.changes import Plan
    from ksail_pulumi.plan.machines import Assignment
    from ksail_pulumi.plan.parts.asked import Asked
    from ksail_pulumi.plan.parts.live import Draft, Live
    from ksail_pulumi.plan.parts.part import Outlook, Situation
    from ksail_pulumi.plan.snapshot import Snapshot
    from ksail_pulumi.problems import FieldPath


def desired(asked: Asked) -> Iterator[Resource]:
    for set_id, machine_set in asked.machine_sets:
        labels = {**asked.label, role_of(machine_set): "", omni.LABEL_MACHINE_SET: set_id}
        for machine in asked.assignment.sets.get(set_id, ()):
            described = asked.spec.machines.get(machine)
            own = (described.labels if described else None) or {}
            annotations = (described.annotations if described else None) or {}
            lock = {omni.ANNOTATION_LOCKED: ""} if described and described.locked else {}
            yield asked.resource(
                omni.MACHINE_SET_NODE,
                machine,
                specs_pb2.MachineSetNodeSpec(),
                {**own, **labels},
                {**annotations, **lock},
            )


def observe(live: Live, draft: Draft) -> None:
    by_set: dict[str, list[str]] = {each.id: [] for each in live.of(omni.MACHINE_SET)}
    for node in live.of(omni.MACHINE_SET_NODE):
        by_set.setdefault(node.labels.get(omni.LABEL_MACHINE_SET, ""), []).append(node.id)
        found = draft.at(Scope(omni.LABEL_CLUSTER_MACHINE, node.id))
        found |= metadata_of(node)
        if omni.ANNOTATION_LOCKED in node.annotations:
            found["locked"] = True
    for set_id, machines in by_set.items():
        described = draft.at(Scope(omni.LABEL_MACHINE_SET, set_id))
        if "machine_class" not in described:  # otherwise Omni chooses the machines
            described["machines"] = tuple(machines)


def rules(situation: Situation) -> Iterator[Problem]:
    spec, snapshot = situation.spec, situation.snapshot
    yield from taken_machines(spec, snapshot)
    for field, machine in _named(spec):
        status, node = snapshot.status_of.get(machine), snapshot.node_of.get(machine)
        talos = situation.versions.talos
        if status is not None and node is None and (conflict := version_conflict(status, talos)):
            yield Problem(field, conflict)


def taken_machines(spec: ClusterSpec, snapshot: Snapshot) -> Iterator[Problem]:
    """Machines that are named and belong to another cluster, or to a set whose machines Omni chooses."""
    for field, machine in _named(spec):
        node = snapshot.node_of.get(machine)
        if node is None:
            continue
        name = snapshot.machine_name(machine)
        if node.cluster != spec.name:
            yield Problem(field, f"machine {name} is in cluster {node.cluster!r}, and can be in one cluster only")
        elif omni.LABEL_MANAGED_NODE in node.labels:
            holder = node.labels.get(omni.LABEL_MACHINE_SET, "")
            yield Problem(field, f"machine {name} is in {holder}, for which Omni chooses machines of a class")


def _named(spec: ClusterSpec) -> Iterator[tuple[FieldPath, str]]:
    """The machines that sets name, each behind the path of its field."""
    for index, machine_set in enumerate(spec.machine_sets):
        for position, machine in enumerate(machine_set.machines or ()):
            yield (*spec.set_path(index), "machines", position), machine


def assignment_rules(situation: Situation, assignment: Assignment) -> Iterator[Problem]:
    spec, snapshot = situation.spec, situation.snapshot
    control_plane = spec.control_plane.id(spec.name)
    for machine, described in spec.machines.items():
        if described.locked and assignment.set_of(machine) == control_plane:
            yield Problem(("machines", machine, "locked"), "locking controlplanes is not allowed")
    for index, machine_set in enumerate(spec.machine_sets):
        set_id = machine_set.id(spec.name)
        for node in snapshot.resources:
            unlocked = node.id in spec.machines and spec.machines[node.id].locked is False
            if (
                machine_set.machines is not None
                and node.labels.get(omni.LABEL_MACHINE_SET) == set_id
                and omni.ANNOTATION_LOCKED in node.annotations
                and assignment.set_of(node.id) != set_id
                and not unlocked
            ):
                reason = f'removing machine set node from the machine set "{set_id}" is not allowed'
                name = snapshot.machine_name(node.id)
                yield Problem((*spec.set_path(index), "machines"), f"{reason}: {name} is locked; unlock it first")


def forecast(outlook: Outlook) -> Iterator[str]:
    yield from _joining(outlook.plan, outlook.snapshot)
    yield from _leaving(outlook.plan, outlook.snapshot)


def _joining(plan: Plan, snapshot: Snapshot) -> Iterator[str]:
    joining = (each for each in (*plan.creates, *plan.deferred) if each.type == omni.MACHINE_SET_NODE)
    for set_id, machines in _by_set(joining).items():
        yield f"{set_id} gets {snapshot.machine_names(machines)}"
    for resource in (*plan.creates, *(update.desired for update in plan.updates)):
        if resource.type == omni.MACHINE_SET and (allocation := resource.spec.machine_allocation).name:
            size = "all machines" if allocation.allocation_type else f"{allocation.machine_count} machines"
            yield f"{resource.id} has {size} of class {allocation.name}, chosen by Omni"


def leaving_nodes(plan: Plan, snapshot: Snapshot) -> list[Resource]:
    """The nodes that a plan destroys, those of machine sets that it destroys included."""
    sets = {each.id for each in plan.destroys if each.type == omni.MACHINE_SET}
    gone = {each.id for each in plan.destroys if each.type == omni.MACHINE_SET_NODE}
    nodes = (each for each in snapshot.resources if each.type == omni.MACHINE_SET_NODE)
    return [each for each in nodes if each.id in gone or each.labels.get(omni.LABEL_MACHINE_SET) in sets]


def _leaving(plan: Plan, snapshot: Snapshot) -> Iterator[str]:
    for set_id, machines in _by_set(leaving_nodes(plan, snapshot)).items():
        yield f"{snapshot.machine_names(machines)} will leave {set_id} and be wiped"


def _by_set(nodes: Iterable[Resource]) -> dict[str, list[str]]:
    by_set: dict[str, list[str]] = {}
    for node in nodes:
        by_set.setdefault(node.labels.get(omni.LABEL_MACHINE_SET, ""), []).append(node.id)
    return by_set


PART = Part(
    type=omni.MACHINE_SET_NODE,
    nouns=("machine", "machines"),
    desired=desired,
    observe=observe,
    rules=rules,
    assignment_rules=assignment_rules,
    forecast=forecast,
    first_to_go=True,
    lock=omni.ANNOTATION_LOCKED,
)
