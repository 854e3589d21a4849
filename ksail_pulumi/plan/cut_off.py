"""Machines that leave a cluster in an update while Omni cannot reach them: it cannot wipe them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.omni.resources import LABEL_CONNECTED, LABEL_MACHINE_SET, MACHINE_SET, MACHINE_SET_NODE
from ksail_pulumi.plan.parts.nodes import leaving_nodes
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.changes import Plan
    from ksail_pulumi.plan.machines import Assignment
    from ksail_pulumi.plan.ownership import OwnershipMark
    from ksail_pulumi.plan.snapshot import Snapshot

_CHOICE = ("onUpdate", "disconnectedMachines")


def cut_off_machines(plan: Plan, assignment: Assignment, snapshot: Snapshot) -> list[str]:
    """The IDs of the machines that a plan takes out of the cluster and that are not connected to Omni."""
    leaving = sorted(node.id for node in leaving_nodes(plan, snapshot) if not node.tearing_down)
    named = [each for each in leaving if assignment.set_of(each) is None and _is_cut_off(each, snapshot)]
    return [*named, *given_back(plan, snapshot)]


def given_back(plan: Plan, snapshot: Snapshot) -> list[str]:
    """The IDs of the machines that are not connected and that Omni chooses from sets of a class that become smaller.

    Omni takes those that it cannot reach first, the oldest of them first (v1.10, `machine_set_node.go`).
    """
    chosen: list[str] = []
    for set_id, size in sizes_of_classes(plan).items():
        nodes = [node for node in _staying_nodes(snapshot) if node.labels.get(LABEL_MACHINE_SET) == set_id]
        surplus = max(len(nodes) - size, 0)
        nodes.sort(key=lambda node: (node.created or datetime.max.replace(tzinfo=UTC), node.id))
        chosen += [node.id for node in nodes if _is_cut_off(node.id, snapshot)][:surplus]
    return chosen


def sizes_of_classes(plan: Plan) -> dict[str, int]:
    """The sizes of the sets that a plan changes and whose machines Omni chooses from a class, by ID."""
    sizes = {update.desired.id: _size_of_class(update.desired) for update in plan.updates}
    return {set_id: size for set_id, size in sizes.items() if size is not None}


def departed_machines(plan: Plan, assignment: Assignment, snapshot: Snapshot, mark: OwnershipMark) -> list[str]:
    """The IDs of the machines that leave our sets, or have left them in an earlier attempt, and that are not connected.

    Omni shows such a machine as one of the cluster until it is wiped, also without a node of it.
    """
    if snapshot.cluster is None:
        return []
    sets = {each.id for each in snapshot.resources if each.type == MACHINE_SET and mark.owns(each)}
    gone = {*given_back(plan, snapshot), *(node.id for node in leaving_nodes(plan, snapshot))}
    stay = {node.id for node in _staying_nodes(snapshot)} - gone
    members = (
        status.id
        for status in snapshot.statuses
        if status.cluster == snapshot.cluster.id and status.labels.get(LABEL_MACHINE_SET) in sets
    )
    return [
        each for each in members if each not in stay and assignment.set_of(each) is None and _is_cut_off(each, snapshot)
    ]


def _staying_nodes(snapshot: Snapshot) -> Iterator[Resource]:
    return (each for each in snapshot.resources if each.type == MACHINE_SET_NODE and not each.tearing_down)


def _size_of_class(machine_set: Resource) -> int | None:
    """How many machines of a class a set has; None for a set without a class, or one of all machines of its class."""
    if machine_set.type != MACHINE_SET or not machine_set.spec.HasField("machine_allocation"):
        return None
    allocation = machine_set.spec.machine_allocation
    return None if allocation.allocation_type else int(allocation.machine_count)


def _is_cut_off(machine: str, snapshot: Snapshot) -> bool:
    """Whether Omni knows a machine and is not connected to it."""
    status = snapshot.status_of.get(machine)
    return status is not None and LABEL_CONNECTED not in status.labels


def refused_departures(spec: ClusterSpec, machines: Sequence[str], snapshot: Snapshot) -> Iterator[Problem]:
    """The refusal of an update in which these machines leave, unless the spec says what to do about them."""
    if machines and spec.on_update.disconnected_machines == "fail":
        reason = (
            f"{_leave(machines, snapshot)}, and Omni cannot wipe them. Connect them, or choose 'wait' to wait for "
            "them, or 'remove' to remove them from Omni without a wipe"
        )
        yield Problem(_CHOICE, reason)


def cut_off_warnings(spec: ClusterSpec, machines: Sequence[str], snapshot: Snapshot) -> Iterator[str]:
    """What an update does about machines that leave, or have left in an earlier attempt."""
    if machines and spec.on_update.disconnected_machines == "remove":
        yield f"{_leave(machines, snapshot)}: they are removed from Omni without a wipe"
    elif machines:
        yield f"{_leave(machines, snapshot)}: the update waits for them"


def _leave(machines: Sequence[str], snapshot: Snapshot) -> str:
    named = listing.names([snapshot.machine_name(each) for each in machines])
    return f"machines that leave the cluster are not connected to Omni: {named}"
