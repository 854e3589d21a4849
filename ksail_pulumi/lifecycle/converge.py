"""Brings a cluster to its spec: choose machines, plan, write, and repeat if a machine was lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ksail_pulumi.addons.findings import outdates_manifests
from ksail_pulumi.errors import LifecycleError, NotEnoughMachinesError
from ksail_pulumi.lifecycle.apply import apply
from ksail_pulumi.lifecycle.changed_manifests import ChangedManifests
from ksail_pulumi.lifecycle.cut_off import remove_chosen, remove_cut_off
from ksail_pulumi.lifecycle.needed import Needed
from ksail_pulumi.lifecycle.ownership import refuse_locked
from ksail_pulumi.lifecycle.snapshot import take_snapshot
from ksail_pulumi.lifecycle.waiting.goal import Goal
from ksail_pulumi.lifecycle.waiting.gone import wait_until_free, wait_until_gone
from ksail_pulumi.omni.resources import LABEL_MACHINE_SET, MACHINE_SET, MACHINE_SET_NODE
from ksail_pulumi.plan.cut_off import (
    cut_off_machines,
    departed_machines,
    given_back,
    refused_departures,
    sizes_of_classes,
)
from ksail_pulumi.plan.diff import merge, release, steps
from ksail_pulumi.plan.locks import without_lock
from ksail_pulumi.plan.machine_fields import set_by_configs
from ksail_pulumi.plan.parts.nodes import taken_machines
from ksail_pulumi.plan.planning import NO_TEXTS, cluster_machines, cluster_versions, plan_changes, sources_of
from ksail_pulumi.plan.reservations import Reserving
from ksail_pulumi.plan.versions import versions_of
from ksail_pulumi.problems import InvalidCluster

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from ksail_pulumi.lifecycle.apply import Applied
    from ksail_pulumi.lifecycle.claims import Claim
    from ksail_pulumi.lifecycle.lease import Lease
    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.lifecycle.waiting.applied import Group
    from ksail_pulumi.model.parse import ClusterSpec
    from ksail_pulumi.model.versions import Versions
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.changes import Plan
    from ksail_pulumi.plan.machines import Assignment
    from ksail_pulumi.plan.ownership import OwnershipMark
    from ksail_pulumi.plan.reservations import Earlier
    from ksail_pulumi.plan.snapshot import Snapshot


@dataclass(frozen=True)
class Converged:
    """The result of `converge`.

    Attributes:
        spec: The spec with its versions filled in.
        goal: What to wait for.
        locks: The resources to lock once the goal is reached.
        outdated: Whether Talos has created objects of manifests that have changed.
        groups: The groups of manifests to prove; none if nothing about them has changed.
        before: The versions that Omni was set to before; None for a new cluster.
    """

    spec: ClusterSpec
    goal: Goal
    locks: tuple[Resource, ...]
    outdated: bool
    groups: tuple[Group, ...]
    before: Versions | None


def converge(
    spec: ClusterSpec,
    mark: OwnershipMark,
    session: Session,
    *,
    claim: Claim,
    snapshot: Snapshot,
    applied: Applied,
    lease: Lease | None = None,
    previous: ClusterSpec | None = None,
    earlier: Sequence[Earlier] = (),
    adopt: bool = False,
    texts: Mapping[str, str] = NO_TEXTS,
    continued: bool = False,
) -> Converged:
    """Write all changes, and return what to wait for.

    Args:
        spec: The desired cluster.
        mark: The owner of the cluster.
        session: The Omni and the deadline.
        claim: Holds the chosen machines until they are written.
        snapshot: A snapshot of Omni, read within the claim.
        applied: Updated with what has been written.
        lease: The running creation; a new cluster gets its mark.
        previous: The spec of the last update; what only it contains is removed.
        earlier: The clusters that the program declares first: they get their machines first.
        adopt: Whether nodes that others added are treated as the cluster's own.
        texts: The fetched manifests of add-ons, by URL.
        continued: Whether an earlier attempt has not seen the cluster ready.

    Raises:
        NotEnoughMachinesError: The pool cannot serve the cluster.
        InputError: A requested version or machine is not available.
        LifecycleError: The cluster is locked.
        OmniError: Omni refused a write.
    """
    before = versions_of(snapshot.cluster) if snapshot.cluster is not None else None
    leaving: set[str] = set()
    shrinks = outdated = False
    lost: set[str] = set()
    removed: set[str] = set()
    manifests = ChangedManifests(snapshot, everything=continued)
    # Each round plans from a new snapshot. A second one is needed in three cases only: another cluster took a machine
    # between snapshot and write, a resource must be gone before its successor can be created, or too few machines are
    # free, and the error says why the others are not.
    needed = Needed.by(spec, earlier)
    while True:
        _refuse_taken(spec, snapshot)
        try:
            planned = _plan(
                spec, mark, claim, snapshot, lost, previous=previous, earlier=earlier, adopt=adopt, texts=texts
            )
        except NotEnoughMachinesError:
            if needed.everything:
                raise
            needed = replace(needed, everything=True)
            claim.reads_now()
            snapshot = take_snapshot(session.client, spec.name, needed)
            continue
        refuse_locked(snapshot.cluster, planned.plan)
        _refuse_departures(spec, planned, snapshot)
        to_take = steps(planned.plan)
        apply(lease.on(to_take) if lease else to_take, session, mark, applied, merge=planned.merge)
        # Collected over all rounds: the next snapshot no longer shows what this round has removed.
        leaving |= _leaving(planned.plan, snapshot)
        if spec.on_update.disconnected_machines == "remove":
            departed = departed_machines(planned.plan, planned.assignment, snapshot, mark)
            removed |= remove_cut_off(set(departed) - removed, session, spec.name)
            chosen, sizes = given_back(planned.plan, snapshot), sizes_of_classes(planned.plan)
            removed |= remove_chosen(set(chosen) - removed, sizes, session, spec.name)
        shrinks |= bool(leaving) or _class_shrinks(planned.plan)
        outdated |= outdates_manifests(planned.plan.changed)
        manifests.add(planned.plan)
        if applied.lost:
            session.progress(
                f"another cluster took {', '.join(sorted(applied.lost))} in the meantime; choosing other machines"
            )
            # The next snapshot may still show a lost machine as free, because its status lags behind.
            lost |= applied.lost
            applied.lost = set()
        elif planned.plan.deferred:
            # Omni does not create a resource while one of the same ID is in teardown, and a machine can join a set
            # only after it has been reset.
            wait_until_gone(_in_the_way(planned.plan, snapshot), session, spec.name)
            wait_until_free(leaving, session, spec.name)
        else:
            break
        claim.reads_now()
        snapshot = take_snapshot(session.client, spec.name, needed)
    versions = planned.versions
    return Converged(
        spec.model_copy(update={"talos_version": versions.talos, "kubernetes_version": versions.kubernetes}),
        Goal(
            cluster=spec.name,
            wait_for=spec.wait_for,
            sets=_sizes(spec, planned, snapshot),
            talos_version=versions.talos,
            kubernetes_version=versions.kubernetes,
            leaving=frozenset(leaving - set(planned.assignment.machines)),
            shrinks=shrinks,
            machines=frozenset(planned.assignment.machines),
        ),
        planned.plan.locks,
        outdated,
        manifests.groups(planned.plan),
        before,
    )


def _refuse_taken(spec: ClusterSpec, snapshot: Snapshot) -> None:
    """Refuse a listed machine that is not available: unlike a free one, it cannot be replaced by another."""
    for problem in taken_machines(spec, snapshot):
        raise InvalidCluster([problem])


def _refuse_departures(spec: ClusterSpec, planned: _Planned, snapshot: Snapshot) -> None:
    """Refuse to take machines out of the cluster that Omni cannot wipe, unless the spec says what to do about them."""
    cut_off = cut_off_machines(planned.plan, planned.assignment, snapshot)
    if problems := list(refused_departures(spec, cut_off, snapshot)):
        raise InvalidCluster(problems)


@dataclass(frozen=True)
class _Planned:
    versions: Versions
    assignment: Assignment
    plan: Plan
    merge: Callable[[Resource], Resource]


def _plan(
    spec: ClusterSpec,
    mark: OwnershipMark,
    claim: Claim,
    snapshot: Snapshot,
    lost: Collection[str],
    *,
    previous: ClusterSpec | None,
    earlier: Sequence[Earlier],
    adopt: bool,
    texts: Mapping[str, str],
) -> _Planned:
    if any(source.url not in texts for source in sources_of(spec, snapshot, mark)):
        raise LifecycleError(f"somebody has changed the add-ons of cluster {spec.name!r} in the meantime: run it again")
    versions = cluster_versions(spec, snapshot)
    promised = Reserving().reserve(earlier, snapshot).machines

    def assign(held: frozenset[str]) -> Assignment:
        taken = dict.fromkeys(held.union(lost), "another cluster")
        try:
            return cluster_machines(spec, snapshot, versions, mark, taken={**taken, **promised}, adopt=adopt)
        except NotEnoughMachinesError:
            # An earlier cluster of the program may not be part of this run (`--target`), or not as it is written there
            # (`ignore_changes`).
            return cluster_machines(spec, snapshot, versions, mark, taken=taken, adopt=adopt)

    assignment = claim.choose(assign)
    plan = plan_changes(spec, snapshot, versions, assignment, mark, previous=previous, texts=texts)
    for problem in set_by_configs(spec, plan.desired, snapshot):
        raise InvalidCluster([problem])
    wanted = {resource.key: without_lock(resource) for resource in plan.desired}
    baseline = {resource.key: resource for resource in plan.baseline}

    def merged(fresh: Resource) -> Resource:
        key = fresh.key
        return merge(fresh, wanted[key], baseline.get(key)) if key in wanted else release(fresh, mark)

    return _Planned(versions, assignment, plan, merged)


def _nodes(snapshot: Snapshot) -> list[Resource]:
    return [resource for resource in snapshot.resources if resource.type == MACHINE_SET_NODE]


def _leaving(plan: Plan, snapshot: Snapshot) -> set[str]:
    """The machines that the plan removes from the cluster, and those that an earlier attempt has started to remove."""
    sets = {resource.id for resource in plan.destroys if resource.type == MACHINE_SET}
    machines = {resource.id for resource in plan.destroys if resource.type == MACHINE_SET_NODE}
    return machines | {
        node.id for node in _nodes(snapshot) if node.tearing_down or node.labels.get(LABEL_MACHINE_SET) in sets
    }


def _in_the_way(plan: Plan, snapshot: Snapshot) -> list[Resource]:
    """The resources in teardown that must be gone before the plan's deferred resources can be created."""
    wanted = {resource.key for resource in plan.deferred}
    wanted |= {(MACHINE_SET.name, resource.labels.get(LABEL_MACHINE_SET, "")) for resource in plan.deferred}
    return [resource for resource in snapshot.resources if resource.tearing_down and resource.key in wanted]


