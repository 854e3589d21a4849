"""What must change in Omni, and in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ksail_pulumi.errors import ForeignClusterError
from ksail_pulumi.omni import resources as omni

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.ownership import OwnershipMark

# Omni's order (client/pkg/template/order.go): a machine must not start before all that configures it is there.
ORDER = (
    omni.CLUSTER,
    omni.EXTENSIONS_CONFIGURATION,
    omni.CONFIG_PATCH,
    omni.MACHINE_INSTALL_DISK_CONFIG,
    omni.KUBERNETES_MANIFEST_GROUP,
    omni.KUBERNETES_HEALTH_CHECK,
    omni.MACHINE_SET,
    omni.MACHINE_SET_NODE,
    omni.KERNEL_ARGS,
)
_RANK = {resource_type.name: rank for rank, resource_type in enumerate(ORDER)}
_FIRST_TO_GO = (omni.MACHINE_SET_NODE.name, omni.MACHINE_SET.name)
_LOCKS = {omni.CLUSTER.name: omni.ANNOTATION_CLUSTER_LOCKED, omni.MACHINE_SET_NODE.name: omni.ANNOTATION_LOCKED}
_OF_MACHINES = (omni.KERNEL_ARGS.name, omni.MACHINE_INSTALL_DISK_CONFIG.name)


@dataclass(frozen=True)
class Update:
    """A resource that has to change.

    Attributes:
        actual: What Omni has.
        desired: What to write: the actual one with everything that is ours set as it should be.
    """

    actual: Resource
    desired: Resource


@dataclass(frozen=True)
class Step:
    """Calls that may go out together; the next step starts when all of them have been answered.

    After a step of destroys everything in it must be gone before the next step starts.
    """

    verb: Literal["create", "update", "destroy"]
    resources: tuple[Resource, ...]


@dataclass(frozen=True)
class Plan:
    """All changes, each group in Omni's order.

    Attributes:
        deferred: What to create once something else is gone: a node whose machine leaves another set of the cluster (it
            is in `destroys` too, and its machine must have become available again), what is already being torn down,
            and the nodes of a set that is.
        locks: The cluster and the nodes that are to be locked and are not yet. Omni holds back whatever has not arrived
            on a locked machine, so this comes last, when the cluster is where it was asked to be (`with_lock`).
    """

    creates: tuple[Resource, ...] = ()
    updates: tuple[Update, ...] = ()
    destroys: tuple[Resource, ...] = ()
    deferred: tuple[Resource, ...] = ()
    locks: tuple[Resource, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.creates or self.updates or self.destroys or self.deferred or self.locks)

    @property
    def changed(self) -> list[tuple[Resource, Resource]]:
        """The updated resources, each before and after."""
        return [(update.actual, update.desired) for update in self.updates]

    def steps(self) -> list[Step]:
        """The steps to take: creates, then updates, type by type; then destroys, nodes and sets before the rest.

        A cluster is unlocked before everything else. Not among the steps are `deferred` and `locks`, which wait for
        more than answers.
        """
        unlocks = [update.desired for update in self.updates if _unlocks(update)]
        updates = [update.desired for update in self.updates if not _unlocks(update)]
        first = tuple(each for each in self.destroys if each.type.name in _FIRST_TO_GO)
        rest = tuple(each for each in self.destroys if each.type.name not in _FIRST_TO_GO)
        return [
            *(Step("update", (cluster,)) for cluster in unlocks),
            *(Step("create", group) for group in _by_type(self.creates)),
            *(Step("update", group) for group in _by_type(updates)),
            *(Step("destroy", group) for group in (first, rest) if group),
        ]


def diff(
    desired: Sequence[Resource],
    actual: Sequence[Resource],
    *,
    mark: OwnershipMark,
    exclusive: bool = False,
    previous: Sequence[Resource] = (),
    superseded: Collection[tuple[str, str]] = (),
) -> Plan:
    """Compare what should exist with what does.

    Foreign labels, annotations, finalizers and spec fields that this client does not know stay. What is no longer
    wanted is destroyed if it carries the mark, or, with `exclusive`, if a user owns it at all. Resources of Omni's
    controllers, and nodes that a machine class allocated, are never touched.

    Args:
        desired: What `desired_resources` made of the inputs.
        actual: What Omni has of the cluster, its own resource included.
        mark: Whose the desired resources are.
        exclusive: Whether what others added to the cluster goes too.
        previous: What `desired_resources` made of the inputs before: only a label or annotation that stands in it was
            set by this resource, and is removed when it is no longer wanted.
        superseded: The keys of what goes, whoever made it, because something desired stands for the same.

    Raises:
        ForeignClusterError: A desired resource exists and belongs to another cluster.
    """
    known = {resource.key: resource for resource in actual if _manageable(resource)}
    before = {resource.key: resource for resource in previous}
    wanted = {resource.key for resource in desired}
    going = {each.id for each in known.values() if each.tearing_down and each.type == omni.MACHINE_SET}
    creates, updates, destroys, deferred, locks = [], [], [], [], []
    for resource in desired:
        current = known.get(resource.key)
        if _is_locked(resource) and not (current is not None and _is_locked(current)):
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
        if resource.type.name in _OF_MACHINES and not _with_its_machine(resource, wanted):
            released = release(resource, mark)
            updates += [] if same(released, resource) else [Update(resource, released)]
        elif mark.owns(resource) or key in superseded or (exclusive and resource.type.name not in _OF_MACHINES):
            destroys.append(resource)
    return Plan(
        tuple(sorted(creates, key=_rank)),
        tuple(sorted(updates, key=lambda update: _rank(update.desired))),
        tuple(sorted(_without_cascades(destroys), key=_rank)),
        tuple(deferred),
        tuple(sorted(locks, key=_rank, reverse=True)),  # nodes first: a locked cluster's cannot be locked any more
    )


def _rank(resource: Resource) -> int:
    return _RANK.get(resource.type.name, len(ORDER))


def _manageable(resource: Resource) -> bool:
    return not resource.owner and omni.LABEL_MANAGED_NODE not in resource.labels


def lock_forbids(plan: Plan, cluster: Resource | None) -> bool:
    """Whether a cluster is locked against a plan that does not unlock it.

    Omni would refuse a part of the plan, take in the rest, and hold that back for as long as the lock is there.
    """
    if cluster is None or omni.ANNOTATION_CLUSTER_LOCKED not in cluster.annotations:
        return False
    return not plan.empty and not any(map(_unlocks, plan.updates))


def _is_locked(resource: Resource) -> bool:
    return _LOCKS.get(resource.type.name, "") in resource.annotations


def _unlocks(update: Update) -> bool:
    """Whether an update unlocks the cluster, which Omni wants to come before all other changes."""
    return update.actual.type == omni.CLUSTER and _is_locked(update.actual) and not _is_locked(update.desired)


def with_lock(resource: Resource) -> Resource:
    """The cluster or node with its lock."""
    return replace(resource, annotations={**resource.annotations, _LOCKS[resource.type.name]: ""})


def without_lock(resource: Resource) -> Resource:
    """The resource without its lock, if it has one."""
    lock = _LOCKS.get(resource.type.name)
    return replace(resource, annotations={key: value for key, value in resource.annotations.items() if key != lock})


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


def merge(actual: Resource, desired: Resource, previous: Resource | None = None) -> Resource:
    """The actual resource with everything that is ours set as desired; the result can be written back."""
    return replace(
        actual,
        spec=omni.with_known_fields(actual.spec, desired.spec),
        labels=_merged(actual.labels, desired.labels, previous.labels if previous else {}),
        annotations=_merged(actual.annotations, desired.annotations, previous.annotations if previous else {}),
    )


def _merged(actual: Mapping[str, str], desired: Mapping[str, str], previous: Mapping[str, str]) -> dict[str, str]:
    """Foreign entries stay; what only the inputs before set goes."""
    dropped = {key for key in previous if key not in desired}
    return {**{key: value for key, value in actual.items() if key not in dropped}, **desired}


def same(left: Resource, right: Resource) -> bool:
    """Whether two resources say the same."""
    return left.spec == right.spec and left.labels == right.labels and left.annotations == right.annotations


def _with_its_machine(resource: Resource, wanted: Collection[tuple[str, str]]) -> bool:
    """Whether what is no longer wanted for a machine can be destroyed, because the machine stays.

    Kernel arguments never are, as with omnictl: that would reboot a machine into something nobody asked for.
    """
    return resource.type != omni.KERNEL_ARGS and (omni.MACHINE_SET_NODE.name, resource.id) in wanted


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


def _by_type(resources: Sequence[Resource]) -> list[tuple[Resource, ...]]:
    groups: dict[int, list[Resource]] = {}
    for resource in resources:
        groups.setdefault(_rank(resource), []).append(resource)
    return [tuple(groups[rank]) for rank in sorted(groups)]
