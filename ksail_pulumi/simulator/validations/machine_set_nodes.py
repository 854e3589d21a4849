"""Validation of machine set nodes: machine sets, locks and Talos versions."""

from __future__ import annotations

from collections.abc import Iterator

from ksail_pulumi.omni.resources import (
    ANNOTATION_CLUSTER_LOCKED,
    ANNOTATION_LOCKED,
    CLUSTER,
    LABEL_CLUSTER,
    LABEL_CONTROL_PLANE,
    LABEL_INSTALLED,
    LABEL_MACHINE_SET,
    LABEL_TALOS_VERSION,
    MACHINE_SET,
    MACHINE_STATUS,
    Resource,
)
from ksail_pulumi.simulator.allocation import allocation_of
from ksail_pulumi.simulator.validations import relations, versions
from ksail_pulumi.simulator.validations.context import Context

_LABELS = (LABEL_CLUSTER, LABEL_MACHINE_SET)


def on_create(context: Context, node: Resource) -> Iterator[str]:
    yield from relations.present(node, _LABELS)
    set_id = node.labels.get(LABEL_MACHINE_SET, "")
    reason = _reason_against(context, set_id, node.cluster)
    if reason:
        yield f'adding machine set node to the machine set "{set_id}" is not allowed: {reason}'
    elif (cluster := context.find(CLUSTER, node.cluster)) is not None:
        yield from _talos_version(context, node.id, cluster.spec.talos_version)
    yield from _lock(node)


def on_update(context: Context, old: Resource, new: Resource) -> Iterator[str]:
    yield from relations.unchanged(old, new, _LABELS)
    set_id = new.labels.get(LABEL_MACHINE_SET, "")
    if not set_id:
        yield "missing machine set label"
    elif set_id == old.labels.get(LABEL_MACHINE_SET):
        reason = _reason_against(context, set_id, old.cluster)
        if reason:
            yield f'updating machine set node on the machine set "{set_id}" is not allowed: {reason}'
    yield from _lock(new)


def on_destroy(context: Context, node: Resource) -> Iterator[str]:
    """Users can also delete the nodes of a machine class."""
    set_id = node.labels.get(LABEL_MACHINE_SET, "")
    machine_set = context.find(MACHINE_SET, set_id)
    if machine_set is None or machine_set.tearing_down:
        return
    prefix = f'removing machine set node from the machine set "{set_id}" is not allowed'
    if ANNOTATION_LOCKED in node.annotations:
        yield f"{prefix}: machine set node is locked"
        return
    cluster = context.find(CLUSTER, node.cluster)
    if cluster is not None and not cluster.tearing_down and ANNOTATION_CLUSTER_LOCKED in cluster.annotations:
        yield f'{prefix}: the cluster "{cluster.id}" is locked'


def _reason_against(context: Context, set_id: str, cluster_id: str) -> str:
    machine_set = context.find(MACHINE_SET, set_id)
    if machine_set is None:
        return "the machine set does not exist"
    if machine_set.tearing_down:
        return "the machine set is tearing down"
    if allocation_of(machine_set) is not None:
        return "the machine set is using automated machine allocation"
    cluster = context.find(CLUSTER, cluster_id)
    if cluster is None:
        return f'the cluster "{cluster_id}" does not exist'
    if ANNOTATION_CLUSTER_LOCKED in cluster.annotations:
        return f'the cluster "{cluster_id}" is locked'
    if cluster.tearing_down:
        return f'the cluster "{cluster_id}" is tearing down'
    return ""


def _lock(node: Resource) -> Iterator[str]:
    if ANNOTATION_LOCKED in node.annotations and LABEL_CONTROL_PLANE in node.labels:
        yield "locking controlplanes is not allowed"


def _talos_version(context: Context, machine_id: str, wanted: str) -> Iterator[str]:
    """Check the Talos version of a machine; a machine that is not registered yet is accepted."""
    status = context.find(MACHINE_STATUS, machine_id)
    if status is None:
        return
    text = status.labels.get(LABEL_TALOS_VERSION, "")
    if not text:
        yield "the machine has no Talos version label"
        return
    machine, cluster = versions.tolerant(text), versions.tolerant(wanted)
    if (machine.major, machine.minor) > (cluster.major, cluster.minor):
        yield (
            "the machine has a newer Talos version installed: downgrade is not allowed. "
            "Upgrade the machine or change the cluster Talos version"
        )
    elif LABEL_INSTALLED not in status.labels and not _installs_itself(machine, cluster):
        yield (
            "the machine running from ISO or PXE must have the same major and minor version as the cluster it is "
            "going to be added to. Please use another ISO or change the cluster Talos version"
        )


def _installs_itself(machine: versions.Version, cluster: versions.Version) -> bool:
    """From Talos 1.13 on, a machine that runs from an ISO can install any version."""
    newest = versions.Version(1, 13, 0)
    return (machine >= newest and cluster >= newest) or machine.minor == cluster.minor
