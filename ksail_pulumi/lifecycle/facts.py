"""A cluster's outputs, from what Omni reports about it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ksail_pulumi.lifecycle.credentials import renewal_due
from ksail_pulumi.lifecycle.outputs import KUBECONFIG_INPUT, ClusterOutputs
from ksail_pulumi.lifecycle.waiting.goal import reached
from ksail_pulumi.model.durations import duration
from ksail_pulumi.model.parse import Kubeconfig
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
    from ksail_pulumi.omni.client import Client


def outputs(
    inputs: Mapping[str, Any], view: ClusterView, goal: Goal, client: Client, old: Mapping[str, Any] | None
) -> ClusterOutputs:
    """The outputs of a cluster that is in Omni, with credentials: the old ones while they are valid.

    Args:
        inputs: The inputs on the wire that describe it.
        view: What Omni reports about it.
        goal: Where it is asked to be.
        client: Which Omni.
        old: The outputs on the wire of last time.

    Raises:
        OmniError: Omni made no credentials.
    """
    known = partial_outputs(inputs, view, goal, old)
    kubeconfig = talosconfig = None
    if not _kubeconfig_serves(known, old):
        options = Kubeconfig.model_validate(inputs.get("kubeconfig") or {})
        kubeconfig = client.management.start_kubeconfig(
            known.name, user=options.user, groups=options.groups, ttl=duration(options.ttl)
        )
    if not inputs.get("talosconfig", True):
        known = replace(known, talosconfig=None)
    elif known.talosconfig is None:
        talosconfig = client.management.start_talosconfig(known.name)
    return replace(
        known,
        kubeconfig=known.kubeconfig if kubeconfig is None else kubeconfig.result(),
        talosconfig=known.talosconfig if talosconfig is None else talosconfig.result(),
    )


def partial_outputs(
    inputs: Mapping[str, Any], view: ClusterView, goal: Goal | None, old: Mapping[str, Any] | None
) -> ClusterOutputs:
    """The outputs as far as they are known without another call."""
    old = old or {}
    status, uuid = view.one(CLUSTER_STATUS), view.one(CLUSTER_UUID)
    return ClusterOutputs(
        name=view.cluster,
        inputs=inputs,
        cluster_uuid=uuid.spec.uuid if uuid is not None else str(old.get("clusterUuid", "")),
        phase="UNKNOWN" if status is None else enum_name(specs_pb2.ClusterStatusSpec.Phase, status.spec.phase),
        ready=goal is not None and reached(view, replace(goal, wait_for="ready")),
        nodes=nodes(view),
        kubeconfig=old.get("kubeconfig") or None,
        talosconfig=old.get("talosconfig") or None,
    )


def nodes(view: ClusterView) -> tuple[ClusterNode, ...]:
    """The cluster's machines: the control plane first, then by set and ID."""
    found: list[ClusterNode] = []
    for status in view.all(CLUSTER_MACHINE_STATUS):
        identity = view.get(CLUSTER_MACHINE_IDENTITY, status.id)
        found.append(
            {
                "id": status.id,
                "hostname": status.labels.get(LABEL_NODE_NAME) or status.labels.get(LABEL_HOSTNAME, ""),
                "role": "controlplane" if LABEL_CONTROL_PLANE in status.labels else "worker",
                "set": status.labels.get(LABEL_MACHINE_SET, ""),
                "stage": enum_name(specs_pb2.ClusterMachineStatusSpec.Stage, status.spec.stage),
                "addresses": list(identity.spec.node_ips) if identity is not None else [],
            }
        )
    return tuple(sorted(found, key=lambda node: (node["role"], node["set"], node["id"])))


def _kubeconfig_serves(known: ClusterOutputs, old: Mapping[str, Any] | None) -> bool:
    """Whether the old kubeconfig is one for this cluster, as asked for, and good for a while."""
    if not old or known.kubeconfig is None or renewal_due(old):
        return False
    asked, got = known.inputs.get("kubeconfig") or {}, old.get(KUBECONFIG_INPUT) or {}
    return old.get("clusterUuid") == known.cluster_uuid and all(
        asked.get(option) == got.get(option) for option in ("user", "groups", "ttl")
    )
