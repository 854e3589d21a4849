"""From inputs and what Omni has to what must change: the one way that a preview and an `up` both go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ksail_pulumi.addons.patches import addon_patches
from ksail_pulumi.plan.assemble import baseline_resources, desired_resources
from ksail_pulumi.plan.diff import diff
from ksail_pulumi.plan.machines import NONE_TAKEN, assign_machines
from ksail_pulumi.plan.numbering import given_ids, settle
from ksail_pulumi.plan.versions import resolve_versions, versions_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.model.versions import Versions
    from ksail_pulumi.plan.changes import Plan
    from ksail_pulumi.plan.machines import Assignment
    from ksail_pulumi.plan.ownership import OwnershipMark
    from ksail_pulumi.plan.snapshot import Snapshot


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
    taken: Mapping[str, str] = NONE_TAKEN,
    adopt: bool = False,
) -> Assignment:
    """The machines that a cluster gets. Those that others added count where it is taken over, or ours alone.

    Raises:
        NotEnoughMachinesError: The pool cannot serve the cluster.
        InputError: A set can only shrink by giving up a locked machine.
    """
    counted = None if adopt or spec.exclusive else mark
    return assign_machines(spec, snapshot.statuses, snapshot.nodes, versions=versions, taken=taken, mark=counted)


def plan_changes(
    spec: ClusterSpec,
    snapshot: Snapshot,
    versions: Versions,
    assignment: Assignment,
    mark: OwnershipMark,
    *,
    previous: ClusterSpec | None,
) -> Plan:
    """What must change for a cluster to be as asked for. `previous` is what was asked for last time.

    Raises:
        ForeignClusterError: A resource of the cluster exists and belongs to another one.
    """
    actual = snapshot.resources
    desired = desired_resources(
        spec,
        versions,
        assignment,
        mark,
        api_version=snapshot.api_version,
        bootstrapped=snapshot.bootstrapped,
        addons=addon_patches(spec.addons, spec.name, began=snapshot.began or versions.talos, actual=actual),
    )
    settled = settle(desired, actual, mark=mark, given=given_ids(spec))
    before = baseline_resources(previous, spec, actual, mark)
    baseline = settle(before, actual, mark=mark, given=given_ids(previous or spec)).resources
    plan = diff(
        settled.resources,
        actual,
        mark=mark,
        exclusive=spec.exclusive,
        baseline=baseline,
        superseded={each.old.key for each in settled.renumbered},
    )
    return replace(plan, desired=settled.resources, baseline=baseline, renumbered=settled.renumbered)
