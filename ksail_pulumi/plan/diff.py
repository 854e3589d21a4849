"""What must change in Omni, and in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from ksail_pulumi.errors import ForeignClusterError
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.changes import Plan, Step, Update
from ksail_pulumi.plan.locks import is_locked, unlocks_cluster, without_lock
from ksail_pulumi.plan.ownership import of_machine_config
from ksail_pulumi.plan.parts.table import PART_OF, rank

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.ownership import OwnershipMark


def steps(plan: Plan) -> list[Step]:
    """The steps to take: creates, then updates, type by type; then destroys, nodes and sets before the rest.

    A cluster is unlocked before everything else. Not among the steps are `deferred` and `locks`, which wait for more
    than answers.
    """
    unlocks = [update.desired for update in plan.updates if unlocks_cluster(update)]
    updates = [update.desired for update in plan.updates if not unlocks_cluster(update)]
    first = tuple(each for each in plan.destroys if PART_OF[each.type].first_to_go)
    rest = tuple(each for each in plan.destroys if not PART_OF[each.type].first_to_go)
    return [
        *(Step("update", (cluster,)) for cluster in unlocks),
        *(Step("create", group) for group in _by_type(plan.creates)),
        *(Step("update", group) for group in _by_type(updates)),
        *(Step("destroy", group) for group in (first, rest) if group),
    ]


def diff(
    desired: Sequence[Resource],
    actual: Sequence[Resource],
    *,
    mark: OwnershipMark,
    exclusive: bool = False,
    baseline: Sequence[Resource] = (),
    superseded: Collection[tuple[str, str]] = (),
) -> Plan:
    """Compare what should exist with what does.

    Foreign labels, annotations, finalizers and spec fields that this client does not know stay. What is no longer
    wanted is destroyed if it carries the mark, or, with `exclusive`, if a user owns it at all. Resources of Omni's
    controllers and of a `MachineConfig`, and nodes that a machine class allocated, are never touched.

    Args:
        desired: What `desired_resources` made of the inputs.
        actual: What Omni has of the cluster, its own resource included.
        mark: Whose the desired resources are.
        exclusive: Whether what others added to the cluster goes too.
        baseline: What `desired_resources` made of the previous inputs: only a label or annotation that is in it was set
            by this resource, and is removed when it is no longer wanted.
        superseded: The keys of what goes, whoever made it, because something desired stands for the same.

    Raises:
        ForeignClusterError: A desired resource exists and belongs to another cluster.
    """
    known = {resource.key: resource for resource in actual if _manageable(resource)}
    before = {resource.key: resource for resource in baseline}
    wanted = {resource.key for resource in desired}
    going = {each.id for each in known.values() if each.tearing_down and each.type == omni.MACHINE_SET}
    creates, updates, destroys, deferred, locks = [], [], [], [], []
    for resource in desired:
        current = known.get(resource.key)
        if is_locked(resource) and not (current is not None and is_locked(current)):
            locks.append(resource)
            resource = without_lock(resource)  # noqa: PLW2901 - it is created and changed without
        if resource.type == omni.MACHINE_SET_NODE and resource.labels[omni.LABEL_MACHINE_SET] in going:
            deferred.append(resource)  # Omni takes nothing into such a set, and takes out what is in it
            continue
        if current is None:
            creates.append(resource)
            continue
        _check_cluster(resource, current)
        if current.tearing_down or _moves(resource, current):
            deferred.append(resource)
            destroys += [] if current.tearing_down else [current]
            continue
        merged = merge(current, resource, before.get(resource.key))
        if not same(merged, current):
            updates.append(Update(current, merged))
    for key, resource in known.items():
        if key in wanted or resource.tearing_down:
            continue
        of_machine = PART_OF[resource.type].of_machine
        if of_machine and not _goes_without_its_machine(resource, wanted):
            released = release(resource, mark)
            updates += [] if same(released, resource) else [Update(resource, released)]
        elif mark.owns(resource) or key in superseded or (exclusive and not of_machine):
            destroys.append(resource)
    return Plan(
        tuple(sorted(creates, key=rank)),
        tuple(sorted(updates, key=lambda update: rank(update.desired))),
        tuple(sorted(_without_cascades(destroys), key=rank)),
        tuple(deferred),
        tuple(sorted(locks, key=rank, reverse=True)),  # nodes first: in a locked cluster none can be locked
    )


def _manageable(resource: Resource) -> bool:
    return not (resource.owner or omni.LABEL_MANAGED_NODE in resource.labels or of_machine_config(resource))


def _check_cluster(desired: Resource, actual: Resource) -> None:
    if desired.cluster and actual.cluster and desired.cluster != actual.cluster:
        raise ForeignClusterError(
            f"resource {actual} already exists for cluster {actual.cluster!r}, "
            f"cannot create a conflicting resource for cluster {desired.cluster!r}"
        )


def _moves(desired: Resource, actual: Resource) -> bool:
    """Whether a machine changes its set: Omni refuses to relabel a node, so it has to leave first."""
    by_set = actual.labels.get(omni.LABEL_MACHINE_SET), desired.labels.get(omni.LABEL_MACHINE_SET)
    return desired.type == omni.MACHINE_SET_NODE and by_set[0] != by_set[1]


def merge(actual: Resource, desired: Resource, baseline: Resource | None = None) -> Resource:
    """The actual resource with everything that is ours set as desired; the result can be written back."""
    return replace(
        actual,
        spec=omni.with_known_fields(actual.spec, desired.spec),
        labels=_merged(actual.labels, desired.labels, baseline.labels if baseline else {}),
        annotations=_merged(actual.annotations, desired.annotations, baseline.annotations if baseline else {}),
    )


def _merged(actual: Mapping[str, str], desired: Mapping[str, str], baseline: Mapping[str, str]) -> dict[str, str]:
    """Entries of others stay; what only the previous inputs set is removed."""
    dropped = {key for key in baseline if key not in desired}
    return {**{key: value for key, value in actual.items() if key not in dropped}, **desired}


def same(left: Resource, right: Resource) -> bool:
    """Whether two resources say the same."""
    return left.spec == right.spec and left.labels == right.labels and left.annotations == right.annotations


def _goes_without_its_machine(resource: Resource, wanted: Collection[tuple[str, str]]) -> bool:
    """Whether what is no longer wanted for a machine is destroyed: only where the machine stays in the cluster."""
    return not PART_OF[resource.type].permanent and (omni.MACHINE_SET_NODE.name, resource.id) in wanted


def release(resource: Resource, mark: OwnershipMark) -> Resource:
    """A resource that stays with its machine, without the mark that made it ours."""
    if not mark.owns(resource):
        return resource
    rest = {key: value for key, value in resource.annotations.items() if key not in mark.annotations()}
    return replace(resource, annotations=rest)


def _without_cascades(destroys: Iterable[Resource]) -> list[Resource]:
    """Leave out what Omni itself destroys along with a set or a cluster."""
    going = list(destroys)
    sets = {each.id for each in going if each.type == omni.MACHINE_SET}
    clusters = {each.id for each in going if each.type == omni.CLUSTER}
    return [
        each
        for each in going
        if each.cluster not in clusters
        and not (each.type == omni.MACHINE_SET_NODE and each.labels.get(omni.LABEL_MACHINE_SET) in sets)
    ]


def _by_type(resources: Iterable[Resource]) -> list[tuple[Resource, ...]]:
    return [tuple(group) for _, group in groupby(sorted(resources, key=rank), key=rank)]
