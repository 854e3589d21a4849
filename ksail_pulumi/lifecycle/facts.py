"""A cluster's outputs, from what Omni reports about it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ksail_pulumi.lifecycle.outputs import ClusterOutputs
from ksail_pulumi.lifecycle.waiting.goal import reached
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER_MACHINE_IDENTITY,
    CLUSTER_MACHINE_STATUS,
    CLUSTER_STATUS,
    CLUSTER_UUID,
    LABEL_CONTROL_PLANE,
    LABEL_HOSTNAME,
    LABEL_MACHINE_SET,
    LABEL_NODE_NAME,
    enum_name,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.lifecycle.outputs import ClusterNode
    from ksail_pulumi.lifecycle.waiting.goal import Goal
    from ksail_pulumi.lifecycle.waiting.view import ClusterView
    from ksail_pulumi.omni.resources import Resource

TYPES = (CLUSTER_UUID, CLUSTER_STATUS, CLUSTER_MACHINE_STATUS, CLUSTER_MACHINE_IDENTITY)
"""The types that the outputs are made of. Whether the cluster is ready takes those of the goal too."""


def outputs(
    inputs: Mapping[str, Any], view: ClusterView, goal: Goal | None, old: Mapping[str, Any] | None
) -> ClusterOutputs:
    """The outputs of a cluster.

    Args:
        inputs: The inputs on the wire that describe it.
        view: What Omni reports about it.
        goal: Where it is asked to be; None if that is not known.
        old: The outputs on the wire of last time.
    """
    old = old or {}
    uuid = view.one(CLUSTER_UUID)
    return ClusterOutputs(
        name=view.cluster,
        inputs=inputs,
        cluster_uuid=uuid.spec.uuid if uuid is not None else str(old.get("clusterUuid", "")),
        phase=phase(view),
        # With `none`, not all that this takes has been read: then it is false.
        ready=goal is not None and reached(view, replace(goal, wait_for="ready")),
        nodes=nodes(view),
    )


def phase(view: ClusterView) -> str:
    """Omni's name for the phase of a cluster; `UNKNOWN` while it has no status."""
    status = view.one(CLUSTER_STATUS)
    return "UNKNOWN" if status is None else enum_name(specs_pb2.ClusterStatusSpec.Phase, status.spec.phase)


def running_version(upgrade: Resource | None) -> str:
    """The version that runs, from the status of upgrades: during an upgrade, the one before it. `""` at first."""
    return upgrade.spec.last_upgrade_version if upgrade else ""


def hostname(status: Resource) -> str:
    """The hostname in a ClusterMachineStatus; `""` for none."""
    return status.labels.get(LABEL_NODE_NAME) or status.labels.get(LABEL_HOSTNAME, "")


def nodes(view: ClusterView) -> tuple[ClusterNode, ...]:
    """The cluster's machines: the control plane first, then by set and ID."""
    found: list[ClusterNode] = []
    for status in view.all(CLUSTER_MACHINE_STATUS):
        identity = view.get(CLUSTER_MACHINE_IDENTITY, status.id)
        found.append(
            {
                "id": status.id,
                "hostname": hostname(status),
                "role": "controlplane" if LABEL_CONTROL_PLANE in status.labels else "worker",
                "set": status.labels.get(LABEL_MACHINE_SET, ""),
                "stage": enum_name(specs_pb2.ClusterMachineStatusSpec.Stage, status.spec.stage),
                "addresses": list(identity.spec.node_ips) if identity is not None else [],
            }
        )
    return tuple(sorted(found, key=lambda node: (node["role"], node["set"], node["id"])))
