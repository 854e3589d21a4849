"""The inverse of `assemble`: what a cluster in Omni looks like as inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ksail_pulumi.model.cluster import ClusterSpec, ControlPlane, Machine, Workers
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.ownership import OwnershipMark, of_machine_config
from ksail_pulumi.plan.parts.live import Draft, Live, as_found
from ksail_pulumi.plan.parts.manifests import has_input
from ksail_pulumi.plan.parts.table import PART_OF, PARTS, rank
from ksail_pulumi.plan.scopes import scope_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.snapshot import Snapshot


def observe(resources: Sequence[Resource], *, addons: Collection[str] = (), plain: Collection[str] = ()) -> ClusterSpec:
    """Read a cluster's inputs from its resources, in canonical form.

    Every machine is named, unless Omni chooses the machines of its set. Inputs that Omni does not hold are left out,
    and nothing is validated: the cluster is as it is.

    Args:
        resources: What counts of the cluster, its own resource included.
        addons: IDs of the patches that are read as add-ons. All others are read as patches.
        plain: Names of the groups of manifests that are not read as add-ons.

    Raises:
        ValueError: The cluster itself is not among the resources.
    """
    cluster = next((each.id for each in resources if each.type == omni.CLUSTER), None)
    if cluster is None:
        raise ValueError("no cluster among the resources")
    counted = [each for each in resources if _is_users(each) and not of_machine_config(each)]
    live = Live(cluster, counted, addons, plain)
    draft = Draft()
    for part in PARTS:
        part.observe(live, draft)
    return _spec(live, draft)


def left_out(snapshot: Snapshot) -> Iterator[str]:
    """What of a cluster is in no input that `observe` reads, each a whole sentence."""
    nodes = {each.id: each for each in snapshot.resources if each.type == omni.MACHINE_SET_NODE}
    sets = {each.id for each in snapshot.resources if each.type == omni.MACHINE_SET}
    for each in sorted(filter(_is_users, snapshot.resources), key=lambda each: (rank(each), each.id)):
        part, scope = PART_OF[each.type], scope_of(each)
        what = f"{part.nouns[0]} {each.id}"
        machine = each.id if part.of_machine else scope.target if scope.label == omni.LABEL_CLUSTER_MACHINE else ""
        if of_machine_config(each):
            if machine in nodes:
                owner = OwnershipMark.owner_of(each)
                yield f"{what} is left out: the MachineConfig {owner} sets it"
        elif machine and (machine in nodes or not part.of_machine):
            yield from _of_machine(what, snapshot.machine_name(machine), nodes.get(machine))
        elif scope.label == omni.LABEL_MACHINE_SET and scope.target not in sets:
            yield f"{what} is left out: the cluster has no machine set {scope.target}"
        elif each.type == omni.KUBERNETES_MANIFEST_GROUP and not has_input(each):
            yield f"{what} is left out: no input has this ID"
        if omni.LABEL_DISABLED in each.labels:
            yield f"{what} is disabled in Omni, which no input can express"


def _of_machine(what: str, machine: str, node: Resource | None) -> Iterator[str]:
    if node is None:
        yield f"{what} is left out: machine {machine} is not in the cluster"
    elif omni.LABEL_MANAGED_NODE in node.labels:
        set_id = node.labels.get(omni.LABEL_MACHINE_SET, "")
        yield f"{what} is left out: Omni has chosen machine {machine} for {set_id} by its machine class"


def _is_users(resource: Resource) -> bool:
    return not (resource.owner or resource.tearing_down or omni.LABEL_MANAGED_NODE in resource.labels)


def _spec(live: Live, draft: Draft) -> ClusterSpec:
    sets = {each.id: draft.sets[each.id] for each in live.of(omni.MACHINE_SET)}
    nodes = (each.id for each in live.of(omni.MACHINE_SET_NODE))
    machines = {each: as_found(Machine, **fields) for each in nodes if (fields := draft.machines.get(each))}
    found: dict[str, Any] = {**draft.cluster, "machines": machines} if machines else dict(draft.cluster)
    control_plane = sets.pop(ControlPlane().id(live.cluster), {"machines": ()})
    if workers := tuple(_workers(live.cluster, set_id, fields) for set_id, fields in sets.items()):
        found["workers"] = workers
    return as_found(ClusterSpec, control_plane=as_found(ControlPlane, **control_plane), **found)


def _workers(cluster: str, set_id: str, fields: dict[str, Any]) -> Workers:
    if set_id != Workers().id(cluster):
        fields = {"name": set_id.removeprefix(f"{cluster}-"), **fields}
    return as_found(Workers, **fields)
