"""The scopes of a cluster: the cluster, each machine set and each machine have patches and extensions of their own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ksail_pulumi.model.patches import CLUSTER_WEIGHT, MACHINE_INFIX, MACHINE_WEIGHT, SET_WEIGHT
from ksail_pulumi.omni import resources as omni

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ksail_pulumi.model.cluster import ClusterSpec, Machine, MachineSet
    from ksail_pulumi.omni.resources import Resource

# From the widest to the narrowest: Omni applies patches in this order, and a later one wins.
_WEIGHTS = {
    omni.LABEL_CLUSTER: CLUSTER_WEIGHT,
    omni.LABEL_MACHINE_SET: SET_WEIGHT,
    omni.LABEL_CLUSTER_MACHINE: MACHINE_WEIGHT,
    omni.LABEL_MACHINE: MACHINE_WEIGHT,
}
_PREFIXES = {omni.LABEL_CLUSTER: "cluster-", omni.LABEL_CLUSTER_MACHINE: "cm-", omni.LABEL_MACHINE: MACHINE_INFIX}
_ID = re.compile(r"[0-9]{3,}-(.+)", re.DOTALL)


class Scope(NamedTuple):
    """What a patch or a list of extensions applies to.

    Attributes:
        label: The label that says which kind of scope it is.
        target: The ID of the machine set or machine; `""` for the cluster. A machine has two scopes: in the cluster
            that it is in, and in any cluster.
    """

    label: str
    target: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """The label that limits a resource of the cluster to this scope."""
        return {self.label: self.target} if self.target else {}

    @property
    def weight(self) -> int:
        """The number that the IDs of its patches start from."""
        return _WEIGHTS[self.label]

    @property
    def breadth(self) -> int:
        """The place in the order of scopes: 0 for the cluster."""
        return list(_WEIGHTS).index(self.label)

    def infix(self, cluster: str = "") -> str:
        """What the ID of a patch has between its number and its name."""
        return f"{_PREFIXES.get(self.label, '')}{self.target or cluster}"


def wider(scope: Scope, set_of: Callable[[str], str | None]) -> list[Scope]:
    """The scopes that include all machines of one: itself, the machine set of a machine, and the cluster.

    Args:
        scope: The scope.
        set_of: Gives the ID of the machine set of a machine, if it is in one.
    """
    machine_set = set_of(scope.target) if scope.label == omni.LABEL_CLUSTER_MACHINE else None
    outer = [Scope(omni.LABEL_MACHINE_SET, machine_set)] if machine_set else []
    return list(dict.fromkeys((scope, *outer, Scope(omni.LABEL_CLUSTER))))


def scopes(spec: ClusterSpec) -> Iterator[tuple[Scope, ClusterSpec | MachineSet | Machine]]:
    """All scopes of a cluster with what the inputs say about each."""
    yield Scope(omni.LABEL_CLUSTER), spec
    for machine_set in spec.machine_sets:
        yield Scope(omni.LABEL_MACHINE_SET, machine_set.id(spec.name)), machine_set
    for machine, described in spec.machines.items():
        yield Scope(omni.LABEL_CLUSTER_MACHINE, machine), described


def scope_of(resource: Resource) -> Scope:
    """What a patch or a list of extensions applies to: a machine before a machine set before the cluster."""
    for label in (omni.LABEL_CLUSTER_MACHINE, omni.LABEL_MACHINE_SET):
        if label in resource.labels:
            return Scope(label, resource.labels[label])
    return Scope(omni.LABEL_CLUSTER)


def unnumbered(resource_id: str) -> str:
    """An ID such as `200-cluster-west-time` without its number; `""` if it has none."""
    match = _ID.fullmatch(resource_id)
    return match[1] if match else ""
