"""What stands before and behind an upgrade of a cluster: the backup, what makes it stall, the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import LABEL_CONNECTED
from ksail_pulumi.plan.backups import store_problem
from ksail_pulumi.plan.parts.nodes import leaving_nodes
from ksail_pulumi.plan.versions import versions_of
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.model.versions import Versions
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.changes import Plan
    from ksail_pulumi.plan.snapshot import Snapshot

_BACKUP_BEFORE = ("backupBefore",)
_RUNNING = specs_pb2.ClusterMachineStatusSpec.Stage.RUNNING


def upgrade_problems(spec: ClusterSpec, snapshot: Snapshot, versions: Versions) -> Iterator[Problem]:
    """Why the upgrade would not begin."""
    if _upgrades(snapshot, versions) and _backed_up(spec, snapshot) and (problem := store_problem(snapshot.backups)):
        yield Problem(_BACKUP_BEFORE, f"{problem}. Remove 'upgrade' to upgrade without a backup")


def upgrade_warnings(spec: ClusterSpec, snapshot: Snapshot, versions: Versions, plan: Plan) -> Iterator[str]:
    """What will hold up the upgrade, and what will prevent a deletion."""
    if _upgrades(snapshot, versions):
        leaving = {node.id for node in leaving_nodes(plan, snapshot)}
        stuck = sorted((_stuck(each), each.id) for each in snapshot.members if each.id not in leaving)
        if named := [f"{snapshot.machine_name(machine)}: {why}" for why, machine in stuck if why]:
            yield f"the upgrade waits for machines that are not ready: {listing.names(named)}"
    if "delete" in spec.backup_before and (problem := store_problem(snapshot.backups)):
        yield f"the cluster cannot be deleted as long as backupBefore has 'delete': {problem}"


def upgrade_forecast(spec: ClusterSpec, snapshot: Snapshot, versions: Versions) -> Iterator[str]:
    """What happens before the upgrade, and if it fails."""
    if snapshot.cluster is None or not _upgrades(snapshot, versions):
        return
    if _backed_up(spec, snapshot):
        yield "a backup of etcd is taken before the upgrade; if that fails, nothing is changed"
    elif "upgrade" in spec.backup_before:
        yield "no backup is taken before the upgrade: the cluster has no etcd yet"
    if spec.on_upgrade_failure == "revert":
        before = versions_of(snapshot.cluster)
        yield (
            f"if the upgrade fails or does not finish in time, Omni goes back to Talos {before.talos} and Kubernetes "
            f"{before.kubernetes}, and `up` fails"
        )


def _upgrades(snapshot: Snapshot, versions: Versions) -> bool:
    return snapshot.cluster is not None and versions_of(snapshot.cluster) != versions


def _backed_up(spec: ClusterSpec, snapshot: Snapshot) -> bool:
    return "upgrade" in spec.backup_before and snapshot.bootstrapped


def _stuck(status: Resource) -> str:
    """Why Omni does not upgrade past a machine now; `""` if nothing is wrong with it."""
    if LABEL_CONNECTED not in status.labels:
        return "not connected to Omni"
    return "" if status.spec.ready and status.spec.stage == _RUNNING else "not ready"
