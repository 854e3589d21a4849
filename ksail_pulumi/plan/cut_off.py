"""Machines that leave a cluster in an update while Omni cannot reach them: it cannot wipe them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.omni.resources import LABEL_CONNECTED, LABEL_MACHINE_SET, MACHINE_SET
from ksail_pulumi.plan.parts.nodes import leaving_nodes
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.plan.changes import Plan
    from ksail_pulumi.plan.machines import Assignment
    from ksail_pulumi.plan.ownership import OwnershipMark
    from ksail_pulumi.plan.snapshot import Snapshot

_CHOICE = ("onUpdate", "disconnectedMachines")


def cut_off_machines(plan: Plan, assignment: Assignment, snapshot: Snapshot) -> list[str]:
    """The IDs of the machines that a plan takes out of the cluster and that are not connected to Omni."""
    leaving = sorted(node.id for node in leaving_nodes(plan, snapshot) if not node.tearing_down)
    return [each for each in leaving if assignment.set_of(each) is None and _is_cut_off(each, snapshot)]


def departed_machines(cluster: str, assignment: Assignment, snapshot: Snapshot, mark: OwnershipMark) -> list[str]:
    """The IDs of the machines that leave our sets, or have left them in an earlier attempt, and that are not connected.

    Omni shows such a machine as one of the cluster until it is wiped, also without a node of it.
    """
    sets = {each.id for each in snapshot.resources if each.type == MACHINE_SET and mark.owns(each)}
    members = (
        status.id
        for status in snapshot.statuses
        if status.cluster == cluster and status.labels.get(LABEL_MACHINE_SET) in sets
    )
    return [each for each in members if assignment.set_of(each) is None and _is_cut_off(each, snapshot)]


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
    """What an update does about these machines."""
    if machines and spec.on_update.disconnected_machines == "wait":
        yield f"{_leave(machines, snapshot)}: the update waits for them"
    elif machines:
        yield f"{_leave(machines, snapshot)}: they are removed from Omni without a wipe"


def _leave(machines: Sequence[str], snapshot: Snapshot) -> str:
    named = listing.names([snapshot.machine_name(each) for each in machines])
    return f"machines that leave the cluster are not connected to Omni: {named}"
