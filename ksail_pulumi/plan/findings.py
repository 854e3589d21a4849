"""What a preview says: what Omni would refuse, what would stall, and what will happen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ksail_pulumi.addons.findings import addon_forecast, addon_rules, addon_warnings
from ksail_pulumi.addons.patches import is_addon
from ksail_pulumi.errors import ForeignClusterError, NotEnoughMachinesError
from ksail_pulumi.model.patches import lost_files
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.cut_off import cut_off_machines, cut_off_warnings, departed_machines, refused_departures
from ksail_pulumi.plan.etcd import etcd_steps
from ksail_pulumi.plan.forecast import forecast
from ksail_pulumi.plan.limits import measured, oversized, oversized_together, refused_resources
from ksail_pulumi.plan.locks import lock_forbids
from ksail_pulumi.plan.machine_fields import fields_of, path_in, set_by_configs
from ksail_pulumi.plan.ownership import Creation
from ksail_pulumi.plan.parts.part import Outlook, Situation
from ksail_pulumi.plan.parts.table import PARTS
from ksail_pulumi.plan.planning import NO_TEXTS, cluster_machines, cluster_versions, plan_changes
from ksail_pulumi.plan.repeated import repeated_values
from ksail_pulumi.plan.reservations import NO_RESERVATIONS
from ksail_pulumi.plan.server_age import lacking
from ksail_pulumi.plan.staying import staying
from ksail_pulumi.plan.upgrades import upgrade_forecast, upgrade_problems, upgrade_warnings
from ksail_pulumi.problems import InvalidCluster, Problem, field_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.changes import Plan
    from ksail_pulumi.plan.machine_fields import MachineField
    from ksail_pulumi.plan.machines import Assignment
    from ksail_pulumi.plan.ownership import OwnershipMark
    from ksail_pulumi.plan.reservations import Reservations
    from ksail_pulumi.plan.snapshot import Snapshot
    from ksail_pulumi.problems import FieldPath


@dataclass(frozen=True)
class Findings:
    """What a plan shows before it is carried out.

    Attributes:
        failures: What Omni would refuse, one for a field.
        warnings: What will hold the cluster up unless it changes first, such as too few machines.
        forecasts: What will happen, a line for each thing.
        shortage: Why there are too few machines, even with those that earlier clusters get; `""` if there are enough.
        too_few: Whether a warning counts machines: all of them have to be known then.
        fields: The fields of machines that it sets, each with its path in the inputs.
        labels: The labels of machines that it changes, by the machine's ID; None for one that it removes.
        outlook: What would be carried out; None if Omni would refuse it, or there are too few machines.
    """

    failures: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    forecasts: tuple[str, ...] = ()
    shortage: str = ""
    too_few: bool = False
    fields: Mapping[MachineField, FieldPath] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict, repr=False)
    outlook: Outlook | None = field(default=None, repr=False, compare=False)


def findings(
    spec: ClusterSpec,
    snapshot: Snapshot,
    *,
    mark: OwnershipMark,
    previous: ClusterSpec | None = None,
    reservations: Reservations = NO_RESERVATIONS,
    adopt: bool = False,
    texts: Mapping[str, str] = NO_TEXTS,
) -> Findings:
    """Judge inputs against what Omni has.

    Args:
        spec: What the user asks for.
        snapshot: What was read of Omni.
        mark: Whose the cluster is to be.
        previous: The inputs before; None for a new cluster.
        reservations: What the clusters get that the program declares first.
        adopt: Whether a cluster that exists already is to be taken over.
        texts: The fetched manifests of add-ons, by URL.
    """
    sizes = measured(spec)
    imported = _importable(spec, snapshot, previous, adopt)
    failures = {_key(problem): problem for problem in (*imported, *oversized(sizes))}
    warnings = [
        *_waiting_for(spec, snapshot),
        *_unreadable_files(spec),
        *map(str, reservations.problems(spec, snapshot)),
        *oversized_together(spec, sizes),
        *addon_warnings(spec, bootstrapped=snapshot.bootstrapped),
    ]
    if not snapshot.talos_versions:
        return Findings(tuple(failures.values()), tuple(warnings))
    forecasts: list[str] = []
    shortage, too_few = "", False
    fields: dict[MachineField, FieldPath] = {}
    outlook = None
    try:
        versions = cluster_versions(spec, snapshot)
        situation = Situation(spec, snapshot, versions)
        on_addons = addon_rules(spec, snapshot.resources, bootstrapped=snapshot.bootstrapped)
        for problem in (*_rules(situation), *on_addons):
            failures.setdefault(_key(problem), problem)
        assignment = cluster_machines(spec, snapshot, versions, mark, taken=reservations.machines, adopt=adopt)
        for problem in _assignment_rules(situation, assignment):
            failures.setdefault(_key(problem), problem)
        warnings += _unused(spec, snapshot, assignment)
        if not failures:
            plan = plan_changes(spec, snapshot, versions, assignment, mark, previous=previous, texts=texts)
            written = (*plan.creates, *plan.deferred, *(each.desired for each in plan.updates))
            cut_off = cut_off_machines(plan, assignment, snapshot)
            refused = (
                *refused_resources(written),
                *refused_departures(spec, cut_off, snapshot),
                *upgrade_problems(spec, snapshot, versions),
                *set_by_configs(spec, plan.desired, snapshot),
            )
            for problem in refused:
                failures.setdefault(_key(problem), problem)
            fields = {each: path_in(spec, each) for each in fields_of(plan.desired)}
            if lock_forbids(plan, snapshot.cluster):
                reason = f'updating cluster configuration is not allowed: the cluster "{spec.name}" is locked'
                failures.setdefault(reason, Problem((), f"{reason}; unlock it first, with locked: false"))
            outlook = Outlook(plan, versions, assignment, snapshot)
            forecasts = [] if previous is not None else list(_taken_over(snapshot, mark))
            forecasts += upgrade_forecast(spec, snapshot, versions)
            forecasts += forecast(outlook, mark)
            forecasts += etcd_steps(spec, snapshot, assignment)
            warnings += repeated_values(plan.desired, assignment)
            departed = {*cut_off, *departed_machines(plan, assignment, snapshot, mark)}
            warnings += cut_off_warnings(spec, sorted(departed), snapshot)
            warnings += upgrade_warnings(spec, snapshot, versions, plan)
            forecasts += addon_forecast(
                spec,
                versions,
                actual=_ours(plan, snapshot),
                desired=plan.desired,
                new=snapshot.cluster is None,
            )
            forecasts += staying(plan, snapshot) if adopt and previous is None else ()
    except InvalidCluster as error:
        for problem in error.problems:
            failures.setdefault(_key(problem), problem)
    except ForeignClusterError as error:
        failures.setdefault(str(error), Problem((), str(error)))
    except NotEnoughMachinesError as error:
        warnings.append(str(error))
        too_few = True
        shortage = _shortage(spec, snapshot, mark, adopt=adopt)
    found = Findings(tuple(failures.values()), tuple(warnings), shortage=shortage, too_few=too_few, fields=fields)
    return found if failures else replace(found, forecasts=tuple(forecasts), outlook=outlook)


def _ours(plan: Plan, snapshot: Snapshot) -> list[Resource]:
    """What Omni has of the add-ons that the plan keeps, changes or destroys."""
    keys = {each.key for each in (*filter(is_addon, plan.desired), *plan.destroys)}
    return [each for each in snapshot.resources if each.key in keys]


def _shortage(spec: ClusterSpec, snapshot: Snapshot, mark: OwnershipMark, *, adopt: bool) -> str:
    try:
        cluster_machines(spec, snapshot, cluster_versions(spec, snapshot), mark, adopt=adopt)
    except NotEnoughMachinesError as error:
        return str(error)
    return ""


def _key(problem: Problem) -> FieldPath | str:
    """By what problems are counted: one for each field, and each one that is not about a field."""
    return problem.path or problem.reason


def _rules(situation: Situation) -> Iterator[Problem]:
    """What Omni would refuse, given what it has; needs no machines to be chosen."""
    yield from lacking(situation.spec, situation.snapshot)
    yield from (problem for part in PARTS for problem in part.rules(situation))


def _assignment_rules(situation: Situation, assignment: Assignment) -> Iterator[Problem]:
    return (problem for part in PARTS for problem in part.assignment_rules(situation, assignment))


def _importable(spec: ClusterSpec, snapshot: Snapshot, previous: ClusterSpec | None, adopt: bool) -> Iterator[Problem]:
    """Whether there is a cluster to take over."""
    if adopt and previous is None and snapshot.cluster is None and snapshot.talos_versions:
        reason = f"cannot import cluster {spec.name!r}: it does not exist in this Omni; remove `import_`"
        yield Problem(("name",), reason)


def _taken_over(snapshot: Snapshot, mark: OwnershipMark) -> Iterator[str]:
    """A new resource gets a cluster that is there already."""
    cluster = snapshot.cluster
    owner = mark.owner_of(cluster) if cluster is not None else None
    if cluster is not None and Creation.of(cluster) is not None and mark.names(owner):
        yield f"continues the unfinished creation of cluster {cluster.id}"
    elif cluster is not None and not mark.names(owner):
        yield f"cluster {cluster.id} exists and is taken over" + (f" from {owner}" if owner else "")


def _waiting_for(spec: ClusterSpec, snapshot: Snapshot) -> Iterator[str]:
    if snapshot.cluster is not None and snapshot.cluster.tearing_down:
        yield f"cluster {spec.name} is still being deleted"
    for machine_set in spec.machine_sets:
        for machine in machine_set.machines or ():
            status = snapshot.status_of.get(machine)
            if status is None and snapshot.talos_versions:
                yield f"machine {machine} has not joined Omni yet: {machine_set.id(spec.name)} waits for it"
            elif status is not None and omni.LABEL_CONNECTED not in status.labels:
                yield f"machine {snapshot.machine_name(machine)} is not connected: the cluster waits for it"
    allocated = spec.control_plane.machine_class
    count = spec.control_plane.wanted or (allocated.size if allocated else len(spec.control_plane.machines or ()))
    if isinstance(count, int) and count and count % 2 == 0:
        yield f"{count} control plane machines survive no more failures than {count - 1}: use an odd number"


def _unreadable_files(spec: ClusterSpec) -> Iterator[str]:
    """Files that do not arrive as they are written, because of how Talos writes and reads its configuration."""
    for path, scope in spec.scopes():
        for index, patch in enumerate(scope.patches or ()):
            for place in lost_files(patch.inline):
                yield (
                    f"{field_path((*path, 'patches', index))}: the content of machine.files[{place}] begins with a "
                    "blank or an empty line, and Talos cannot read it back from the machine configuration that it "
                    "writes. Begin it with another character, such as # where that is a comment"
                )


def _unused(spec: ClusterSpec, snapshot: Snapshot, assignment: Assignment) -> Iterator[str]:
    """Machines that are described but in no set; those of a class are Omni's to choose."""
    for machine in spec.machines:
        if assignment.set_of(machine) is None:
            yield f"machine {snapshot.machine_name(machine)} is described but not used in controlplane or workers"
