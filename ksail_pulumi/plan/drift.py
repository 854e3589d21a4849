"""Which resources make a refresh show other inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.assemble import baseline_resources
from ksail_pulumi.plan.numbering import given_ids, settle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.omni.resources import Resource, ResourceType
    from ksail_pulumi.plan.ownership import OwnershipMark


def drifted(
    before: ClusterSpec,
    after: ClusterSpec,
    actual: Sequence[Resource],
    nodes: Mapping[str, str],
    mark: OwnershipMark,
) -> list[tuple[ResourceType, str]]:
    """The types and IDs of the resources that are gone, new, or have another spec. Labels and locks do not count.

    Args:
        before: The inputs in the state.
        after: The inputs that the cluster stands for now.
        actual: What Omni has of the cluster.
        nodes: The machine set of each machine that the cluster had when the state was written.
        mark: Whose the cluster is.
    """
    was, now = _by_key(before, actual, mark), _by_key(after, actual, mark)
    changed = [now.get(key) or was[key] for key in was.keys() | now.keys() if _differs(was.get(key), now.get(key))]
    found = {(each.type, each.id) for each in changed}
    # Both have the versions and the machines that the cluster has now.
    if (before.talos_version, before.kubernetes_version) != (after.talos_version, after.kubernetes_version):
        found |= {(each.type, each.id) for each in actual if each.type == omni.CLUSTER}
    found |= {(omni.MACHINE_SET_NODE, machine) for machine in _moved(before, after, actual, nodes)}
    return sorted(found, key=lambda each: (each[0].name, each[1]))


def _by_key(spec: ClusterSpec, actual: Sequence[Resource], mark: OwnershipMark) -> dict[tuple[str, str], Resource]:
    """What inputs make of the cluster, under the IDs that it has in Omni."""
    asked = baseline_resources(spec, spec, actual, mark)
    return {each.key: each for each in settle(asked, actual, mark=mark, given=given_ids(spec)).resources}


def _differs(was: Resource | None, now: Resource | None) -> bool:
    return was is None or now is None or was.spec != now.spec


def _moved(before: ClusterSpec, after: ClusterSpec, actual: Sequence[Resource], nodes: Mapping[str, str]) -> set[str]:
    """The machines that joined or left the machine sets that have other machines than asked for."""
    was, now = (
        {each.id(spec.name): (each.wanted, each.machines) for each in spec.machine_sets} for spec in (before, after)
    )
    sets = {set_id for set_id in was.keys() | now.keys() if was.get(set_id) != now.get(set_id)}
    then = {machine for machine, set_id in nodes.items() if set_id in sets}
    members = (each for each in actual if each.type == omni.MACHINE_SET_NODE and not each.tearing_down)
    there = {each.id for each in members if each.labels.get(omni.LABEL_MACHINE_SET) in sets}
    return there ^ then if then else set()  # a state from before the machines joined knows nothing of them
