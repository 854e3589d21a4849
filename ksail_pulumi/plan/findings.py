"""What Omni would refuse, what would stall, and what will happen, told before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ksail_pulumi.errors import ForeignClusterError, InputError, NotEnoughMachinesError
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.desired import OwnershipMark, desired_resources, previous_resources
from ksail_pulumi.plan.diff import diff
from ksail_pulumi.plan.forecast import forecast
from ksail_pulumi.plan.machines import assign_machines, version_conflict
from ksail_pulumi.plan.versions import Versions, number, resolve_versions, versions_of
from ksail_pulumi.spec.cluster import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ksail_pulumi.plan.diff import Plan
    from ksail_pulumi.plan.snapshot import Snapshot
    from ksail_pulumi.spec.cluster import ClusterSpec, MachineSet


@dataclass(frozen=True)
class Findings:
    """What a plan shows before it is carried out.

    Attributes:
        failures: What Omni would refuse, one for a field.
        warnings: What will hold the cluster up unless it changes first, such as too few machines.
        forecasts: What will happen, a line for each thing.
    """

    failures: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    forecasts: tuple[str, ...] = ()


def findings(
    spec: ClusterSpec,
    snapshot: Snapshot,
    *,
    mark: OwnershipMark,
    old: ClusterSpec | None = None,
    taken: Collection[str] = (),
    adopt: bool = False,
) -> Findings:
    """Judge inputs against what Omni has.

    Args:
        spec: What the user asks for.
        snapshot: What was read of Omni.
        mark: Whose the cluster is to be.
        old: The inputs before; None for a new cluster.
        taken: Machines that another cluster of this run has been promised.
        adopt: Whether a cluster that exists already is to be taken over.
    """
    failures = {problem.field: problem for problem in reversed(list(_standing(spec, snapshot, mark, old, adopt)))}
    warnings = list(_waiting_for(spec, snapshot))
    if not snapshot.talos_versions:
        return Findings(tuple(failures.values()), tuple(warnings))
    forecasts: list[str] = []
    try:
        versions = _versions(spec, snapshot)
        for problem in _server_rules(spec, snapshot, versions):
            failures.setdefault(problem.field, problem)
        counted = None if adopt else mark
        assignment = assign_machines(
            spec, snapshot.statuses, snapshot.nodes, versions=versions, taken=taken, mark=counted
        )
        if not failures:
            desired = desired_resources(spec, versions, assignment, mark)
            previous = previous_resources(old, snapshot.resources, mark) if old else []
            plan = diff(desired, snapshot.resources, mark=mark, previous=previous)
            failures.update((problem.field, problem) for problem in _lock(spec, snapshot, plan))
            forecasts = forecast(plan, versions, assignment, snapshot)
    except InputError as error:
        failures.setdefault(error.field, Problem(error.field, error.reason))
    except ForeignClusterError as error:
        failures.setdefault("", Problem("", str(error)))
    except NotEnoughMachinesError as error:
        warnings.append(str(error))
    return Findings(tuple(failures.values()), tuple(warnings), () if failures else tuple(forecasts))


def _standing(
    spec: ClusterSpec, snapshot: Snapshot, mark: OwnershipMark, old: ClusterSpec | None, adopt: bool
) -> Iterator[Problem]:
    """Whether the cluster of this name is ours to make or change."""
    cluster = snapshot.cluster
    if cluster is None or old is not None or adopt or mark.owns(cluster):
        return
    owner = mark.owner_of(cluster)
    whose = f"belongs to {owner}" if owner else "was not made by Pulumi"
    yield Problem(
        "name",
        f"a cluster {spec.name!r} exists in Omni and {whose}; to take it over, give the resource the option "
        f'import_="{spec.name}"',
    )


def _waiting_for(spec: ClusterSpec, snapshot: Snapshot) -> Iterator[str]:
    if snapshot.cluster is not None and snapshot.cluster.tearing_down:
        yield f"cluster {spec.name} is still being deleted"
    for machine_set in spec.machine_sets:
        for machine in machine_set.machines or ():
            status = snapshot.status_of.get(machine)
            if status is None and snapshot.statuses:
                yield f"machine {machine} has not joined Omni yet: {machine_set.id(spec.name)} waits for it"
            elif status is not None and omni.LABEL_CONNECTED not in status.labels:
                yield f"machine {snapshot.machine_name(machine)} is not connected: the cluster waits for it"
    count = spec.control_plane.wanted or len(spec.control_plane.machines or ())
    if count and count % 2 == 0:
        yield f"{count} control plane machines survive no more failures than {count - 1}: use an odd number"


def _versions(spec: ClusterSpec, snapshot: Snapshot) -> Versions:
    current = versions_of(snapshot.cluster) if snapshot.cluster else None
    return resolve_versions(spec.talos_version, spec.kubernetes_version, snapshot.talos_versions, current=current)


def _server_rules(spec: ClusterSpec, snapshot: Snapshot, versions: Versions) -> Iterator[Problem]:
    yield from _version_paths(versions, snapshot)
    yield from _machines(spec, snapshot, versions)
    yield from _classes(spec, snapshot)


def _version_paths(versions: Versions, snapshot: Snapshot) -> Iterator[Problem]:
    """Omni's rules for changing the versions of a cluster (internal/.../validations/version.go)."""
    if snapshot.cluster is None:
        return
    current = versions_of(snapshot.cluster)
    began = snapshot.config_version.spec.version.removeprefix("v") if snapshot.config_version else ""
    first, talos = number(began), number(versions.talos)
    if versions.talos != current.talos and first and talos and talos.line < first.line:
        yield Problem(
            "talosVersion",
            f'downgrading from version "{began}" to "{versions.talos}" is not supported; '
            f"the cluster began with {began}",
        )
    before, after = number(current.kubernetes), number(versions.kubernetes)
    last = snapshot.kubernetes_upgrade.spec.last_upgrade_version if snapshot.kubernetes_upgrade else ""
    if not before or not after or versions.kubernetes in (current.kubernetes, last):
        return
    if after.major != before.major or not 0 <= after.minor - before.minor <= 1:
        yield Problem(
            "kubernetesVersion",
            f'kubernetes version is not supported for upgrade to "{versions.kubernetes}" from "{current.kubernetes}": '
            "go up one minor version at a time, and never down",
        )


