"""What a wait is waiting for, in one line, from what Omni tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.lifecycle.waiting.goal import (
    control_plane_ready,
    expected_machines,
    kubernetes_done,
    still_leaving,
    talos_done,
)
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_DESTROY_STATUS,
    CLUSTER_MACHINE_STATUS,
    CLUSTER_STATUS,
    KUBERNETES_UPGRADE_STATUS,
    MACHINE_SET_STATUS,
    TALOS_UPGRADE_STATUS,
)
from ksail_pulumi.redaction import quoted

if TYPE_CHECKING:
    from ksail_pulumi.lifecycle.waiting.goal import Goal
    from ksail_pulumi.lifecycle.waiting.view import ClusterView
    from ksail_pulumi.omni.resources import Resource

LEAVING = (specs_pb2.ClusterMachineStatusSpec.Stage.BEFORE_DESTROY, specs_pb2.ClusterMachineStatusSpec.Stage.DESTROYING)
"""Stages of a machine on its way out of a cluster."""

_STAGES = {
    specs_pb2.ClusterMachineStatusSpec.Stage.BOOTING: "booting",
    specs_pb2.ClusterMachineStatusSpec.Stage.INSTALLING: "installing",
    specs_pb2.ClusterMachineStatusSpec.Stage.UPGRADING: "upgrading",
    specs_pb2.ClusterMachineStatusSpec.Stage.CONFIGURING: "being configured",
    specs_pb2.ClusterMachineStatusSpec.Stage.RUNNING: "running",
    specs_pb2.ClusterMachineStatusSpec.Stage.REBOOTING: "rebooting",
    specs_pb2.ClusterMachineStatusSpec.Stage.SHUTTING_DOWN: "shutting down",
    specs_pb2.ClusterMachineStatusSpec.Stage.BEFORE_DESTROY: "about to be removed",
    specs_pb2.ClusterMachineStatusSpec.Stage.DESTROYING: "being wiped",
    specs_pb2.ClusterMachineStatusSpec.Stage.POWERING_ON: "powering on",
    specs_pb2.ClusterMachineStatusSpec.Stage.POWERED_OFF: "powered off",
}


def stage(status: Resource) -> str:
    """A ClusterMachineStatus' stage in words."""
    return _STAGES.get(status.spec.stage, "in an unknown stage")


def describe(view: ClusterView, goal: Goal) -> str:
    """One line on how far the cluster is and what it waits for."""
    if goal.wait_for == "none":
        return "waiting for Omni to accept the cluster"
    parts = [*_machines(view, goal), *_control_plane(view)]
    waiting = _waiting_for(view, goal)
    if waiting:
        parts.append(f"waiting for {waiting}")
    return ", ".join(parts)


def describe_deletion(view: ClusterView) -> str:
    """One line on how far the deletion of the cluster is."""
    status = view.one(CLUSTER_DESTROY_STATUS)
    cluster = view.one(CLUSTER)
    if status is not None and status.spec.phase:
        text = quoted(status.spec.phase)
        return text[:1].lower() + text[1:]
    return "cluster deleted, machines becoming available" if cluster is None else "deleting"


def _machines(view: ClusterView, goal: Goal) -> list[str]:
    expected = expected_machines(view, goal)
    total = "?" if expected is None else str(expected)
    staying = [
        status
        for status in view.all(CLUSTER_MACHINE_STATUS)
        if status.id not in goal.leaving and status.spec.stage not in LEAVING and not status.tearing_down
    ]
    connected = sum(status.id in view.connected for status in staying)
    if connected < len(staying) or len(staying) != expected:
        parts = [f"{connected}/{total} machines connected"]
    else:
        parts = [f"{sum(status.id in view.running for status in staying)}/{total} machines running"]
    counts: dict[str, int] = {}
    for status in staying:
        if status.id not in view.running:
            name = stage(status)
            name = "applying their configuration" if name == "running" and not status.spec.config_up_to_date else name
            name = "starting services" if name == "running" else name
            counts[name] = counts.get(name, 0) + 1
    parts.extend(f"{count} {name}" for name, count in sorted(counts.items()))
    return parts


def _control_plane(view: ClusterView) -> list[str]:
    status = view.one(CLUSTER_STATUS)
    return ["control plane ready"] if status is not None and status.spec.controlplaneReady else []


def _waiting_for(view: ClusterView, goal: Goal) -> str:
    """The first thing that is missing, in the order in which Omni gets there."""
    leaving = still_leaving(view, goal)
    if leaving:
        return f"{len(leaving)} {_plural('machine', len(leaving))} to be wiped and available"
    status = view.one(CLUSTER_STATUS)
    if status is None:
        return "Omni to accept the cluster"
    if not talos_done(view, goal):
        upgrade = view.one(TALOS_UPGRADE_STATUS)
        return _upgrade(f"Talos {goal.talos_version}", upgrade)
    if goal.wait_for == "running":
        return ""
    if not control_plane_ready(view):
        return "the control plane"
    unready = [item for item in view.all(MACHINE_SET_STATUS) if not item.spec.ready]
    if unready:
        return f"machine set {unready[0].id}" + (f" ({quoted(unready[0].spec.error)})" if unready[0].spec.error else "")
    if not kubernetes_done(view, goal) and view.one(KUBERNETES_UPGRADE_STATUS) is not None:
        return _upgrade(f"Kubernetes {goal.kubernetes_version}", view.one(KUBERNETES_UPGRADE_STATUS))
    if not status.spec.kubernetesAPIReady:
        return "the Kubernetes API"
    if not kubernetes_done(view, goal):
        return f"Kubernetes {goal.kubernetes_version}"
    return ""


def _upgrade(what: str, status: Resource | None) -> str:
    if status is None:
        return what
    details = ": ".join(quoted(text) for text in (status.spec.status, status.spec.step) if text)
    return f"{what} ({details})" if details else what


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else noun + "s"


def duration(seconds: float) -> str:
    """A time span for people: `45s`, `5m`, `1h30m`."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{rest}s" if rest or not whole else ""]
    return "".join(parts)
