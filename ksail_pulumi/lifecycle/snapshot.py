"""Reads the state of Omni for one cluster, in one batch of calls that are sent together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ksail_pulumi.lifecycle.account import Reading
from ksail_pulumi.lifecycle.parts import collect, start_list
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_BOOTSTRAP_STATUS,
    CLUSTER_CONFIG_VERSION,
    CLUSTER_MACHINE_STATUS,
    CLUSTER_UUID,
    ETCD_BACKUP_OVERALL_STATUS,
    KUBERNETES_UPGRADE_STATUS,
    LABEL_CLUSTER,
    MACHINE_SET_NODE,
    TALOS_EXTENSIONS,
)
from ksail_pulumi.plan.backups import OVERALL_STATUS_ID
from ksail_pulumi.plan.parts.table import PARTS
from ksail_pulumi.plan.planning import cluster_versions
from ksail_pulumi.plan.snapshot import Snapshot
from ksail_pulumi.problems import InvalidCluster

if TYPE_CHECKING:
    from ksail_pulumi.model.parse import ClusterSpec
    from ksail_pulumi.omni.client import Client


_READ_OTHERWISE = {CLUSTER, MACHINE_SET_NODE, *(part.type for part in PARTS if part.of_machine)}


def take_snapshot(
    client: Client,
    name: str,
    *,
    extensions_of: str | None = None,
    reading: Reading | None = None,
    backups: bool = False,
    members: bool = False,
) -> Snapshot:
    """Read cluster `name`, the machines and the available versions, in one round trip.

    The nodes of all clusters are read, because the status of a machine shows only later that it is taken.

    Args:
        client: The Omni.
        name: The cluster's name.
        extensions_of: The Talos version whose system extensions are also read.
        reading: A reading of what belongs to no single cluster. Default: a new one.
        backups: Whether Omni's status of backups is also read.
        members: Whether the statuses of the cluster's machines are also read.

    Raises:
        OmniError: A call failed.
    """
    state = client.state
    reading = reading or Reading()
    reading.send(client)
    cluster = state.start_find(CLUSTER, name)
    parts = [(part, start_list(state, part, name)) for part in PARTS if part.type not in _READ_OTHERWISE]
    upgrade = state.start_find(KUBERNETES_UPGRADE_STATUS, name)
    config_version = state.start_find(CLUSTER_CONFIG_VERSION, name)
    uuid = state.start_find(CLUSTER_UUID, name)
    bootstrap_status = state.start_find(CLUSTER_BOOTSTRAP_STATUS, name)
    extensions = state.start_find(TALOS_EXTENSIONS, extensions_of) if extensions_of else None
    overall = state.start_find(ETCD_BACKUP_OVERALL_STATUS, OVERALL_STATUS_ID) if backups else None
    statuses = state.start_list(CLUSTER_MACHINE_STATUS, {LABEL_CLUSTER: name}) if members else None

    account = reading.result(client)
    found = cluster.result()
    resources = [found] if found is not None else []
    resources += [node for node in account.nodes if node.cluster == name]
    for part, call in parts:
        resources += collect(part, call)
    return Snapshot(
        resources=[*resources, *account.of_machines],
        clusters=account.clusters,
        statuses=account.statuses,
        nodes=account.nodes,
        talos_versions=account.talos_versions,
        machine_classes=account.machine_classes,
        kubernetes_upgrade=upgrade.result(),
        config_version=config_version.result(),
        cluster_uuid=uuid.result(),
        bootstrap_status=bootstrap_status.result(),
        features=account.features,
        sys_version=account.sys_version,
        machine_patches=account.machine_patches,
        talos_extensions=[found for call in (extensions,) if call and (found := call.result())],
        backups=overall.result() if overall else None,
        members=statuses.result() if statuses else (),
    )


def with_extensions(snapshot: Snapshot, spec: ClusterSpec, client: Client) -> Snapshot:
    """The snapshot with the system extensions of the Talos version that the cluster gets, if it has any.

    This is a second round trip only where the inputs omit the version: it is chosen from the versions that are read.

    Raises:
        OmniError: The call failed.
    """
    if snapshot.talos_extensions or not any(scope.system_extensions for _, scope in spec.scopes()):
        return snapshot
    try:
        talos = cluster_versions(spec, snapshot).talos
    except InvalidCluster:
        return snapshot  # the findings report it
    found = client.state.find(TALOS_EXTENSIONS, talos)
    return replace(snapshot, talos_extensions=[found] if found is not None else [])
