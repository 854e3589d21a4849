"""The machines that leave a cluster in an update, and those among them that Omni cannot wipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.omni import resources as omni

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.plan.changes import Plan
    from ksail_pulumi.plan.snapshot import Snapshot


def leaving(plan: Plan, snapshot: Snapshot) -> set[str]:
    """The machines that the plan removes from the cluster, and those that an earlier attempt has started to remove."""
    sets = {resource.id for resource in plan.destroys if resource.type == omni.MACHINE_SET}
    machines = {resource.id for resource in plan.destroys if resource.type == omni.MACHINE_SET_NODE}
    nodes = (resource for resource in snapshot.resources if resource.type == omni.MACHINE_SET_NODE)
    return machines | {
        node.id for node in nodes if node.tearing_down or node.labels.get(omni.LABEL_MACHINE_SET) in sets
    }


def disconnected(machines: Collection[str], snapshot: Snapshot) -> list[str]:
    """Those of the machines that are not connected to Omni."""
    known = ((machine, snapshot.status_of.get(machine)) for machine in sorted(machines))
    return [machine for machine, status in known if status is not None and omni.LABEL_CONNECTED not in status.labels]


def why_not(spec: ClusterSpec, machines: Collection[str], snapshot: Snapshot) -> str | None:
    """Why the update is refused because of machines that leave; None if it is not."""
    gone = disconnected(machines, snapshot)
    if not gone or spec.on_update.disconnected_machines != "fail":
        return None
    return (
        f"machines that leave are not connected to Omni, so it cannot wipe them: {snapshot.machine_names(gone)}. "
        "Connect them, or set onUpdate.disconnectedMachines to 'wait' to wait for them, or to 'remove' to remove them "
        "from Omni without a wipe"
    )


def what_happens(spec: ClusterSpec, machines: Collection[str], snapshot: Snapshot) -> Iterator[str]:
    """What the update does about machines that leave and are not connected."""
    gone = disconnected(machines, snapshot)
    if gone and spec.on_update.disconnected_machines == "remove":
        yield f"removes machines that are not connected from Omni, without a wipe: {snapshot.machine_names(gone)}"
    elif gone and spec.on_update.disconnected_machines == "wait":
        yield f"waits until machines that leave are connected to Omni again: {snapshot.machine_names(gone)}"
