"""Validation of machine sets: cluster, ID and role, machine class, restore from a backup."""

from __future__ import annotations

from collections.abc import Iterator

from ksail_pulumi.omni.resources import (
    ANNOTATION_CLUSTER_LOCKED,
    CLUSTER,
    CLUSTER_BOOTSTRAP_STATUS,
    CLUSTER_UUID,
    ETCD_BACKUP,
    LABEL_CLUSTER,
    LABEL_CLUSTER_UUID,
    LABEL_CONTROL_PLANE,
    LABEL_MACHINE_SET,
    LABEL_WORKER,
    MACHINE_CLASS,
    MACHINE_SET_NODE,
    Resource,
)
from ksail_pulumi.simulator.allocation import MachineAllocation, allocation_of
from ksail_pulumi.simulator.validations import relations
from ksail_pulumi.simulator.validations.context import Context

LONGEST_SNAPSHOT_PATH = 4096
"""The maximum length of a backup path, in bytes."""


def on_create(context: Context, machine_set: Resource) -> Iterator[str]:
    yield from relations.present(machine_set, (LABEL_CLUSTER,))
    cluster = context.find(CLUSTER, machine_set.cluster)
    if cluster is None:
        yield f'the cluster "{machine_set.cluster}" does not exist'
        return
    if cluster.tearing_down:
        yield f'the cluster "{cluster.id}" is tearing down'
        return
    if ANNOTATION_CLUSTER_LOCKED in cluster.annotations:
        yield (
            f'adding machine set "{machine_set.id}" to the cluster "{cluster.id}" is not allowed: the cluster is locked'
        )
        return
    is_control_plane = LABEL_CONTROL_PLANE in machine_set.labels and LABEL_WORKER not in machine_set.labels
    if is_control_plane and _bootstrapped(context, cluster.id):
        yield "adding control plane machine set to an already bootstrapped cluster is not allowed"
    else:
        yield from _placed(machine_set)
    yield from _allocation(context, machine_set)
    yield from _bootstrap_on_create(context, machine_set)


def on_update(context: Context, old: Resource, new: Resource) -> Iterator[str]:
    yield from relations.unchanged(old, new, (LABEL_CLUSTER,))
    cluster = context.find(CLUSTER, new.cluster)
    if cluster is None:
        yield f'the cluster "{new.cluster}" does not exist'
        return
    if ANNOTATION_CLUSTER_LOCKED in cluster.annotations:
        yield (f'updating machine set "{new.id}" on the cluster "{cluster.id}" is not allowed: the cluster is locked')
        return
    yield from _placed(new)
    before, after = allocation_of(old), allocation_of(new)
    if (before is None) != (after is None):
        yield from _switched(context, new, to_class=after is not None)
    else:
        yield from _allocation(context, new)
    yield from _bootstrap_on_update(context, old, new)


def on_destroy(context: Context, machine_set: Resource) -> Iterator[str]:
    cluster = context.find(CLUSTER, machine_set.cluster)
    if cluster is not None and not cluster.tearing_down and ANNOTATION_CLUSTER_LOCKED in cluster.annotations:
        yield (
            f'removing machine set "{machine_set.id}" from the cluster "{cluster.id}" is not allowed: '
            "the cluster is locked"
        )


def _placed(machine_set: Resource) -> Iterator[str]:
    cluster = machine_set.cluster
    if LABEL_CONTROL_PLANE not in machine_set.labels and LABEL_WORKER not in machine_set.labels:
        yield f'machine set must have either "{LABEL_CONTROL_PLANE}" or "{LABEL_WORKER}" label'
        return
    if not machine_set.id.startswith(f"{cluster}-"):
        yield f'machine set of cluster "{cluster}" ID must have "{cluster}-" as prefix'
    elif LABEL_CONTROL_PLANE in machine_set.labels:
        if machine_set.id != f"{cluster}-control-planes":
            yield f'control plane machine set must have ID "{cluster}-control-planes"'
    elif machine_set.id == f"{cluster}-control-planes":
        yield f'worker machine set must not have ID "{cluster}-control-planes"'


def _bootstrapped(context: Context, cluster: str) -> bool:
    status = context.find(CLUSTER_BOOTSTRAP_STATUS, cluster)
    return status is not None and bool(status.spec.bootstrapped)


def _allocation(context: Context, machine_set: Resource) -> Iterator[str]:
    allocation = allocation_of(machine_set)
    if allocation is None:
        return
    unlimited = allocation.allocation_type == MachineAllocation.Unlimited
    if not allocation.name:
        yield "machine allocation source name is not set"
        return
    if unlimited and allocation.machine_count:
        yield "machine count can be set only if static allocation type is used"
        return
    machine_class = context.find(MACHINE_CLASS, allocation.name)
    if machine_class is None:
        yield f'machine class with name "{allocation.name}" doesn\'t exist'
    elif unlimited and machine_class.spec.HasField("auto_provision"):
        yield (
            f'machine class "{allocation.name}" is using autoprovision, '
            "so unlimited machine set allocation is not supported"
        )


def _switched(context: Context, machine_set: Resource, *, to_class: bool) -> Iterator[str]:
    """A set may switch between manual machines and a class only while it is empty; the class need not exist."""
    if not context.store.list(MACHINE_SET_NODE, {LABEL_MACHINE_SET: machine_set.id}):
        return
    now, then = (
        ("manual nodes management", "machine class mode")
        if to_class
        else ("machine class based node management", "manual mode")
    )
    yield f"machine set is not empty and is using {now}, updating to {then} is not allowed"


def _bootstrap_on_create(context: Context, machine_set: Resource) -> Iterator[str]:
    if not machine_set.spec.HasField("bootstrap_spec"):
        return
    if LABEL_WORKER in machine_set.labels:
        yield "bootstrap spec is not allowed for worker machine sets"
        return
    wanted = machine_set.spec.bootstrap_spec
    size = len(wanted.snapshot.encode())
    if size > LONGEST_SNAPSHOT_PATH:
        yield f"bootstrap snapshot path is too long: {size} bytes (max {LONGEST_SNAPSHOT_PATH})"
    elif wanted.snapshot.startswith("/") or ".." in wanted.snapshot.split("/"):
        yield "bootstrap snapshot must be a relative path without parent-directory references"
    elif not (clusters := context.store.list(CLUSTER_UUID, {LABEL_CLUSTER_UUID: wanted.cluster_uuid})):
        yield f'invalid cluster UUID "{wanted.cluster_uuid}"'
    elif not _has_backup(context, clusters[0].id, wanted.snapshot):
        path = f"backups/{wanted.cluster_uuid}/{wanted.snapshot}"
        yield (
            "failed to get backup: failed to download backup: failed to open file: "
            f"open {path}: no such file or directory"
        )


def _has_backup(context: Context, cluster: str, snapshot: str) -> bool:
    backups = context.store.list(ETCD_BACKUP, {LABEL_CLUSTER: cluster})
    return any(backup.spec.snapshot == snapshot for backup in backups)


def _bootstrap_on_update(context: Context, old: Resource, new: Resource) -> Iterator[str]:
    if new.spec.HasField("bootstrap_spec") and LABEL_WORKER in new.labels:
        yield "bootstrap spec is not allowed for worker machine sets"
    elif old.spec.HasField("bootstrap_spec") and not new.spec.HasField("bootstrap_spec"):
        if not _bootstrapped(context, new.cluster):
            yield "bootstrap spec can only be removed after the cluster is bootstrapped"
    elif old.spec.bootstrap_spec != new.spec.bootstrap_spec:
        yield "bootstrap spec is immutable after creation"
