"""Reads the state of Omni for one cluster, in one batch of calls that are sent together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import PermissionDeniedError
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_BOOTSTRAP_STATUS,
    CLUSTER_CONFIG_VERSION,
    CLUSTER_UUID,
    FEATURES_CONFIG,
    KUBERNETES_UPGRADE_STATUS,
    LABEL_CLUSTER,
    MACHINE_CLASS,
    MACHINE_SET_NODE,
    MACHINE_STATUS,
    SYS_VERSION,
    TALOS_EXTENSIONS,
    TALOS_VERSION,
)
from ksail_pulumi.plan.parts.table import PARTS
from ksail_pulumi.plan.planning import cluster_versions
from ksail_pulumi.plan.snapshot import Snapshot
from ksail_pulumi.problems import InvalidCluster

if TYPE_CHECKING:
    from ksail_pulumi.model.parse import ClusterSpec
    from ksail_pulumi.omni.channel import Call
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.omni.state import State
    from ksail_pulumi.plan.parts.part import Part


def take_snapshot(client: Client, name: str, *, extensions_of: str | None = None) -> Snapshot:
    """Read cluster `name`, the machines and the available versions, in one round trip.

    The nodes of all clusters are read, because the status of a machine shows only later that it is taken.

    Args:
        client: The Omni.
        name: The cluster's name.
        extensions_of: The Talos version whose system extensions are also read.

    Raises:
        OmniError: A call failed.
    """
    state = client.state
    cluster = state.start_find(CLUSTER, name)
    nodes = state.start_list(MACHINE_SET_NODE)
    parts = [(part, start_list(state, part, name)) for part in PARTS if part.type not in (CLUSTER, MACHINE_SET_NODE)]
    statuses = state.start_list(MACHINE_STATUS)
    talos_versions = state.start_list(TALOS_VERSION)
    machine_classes = state.start_list(MACHINE_CLASS)
    upgrade = state.start_find(KUBERNETES_UPGRADE_STATUS, name)
    config_version = state.start_find(CLUSTER_CONFIG_VERSION, name)
    uuid = state.start_find(CLUSTER_UUID, name)
    bootstrap_status = state.start_find(CLUSTER_BOOTSTRAP_STATUS, name)
    features = state.start_find(FEATURES_CONFIG, "features-config")
    sys_version = state.start_find(SYS_VERSION, "current")
    extensions = state.start_find(TALOS_EXTENSIONS, extensions_of) if extensions_of else None

    found = cluster.result()
    all_nodes = nodes.result()
    resources = [found] if found is not None else []
    resources += [node for node in all_nodes if node.cluster == name]
    for part, call in parts:
        resources += collect(part, call)
    return Snapshot(
        resources=resources,
        statuses=statuses.result(),
        nodes=all_nodes,
        talos_versions=talos_versions.result(),
        machine_classes=machine_classes.result(),
        kubernetes_upgrade=upgrade.result(),
        config_version=config_version.result(),
        cluster_uuid=uuid.result(),
        bootstrap_status=bootstrap_status.result(),
        features=features.result(),
        sys_version=sys_version.result(),
        talos_extensions=[found for call in (extensions,) if call and (found := call.result())],
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


def start_list(state: State, part: Part, cluster: str) -> Call[Any]:
    """Start to list the resources of one kind of a cluster, or of all machines where they stay with a machine."""
    return state.start_list(part.type) if part.of_machine else state.start_list(part.type, {LABEL_CLUSTER: cluster})


def collect(part: Part, call: Call[Any]) -> list[Resource]:
    """The result of a list; empty for a kind that this Omni does not know."""
    try:
        return list(call.result())
    except PermissionDeniedError:
        if not part.late:
            raise
        return []
