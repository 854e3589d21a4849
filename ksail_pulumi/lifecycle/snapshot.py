"""Everything a verb must know of an Omni before it decides, read in one batch of calls that go out together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import PermissionDeniedError
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_CONFIG_VERSION,
    CONFIG_PATCH,
    EXTENSIONS_CONFIGURATION,
    KUBERNETES_HEALTH_CHECK,
    KUBERNETES_MANIFEST_GROUP,
    KUBERNETES_UPGRADE_STATUS,
    LABEL_CLUSTER,
    MACHINE_CLASS,
    MACHINE_SET,
    MACHINE_SET_NODE,
    MACHINE_STATUS,
    TALOS_VERSION,
)
from ksail_pulumi.plan.snapshot import Snapshot

if TYPE_CHECKING:
    from ksail_pulumi.omni.channel import Call
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource, ResourceType

LATE_TYPES = (KUBERNETES_MANIFEST_GROUP, KUBERNETES_HEALTH_CHECK)
"""Types that came with Omni 1.7 and 1.9. An older one answers PERMISSION_DENIED for a type that it does not know."""

PARTS = (MACHINE_SET, CONFIG_PATCH, EXTENSIONS_CONFIGURATION, *LATE_TYPES)
"""What a cluster is made of beside itself and its nodes, found by the cluster label."""


def read(client: Client, name: str) -> Snapshot:
    """Read cluster `name`, the pool of machines and the versions on offer, in one round trip.

    The nodes of all clusters are read: a machine's own status shows a moment too late that it has been taken.

    Raises:
        OmniError: A call failed.
    """
    state = client.state
    label = {LABEL_CLUSTER: name}
    cluster = state.start_find(CLUSTER, name)
    nodes = state.start_list(MACHINE_SET_NODE)
    parts = {part: state.start_list(part, label) for part in PARTS}
    statuses = state.start_list(MACHINE_STATUS)
    talos_versions = state.start_list(TALOS_VERSION)
    machine_classes = state.start_list(MACHINE_CLASS)
    upgrade = state.start_find(KUBERNETES_UPGRADE_STATUS, name)
    config_version = state.start_find(CLUSTER_CONFIG_VERSION, name)

    found = cluster.result()
    all_nodes = nodes.result()
    resources = [found] if found is not None else []
    resources += [node for node in all_nodes if node.cluster == name]
    for part, call in parts.items():
        resources += collect(part, call)
    return Snapshot(
        resources=resources,
        statuses=statuses.result(),
        nodes=all_nodes,
        talos_versions=talos_versions.result(),
        machine_classes=machine_classes.result(),
        kubernetes_upgrade=upgrade.result(),
        config_version=config_version.result(),
    )


def collect(resource_type: ResourceType, call: Call[Any]) -> list[Resource]:
    """The result of a list; empty for a type that this Omni is too old to know."""
    try:
        return list(call.result())
    except PermissionDeniedError:
        if resource_type not in LATE_TYPES:
            raise
        return []
