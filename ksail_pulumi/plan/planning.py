"""From inputs and what Omni has to what must change: the one way that a preview and an `up` both go."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from ksail_pulumi.addons.groups import addon_groups, needed_sources, plain_groups, used_urls
from ksail_pulumi.addons.patches import addon_patches
from ksail_pulumi.omni.resources import ANNOTATION_NAME, KUBERNETES_MANIFEST_GROUP
from ksail_pulumi.plan.assemble import baseline_resources, desired_resources
from ksail_pulumi.plan.diff import diff
from ksail_pulumi.plan.machines import NONE_TAKEN, assign_machines
from ksail_pulumi.plan.numbering import given_ids, settle
from ksail_pulumi.plan.versions import resolve_versions, versions_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ksail_pulumi.addons.groups import Source
    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.model.versions import Versions
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.changes import Plan
    from ksail_pulumi.plan.machines import Assignment
    from ksail_pulumi.plan.ownership import OwnershipMark
    from ksail_pulumi.plan.snapshot import Snapshot

_GROUPS_API = 2
NO_TEXTS: Mapping[str, str] = MappingProxyType({})


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


def has_groups(snapshot: Snapshot) -> bool:
    """Whether Omni has groups of manifests, which it applies to clusters itself: since 1.7."""
    return snapshot.api_version >= _GROUPS_API


def sources_of(spec: ClusterSpec, snapshot: Snapshot, mark: OwnershipMark) -> list[Source]:
    """The manifests of others that the plan of a cluster needs."""
    return needed_sources(spec.addons, _groups(spec, snapshot.resources, mark)) if has_groups(snapshot) else []


def urls_of(spec: ClusterSpec, snapshot: Snapshot) -> set[str]:
    """The URLs of the manifests of others that the add-ons of a cluster consist of."""
    return used_urls(spec.addons, snapshot.resources)


def _groups(spec: ClusterSpec, actual: Iterable[Resource], mark: OwnershipMark) -> list[Resource]:
    """What Omni has of our add-ons: neither those of another resource, nor what the inputs have as manifests."""
    names = plain_groups(spec)
    return [
        each
        for each in actual
        if each.type != KUBERNETES_MANIFEST_GROUP
        or (mark.owns(each) and each.annotations.get(ANNOTATION_NAME) not in names)
    ]


def plan_changes(
    spec: ClusterSpec,
    snapshot: Snapshot,
    versions: Versions,
    assignment: Assignment,
    mark: OwnershipMark,
    *,
    previous: ClusterSpec | None,
    texts: Mapping[str, str] = NO_TEXTS,
) -> Plan:
    """What must change for a cluster to be as asked for. `previous` is what was asked for last time.

    Args:
        spec: What is asked for.
        snapshot: What Omni has.
        versions: The versions that the cluster gets.
        assignment: The machines that it gets.
        mark: Whose it is.
        previous: What was asked for last time; None for a new cluster.
        texts: The manifests of `sources_of`, by URL.

    Raises:
        ForeignClusterError: A resource of the cluster exists and belongs to another one.
    """
    actual = snapshot.resources
    with_groups = has_groups(snapshot)
    desired = desired_resources(
        spec,
        versions,
        assignment,
        mark,
        api_version=snapshot.api_version,
        bootstrapped=snapshot.bootstrapped,
        addons=addon_patches(spec.addons, began=snapshot.began or versions.talos, actual=actual, groups=with_groups),
        groups=addon_groups(
            spec.addons,
            spec.name,
            texts,
            _groups(spec, actual, mark),
            keep_definitions=spec.on_update.custom_resource_definitions == "keep",
        )
        if with_groups
        else (),
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
