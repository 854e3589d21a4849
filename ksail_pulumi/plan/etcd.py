"""What etcd survives at each step of a change of the control plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.omni import resources as omni

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.plan.machines import Assignment
    from ksail_pulumi.plan.snapshot import Snapshot


@dataclass(frozen=True)
class _Members:
    """The members of etcd, and those among them that answer."""

    total: int
    connected: int

    def __str__(self) -> str:
        members = f"{self.total} member{'' if self.total == 1 else 's'}"
        spare = self.connected - (self.total // 2 + 1)
        if spare < 0:
            dead = self.total - self.connected
            return f"{members}, {dead} not connected: it has no quorum, and the cluster does not work"
        return f"{members}, survives the loss of {spare or 'none'}"


def etcd_steps(spec: ClusterSpec, snapshot: Snapshot, assignment: Assignment) -> list[str]:
    """A line for each control plane machine that joins or leaves a cluster that exists: joins first, as they happen."""
    set_id = spec.control_plane.id(spec.name)
    before = [
        node.id
        for node in snapshot.resources
        if node.type == omni.MACHINE_SET_NODE
        and node.labels.get(omni.LABEL_MACHINE_SET) == set_id
        and not node.tearing_down
    ]
    if not before:
        return []
    if spec.control_plane.machine_class is not None:
        return listing.lines(list(_by_number(len(before), spec.control_plane.machine_class.size)))
    after = assignment.sets.get(set_id, ())
    joining = [machine for machine in after if machine not in before]
    leaving = [machine for machine in before if machine not in after]
    return listing.lines(list(_by_name(before, joining, leaving, snapshot)))


def _by_name(
    before: Sequence[str], joining: Sequence[str], leaving: Sequence[str], snapshot: Snapshot
) -> Iterator[str]:
    dead = {
        machine
        for machine in before
        if (status := snapshot.status_of.get(machine)) is not None and omni.LABEL_CONNECTED not in status.labels
    }
    members = set(before)
    for verb, machines in (("joined", joining), ("left", sorted(leaving, key=lambda each: each not in dead))):
        for machine in machines:
            members ^= {machine}
            state = _Members(len(members), len(members - dead))
            yield f"etcd after {snapshot.machine_name(machine)} has {verb}: {state}"


def _by_number(before: int, size: int | str) -> Iterator[str]:
    if not isinstance(size, int):
        return
    step = 1 if size > before else -1
    for count in range(before + step, size + step, step) if size != before else ():
        yield f"etcd with {_Members(count, count)}"
