"""From inputs and what Omni has to what must change: the one way that a preview and an `up` both go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ksail_pulumi.addons.patches import component_patches
from ksail_pulumi.plan.desired import desired_resources, previous_resources
from ksail_pulumi.plan.diff import diff
from ksail_pulumi.plan.machines import assign_machines
from ksail_pulumi.plan.numbering import given_ids, settle
from ksail_pulumi.plan.versions import resolve_versions, versions_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.model.versions import Versions
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.diff import Plan
    from ksail_pulumi.plan.machines import Assignment
    from ksail_pulumi.plan.numbering import Renumbered
    from ksail_pulumi.plan.ownership import OwnershipMark
    from ksail_pulumi.plan.snapshot import Snapshot


@dataclass(frozen=True)
class Changes:
    """What must change, and what that was concluded from.

    Attributes:
        desired: What should exist, under the IDs that it has in Omni.
        previous: What the inputs before made of the cluster as it is now, under the same.
        renumbered: What Omni has under another number, and goes.
        plan: What to write.
    """

    desired: Sequence[Resource]
    previous: Sequence[Resource]
    renumbered: Sequence[Renumbered]
    plan: Plan


def cluster_versions(spec: ClusterSpec, snapshot: Snapshot) -> Versions:
    """The versions that a cluster gets.

    Raises:
        InputError: A version that was asked for cannot be had.
    """
    current = versions_of(snapshot.cluster) if snapshot.cluster is not None else None
    return resolve_versions(spec.talos_version, spec.kubernetes_version, snapshot.talos_versions, current=current)


def cluster_machines(
    spec: ClusterSpec,
    snapshot: Snapshot,
    versions: Versions,
    mark: OwnershipMark,
    *,
    taken: Collection[str] = (),
    adopt: bool = False,
) -> Assignment:
    """The machines that a cluster gets. Those that others added count where it is taken over, or ours alone.

    Raises:
        NotEnoughMachinesError: The pool cannot serve the cluster.
        InputError: A set can only shrink by giving up a locked machine.
    """
    counted = None if adopt or spec.exclusive else mark
    return assign_machines(spec, snapshot.statuses, snapshot.nodes, versions=versions, taken=taken, mark=counted)


def changes(
    spec: ClusterSpec,
    snapshot: Snapshot,
    versions: Versions,
    assignment: Assignment,
    mark: OwnershipMark,
    *,
    old: ClusterSpec | None,
) -> Changes:
    """What must change for a cluster to be as asked for. `old` is what was asked for last time.

    Raises:
        ForeignClusterError: A resource of the cluster exists and belongs to another one.
    """
    began = snapshot.config_version.spec.version if snapshot.config_version else versions.talos
    desired = desired_resources(
        spec,
        versions,
        assignment,
        mark,
        api_version=snapshot.api_version,
        bootstrapped=snapshot.bootstrapped,
        components=component_patches(spec.addons, spec.name, began=began, actual=snapshot.resources),
    )
    actual = snapshot.resources
    settled = settle(desired, actual, mark=mark, given=given_ids(spec))
    before = previous_resources(old, spec, actual, mark)
    previous = settle(before, actual, mark=mark, given=given_ids(old or spec)).resources
    plan = diff(
        settled.resources,
        actual,
        mark=mark,
        exclusive=spec.exclusive,
        previous=previous,
        superseded={each.old.key for each in settled.renumbered},
    )
    return Changes(settled.resources, previous, settled.renumbered, plan)
