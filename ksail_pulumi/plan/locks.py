"""Locks of clusters and of machines: Omni changes nothing that is locked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.parts.table import PART_OF

if TYPE_CHECKING:
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.changes import Plan, Update


def is_locked(resource: Resource) -> bool:
    """Whether a resource has its lock."""
    return PART_OF[resource.type].lock in resource.annotations


def with_lock(resource: Resource) -> Resource:
    """The cluster or node with its lock."""
    return replace(resource, annotations={**resource.annotations, PART_OF[resource.type].lock: ""})


def without_lock(resource: Resource) -> Resource:
    """The resource without its lock, if it has one."""
    lock = PART_OF[resource.type].lock
    return replace(resource, annotations={key: value for key, value in resource.annotations.items() if key != lock})


def unlocks_cluster(update: Update) -> bool:
    """Whether an update unlocks the cluster, which Omni wants to come before all other changes."""
    return update.actual.type == omni.CLUSTER and is_locked(update.actual) and not is_locked(update.desired)


def lock_forbids(plan: Plan, cluster: Resource | None) -> bool:
    """Whether a cluster is locked against a plan that does not unlock it.

    Omni would refuse a part of the plan, accept the rest, and hold that back for as long as the lock is there.
    """
    if cluster is None or not is_locked(cluster):
        return False
    return not plan.empty and not any(map(unlocks_cluster, plan.updates))