def _class_shrinks(plan: Plan) -> bool:
    """Whether a set with a machine class may become smaller; Omni then chooses the machines that leave."""
    return any(
        update.actual.type == MACHINE_SET
        and update.actual.spec.HasField("machine_allocation")
        and update.actual.spec.machine_allocation != update.desired.spec.machine_allocation
        for update in plan.updates
    )


def _sizes(spec: ClusterSpec, planned: _Planned, snapshot: Snapshot) -> dict[str, int | None]:
    """The final number of machines of each set, including sets and nodes of others."""
    gone = {resource.key for resource in planned.plan.destroys}
    stay = [resource for resource in snapshot.resources if not resource.tearing_down and resource.key not in gone]
    sizes: dict[str, int | None] = {resource.id: None for resource in stay if resource.type == MACHINE_SET}
    for machine_set in spec.machine_sets:
        set_id = machine_set.id(spec.name)
        if machine_set.machine_class is not None:
            size = machine_set.machine_class.size
            sizes[set_id] = size if isinstance(size, int) else None
        else:
            present = {
                node.id
                for node in stay
                if node.type == MACHINE_SET_NODE and node.labels.get(LABEL_MACHINE_SET) == set_id
            }
            sizes[set_id] = len(present | set(planned.assignment.sets.get(set_id, ())))
    return sizes
