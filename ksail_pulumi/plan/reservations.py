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


def reserve(earlier: Sequence[Earlier], snapshot: Snapshot) -> Reservations:
    """Choose the machines of earlier clusters, one cluster after the other.

    A cluster without enough machines reserves none, and neither does one without a possible version: its own check
    reports that.
    """
    machines: dict[str, str] = {}
    for each in earlier:
        pool = snapshot.without([each.replaced] if each.replaced else ())
        try:
            assignment = cluster_machines(
                each.spec, pool, _versions(each, snapshot), _ANY_OF_OURS, taken=machines, adopt=each.adopt
            )
        except (InvalidCluster, NotEnoughMachinesError):
            continue
        machines |= dict.fromkeys(assignment.machines, f"cluster {each.spec.name}")
    return Reservations(machines)


def _versions(earlier: Earlier, snapshot: Snapshot) -> Versions:
    """The versions of an earlier cluster, of which only that of Talos matters."""
    name = earlier.replaced or earlier.spec.name
    found = next((cluster for cluster in snapshot.clusters if cluster.id == name), None)
    current = versions_of(found) if found is not None else None
    talos = earlier.spec.talos_version
    stays = current is not None and talos in (None, current.talos)
    return resolve_versions(talos, None, snapshot.talos_versions, current=current if stays else None)
