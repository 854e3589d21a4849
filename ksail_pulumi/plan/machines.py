"""Which machines a cluster consists of.

A set that asks for a count keeps the machines it has, gives some back or takes free ones. The choice depends on nothing
but the arguments, so a preview can tell what an `up` will do. It also stays the same once other clusters have taken
machines that it leaves, or once some of its own machines have joined: so clusters can be created in any order.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from ksail_pulumi.errors import NotEnoughMachinesError
from ksail_pulumi.model.selectors import Selector, parse_selector
from ksail_pulumi.model.versions import parse_version
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.sharing import share_out
from ksail_pulumi.problems import invalid

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ksail_pulumi.model.parse import ClusterSpec, MachineSet
    from ksail_pulumi.model.versions import Versions
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.ownership import OwnershipMark
    from ksail_pulumi.plan.sharing import Kind
    from ksail_pulumi.problems import FieldPath

NONE_TAKEN: Mapping[str, str] = MappingProxyType({})

_AUTO_INSTALL = (1, 13)  # from here on Talos installs the cluster's version whatever it was booted from


@dataclass(frozen=True)
class Assignment:
    """The machines of every set that is not left to a class, by the set's ID."""

    sets: Mapping[str, tuple[str, ...]]

    @property
    def machines(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(machine for members in self.sets.values() for machine in members)

    def set_of(self, machine: str) -> str | None:
        """The set that a machine is in; None if it is in none of them."""
        return self._set_by_machine.get(machine)

    @cached_property
    def _set_by_machine(self) -> dict[str, str]:
        return {machine: set_id for set_id, members in self.sets.items() for machine in members}


def current_assignment(cluster: str, resources: Sequence[Resource]) -> Assignment:
    """The machines that a cluster's sets have in Omni; those of a class are left out."""
    sets: dict[str, list[str]] = {}
    for node in resources:
        if node.type == omni.MACHINE_SET_NODE and _is_member(node, cluster):
            sets.setdefault(node.labels.get(omni.LABEL_MACHINE_SET, ""), []).append(node.id)
    return Assignment({set_id: tuple(sorted(members)) for set_id, members in sets.items()})


def _is_member(node: Resource, cluster: str) -> bool:
    return node.cluster == cluster and not node.tearing_down and omni.LABEL_MANAGED_NODE not in node.labels


@dataclass(frozen=True)
class _Need:
    """A set with a number of machines, and how many it is short of."""

    machine_set: MachineSet
    set_id: str
    short: int
    selector: Selector


def assign_machines(
    spec: ClusterSpec,
    statuses: Sequence[Resource],
    nodes: Sequence[Resource],
    *,
    versions: Versions,
    taken: Mapping[str, str] = NONE_TAKEN,
    mark: OwnershipMark | None = None,
) -> Assignment:
    """Choose the machines of a cluster.

    Free is a machine by Omni's own rule for its classes: available, ready to use, reporting events, and of a Talos
    version that can join. How free ones are shared out among the sets is in `sharing`. Who has to leave a set that
    shrinks: machines that Omni cannot reach first, then those that came last, locked ones never.

    Args:
        spec: What the user asks for.
        statuses: The `MachineStatuses` of the cluster's machines and of all that are available.
        nodes: The `MachineSetNodes` of the cluster; those of others hold their machines.
        versions: The versions that the cluster gets.
        taken: Machines that are reserved for other clusters in this run, and for whom, in words.
        mark: If given, nodes that somebody else put into a set are neither counted nor removed.

    Raises:
        NotEnoughMachinesError: Fewer machines are free than are needed; says why the others in `statuses` are not.
        InputError: A set can only shrink to its count by giving up a locked machine.
    """
    by_machine = {status.id: status for status in statuses}
    named = {machine for machine_set in spec.machine_sets for machine in machine_set.machines or ()}
    members = _members(spec.name, nodes, named, mark)
    sets: dict[str, tuple[str, ...]] = {}
    needs: list[_Need] = []
    for index, machine_set in enumerate(spec.machine_sets):
        set_id = machine_set.id(spec.name)
        if machine_set.machines is not None:
            sets[set_id] = machine_set.machines
        elif (wanted := machine_set.wanted) is not None:
            kept = _kept(members.get(set_id, []), wanted, by_machine, (*spec.set_path(index), "count"))
            sets[set_id] = kept
            selector = parse_selector(machine_set.selector) if machine_set.selector else Selector(())
            needs.append(_Need(machine_set, set_id, wanted - len(kept), selector))
    if any(need.short for need in needs):
        held = {node.id: node.cluster for node in nodes}
        for set_id, chosen in _choose(needs, statuses, Availability(spec.name, versions, held, taken, named)).items():
            sets[set_id] = (*sets[set_id], *chosen)
    return Assignment(sets)


def _members(
    cluster: str, nodes: Sequence[Resource], named: Collection[str], mark: OwnershipMark | None
) -> dict[str, list[Resource]]:
    """The nodes that count as members of the cluster's sets, by set, oldest first."""
    members: dict[str, list[Resource]] = {}
    for node in nodes:
        if _is_member(node, cluster) and node.id not in named and (mark is None or mark.owns(node)):
            members.setdefault(node.labels.get(omni.LABEL_MACHINE_SET, ""), []).append(node)
    for each in members.values():
        each.sort(key=_age)
    return members


def _age(node: Resource) -> tuple[float, str]:
    return (node.created.timestamp() if node.created else 0.0, node.id)


def _kept(
    members: Sequence[Resource], wanted: int, statuses: Mapping[str, Resource], path: FieldPath
) -> tuple[str, ...]:
    surplus = len(members) - wanted
    if surplus <= 0:
        return tuple(node.id for node in members)
    unlocked = [node for node in members if omni.ANNOTATION_LOCKED not in node.annotations]
    if len(unlocked) < surplus:
        locked = ", ".join(node.id for node in members if omni.ANNOTATION_LOCKED in node.annotations)
        raise invalid(path, f"cannot scale down to {wanted}: unlock machines first (locked: {locked})")
    unlocked.sort(key=_age, reverse=True)
    unlocked.sort(key=lambda node: _reachable(statuses.get(node.id)))
    leaving = {node.id for node in unlocked[:surplus]}
    return tuple(node.id for node in members if node.id not in leaving)


def _reachable(status: Resource | None) -> bool:
    return (
        status is not None and omni.LABEL_CONNECTED in status.labels and omni.LABEL_INVALID_STATE not in status.labels
    )


@dataclass(frozen=True)
class Availability:
    """What decides whether a machine is free for a cluster.

    Attributes:
        cluster: The cluster; `""` for a new one.
        versions: The versions that it gets.
        held: The clusters whose nodes hold machines, by the machine's ID.
        taken: Machines that are reserved for other clusters in this run, and for whom, in words.
        named: Machines that its sets name.
    """

    cluster: str
    versions: Versions
    held: Mapping[str, str]
    taken: Mapping[str, str]
    named: Collection[str]

    def cluster_of(self, status: Resource) -> str:
        """The cluster that has a machine; `""` for none. The status shows it only some time after the node."""
        return self.held.get(status.id) or status.cluster or str(status.spec.cluster)

    def why_not(self, status: Resource) -> str | None:
        """Why a machine cannot be taken, worded to follow a number; None if it can."""
        labels = status.labels
        if status.id in self.taken:
            return f"reserved for {self.taken[status.id]} in this run"
        if status.id in self.named:
            return "named in another set of this cluster"
        if owner := self.cluster_of(status):
            return "already in this cluster" if owner == self.cluster else f"allocated to cluster {owner}"
        if status.tearing_down:
            return "being removed from Omni"
        if omni.LABEL_INVALID_STATE in labels:
            return "in an invalid state"
        if omni.LABEL_CONNECTED not in labels:
            return "not connected"
        if omni.LABEL_NO_MANUAL_ALLOCATION in labels:
            return "reserved by their infrastructure provider"
        for label, reason in (
            (omni.LABEL_AVAILABLE, "not available"),
            (omni.LABEL_READY_TO_USE, "not ready to use"),
            (omni.LABEL_REPORTING_EVENTS, "not reporting events"),
        ):
            if label not in labels:
                return reason
        return _version_phrase(status, self.versions.talos)


def _version_phrase(status: Resource, talos: str) -> str | None:
    conflict = version_conflict(status, talos)
    if conflict is None:
        return None
    if "newer" in conflict:
        return f"running a newer Talos than {talos}"
    return f"booted from media of another Talos than {talos}" if "ISO" in conflict else "without a Talos version"


def version_conflict(status: Resource, talos: str) -> str | None:
    """Why a machine cannot join a cluster of a Talos version, in Omni's words; None if it can.

    The rules are Omni's `client/pkg/omni/resources/omni/version_compat.go`.
    """
    if status.spec.schematic.in_agent_mode:
        return None
    has = parse_version(status.labels.get(omni.LABEL_TALOS_VERSION, "") or status.spec.talos_version)
    gets = parse_version(talos)
    if has is None:
        return "the machine has no Talos version label"
    if gets is None:
        return None
    if has.line > gets.line:
        return (
            "the machine has a newer Talos version installed: downgrade is not allowed. "
            "Upgrade the machine or change the cluster Talos version"
        )
    if omni.LABEL_INSTALLED in status.labels or has.line == gets.line or min(has.line, gets.line) >= _AUTO_INSTALL:
        return None
    return (
        "the machine running from ISO or PXE must have the same major and minor version as the cluster it is going to "
        "be added to. Please use another ISO or change the cluster Talos version"
    )


def _choose(needs: Sequence[_Need], statuses: Sequence[Resource], pool: Availability) -> dict[str, list[str]]:
    excluded: Counter[str] = Counter()
    free: list[Resource] = []
    for status in sorted(statuses, key=lambda each: each.id):
        reason = pool.why_not(status)
        if reason is None:
            free.append(status)
        else:
            excluded[reason] += 1
    kinds = {each.id: _kind(each, needs) for each in free}
    short = [need.short for need in needs]
    chosen = share_out(short, kinds)
    used = sum(map(len, chosen))
    for index, need in enumerate(needs):
        if len(chosen[index]) < need.short:
            others = {machine for members in chosen for machine in members}
            unfit = sum(index not in kind for machine, kind in kinds.items() if machine not in others)
            if unfit:
                excluded[f"not matching the selector {need.machine_set.selector!r} of {need.set_id}"] = unfit
    if used < sum(short):
        raise NotEnoughMachinesError(
            sum(short), used, [f"{count} {reason}" for reason, count in excluded.most_common()]
        )
    return {need.set_id: sorted(members) for need, members in zip(needs, chosen, strict=True)}


def _kind(status: Resource, needs: Sequence[_Need]) -> Kind:
    """The sets that can take a machine, by their place in `needs`."""
    return tuple(index for index, need in enumerate(needs) if need.selector.matches(status.labels))