def _machines(spec: ClusterSpec, snapshot: Snapshot, versions: Versions) -> Iterator[Problem]:
    """Whether the machines that are named can join."""
    for index, machine_set in enumerate(spec.machine_sets):
        for position, machine in enumerate(machine_set.machines or ()):
            field = f"{spec.set_field(index)}.machines[{position}]"
            status, node = snapshot.status_of.get(machine), snapshot.node_of.get(machine)
            holder = node.cluster if node else status.cluster if status else ""
            if holder and holder != spec.name:
                yield Problem(field, f"machine {snapshot.machine_name(machine)} is allocated to cluster {holder}")
            elif status is not None and node is None and (conflict := version_conflict(status, versions.talos)):
                yield Problem(field, conflict)


def _classes(spec: ClusterSpec, snapshot: Snapshot) -> Iterator[Problem]:
    classes = {each.id: each for each in snapshot.machine_classes or ()}
    sets = {each.id: each for each in snapshot.resources if each.type.name == omni.MACHINE_SET.name}
    for index, machine_set in enumerate(spec.machine_sets):
        field = f"{spec.set_field(index)}.machineClass"
        if live := sets.get(machine_set.id(spec.name)):
            yield from _switch(spec.set_field(index), machine_set, live, snapshot)
        if machine_set.machine_class is None or snapshot.machine_classes is None:
            continue
        name = machine_set.machine_class.name
        if name not in classes:
            known = f"known are {', '.join(sorted(classes))}" if classes else "there are none"
            yield Problem(f"{field}.name", f'machine class with name "{name}" doesn\'t exist; {known}')
        elif machine_set.machine_class.size == "unlimited" and classes[name].spec.HasField("auto_provision"):
            yield Problem(
                f"{field}.size",
                f'machine class "{name}" is using autoprovision, so unlimited machine set allocation is not supported',
            )


def _switch(field: str, machine_set: MachineSet, live: omni.Resource, snapshot: Snapshot) -> Iterator[Problem]:
    """Omni lets a set change between machines of its own and those of a class only while it is empty."""
    occupied = any(node.labels.get(omni.LABEL_MACHINE_SET) == live.id for node in snapshot.nodes)
    by_class = bool(live.spec.machine_allocation.name)
    if occupied and by_class != (machine_set.machine_class is not None):
        now, then = ("machine class", "manual") if by_class else ("manual", "machine class")
        yield Problem(
            field,
            f"machine set is not empty and is using {now} nodes management, updating to {then} mode is not allowed: "
            "make another set, and remove this one",
        )


def _lock(spec: ClusterSpec, snapshot: Snapshot, plan: Plan) -> Iterator[Problem]:
    """A locked cluster takes no change to itself, its sets or its nodes; patches wait until it is unlocked."""
    cluster = snapshot.cluster
    if cluster is None or omni.ANNOTATION_CLUSTER_LOCKED not in cluster.annotations:
        return
    kinds = (omni.CLUSTER.name, omni.MACHINE_SET.name, omni.MACHINE_SET_NODE.name)
    touched = (*plan.creates, *(update.desired for update in plan.updates), *plan.destroys, *plan.deferred)
    if any(each.type.name in kinds for each in touched):
        reason = f'updating cluster configuration is not allowed: the cluster "{spec.name}" is locked'
        yield Problem("", f"{reason}; unlock it in Omni first")
