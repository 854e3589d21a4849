"""Which machines the clusters that a program declares before this one get, in the same run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ksail_pulumi.errors import NotEnoughMachinesError
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.plan.planning import cluster_machines
from ksail_pulumi.plan.versions import resolve_versions, versions_of
from ksail_pulumi.problems import InvalidCluster, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.model.versions import Versions
    from ksail_pulumi.plan.snapshot import Snapshot

_ANY_OF_OURS = OwnershipMark("")


@dataclass(frozen=True)
class Earlier:
    """A cluster that the program declares before this one.

    Attributes:
        spec: What decides its machines.
        adopt: Whether it is taken over.
        replaced: The cluster that a replacement of the resource deletes first; `""` for none.
    """

    spec: ClusterSpec
    adopt: bool = False
    replaced: str = ""


@dataclass(frozen=True)
class Reservations:
    """What earlier clusters get.

    Attributes:
        machines: Their machines, those included that they have, and for whom each is, in words.
    """

    machines: Mapping[str, str] = field(default_factory=dict)

    def problems(self, spec: ClusterSpec, snapshot: Snapshot) -> Iterator[Problem]:
        """Machines that a cluster names and an earlier one gets."""
        for index, machine_set in enumerate(spec.machine_sets):
            for position, machine in enumerate(machine_set.machines or ()):
                if machine in self.machines and machine not in snapshot.node_of:
                    reason = (
                        f"machine {snapshot.machine_name(machine)} is reserved for {self.machines[machine]} in this "
                        "run: name other machines, or declare this cluster before that one"
                    )
                    yield Problem((*spec.set_path(index), "machines", position), reason)


NO_RESERVATIONS = Reservations()


@dataclass(frozen=True)
class _Reserved:
    """What clusters get of the machines that were read."""

    read: tuple[object, ...] = ()
    earlier: Sequence[Earlier] = ()
    machines: Mapping[str, str] = field(default_factory=dict)

    def begins(self, read: tuple[object, ...], earlier: Sequence[Earlier]) -> bool:
        """Whether other clusters get their machines after these, of the same ones."""
        return self.read == read and list(self.earlier) == list(earlier[: len(self.earlier)])


class Reserving:
    """Chooses the machines of earlier clusters, one cluster after the other. Can be used from several threads.

    It keeps the latest choice: each cluster of a program comes with all before it, and a choice for all of them anew
    would take the square of their number.
    """

    def __init__(self) -> None:
        self._latest = _Reserved()

    def reserve(self, earlier: Sequence[Earlier], snapshot: Snapshot) -> Reservations:
        """What earlier clusters get.

        A cluster without enough machines reserves none, and neither does one without a possible version: its own check
        reports that.
        """
        read = (snapshot.statuses, snapshot.nodes, snapshot.clusters, snapshot.talos_versions)
        known = self._latest
        if not known.begins(read, earlier):
            known = _Reserved()
        machines = dict(known.machines)
        for each in earlier[len(known.earlier) :]:
            machines |= dict.fromkeys(_machines(each, snapshot, machines), f"cluster {each.spec.name}")
        self._latest = _Reserved(read, list(earlier), machines)
        return Reservations(machines)


def _machines(earlier: Earlier, snapshot: Snapshot, taken: Mapping[str, str]) -> Sequence[str]:
    pool = snapshot.without([earlier.replaced] if earlier.replaced else ())
    try:
        versions = _versions(earlier, snapshot)
        assignment = cluster_machines(earlier.spec, pool, versions, _ANY_OF_OURS, taken=taken, adopt=earlier.adopt)
    except (InvalidCluster, NotEnoughMachinesError):
        return ()
    return assignment.machines


def _versions(earlier: Earlier, snapshot: Snapshot) -> Versions:
    """The versions of an earlier cluster, of which only that of Talos matters."""
    name = earlier.replaced or earlier.spec.name
    found = next((cluster for cluster in snapshot.clusters if cluster.id == name), None)
    current = versions_of(found) if found is not None else None
    talos = earlier.spec.talos_version
    stays = current is not None and talos in (None, current.talos)
    return resolve_versions(talos, None, snapshot.talos_versions, current=current if stays else None)
