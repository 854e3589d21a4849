"""The inverse of `assemble`: what a cluster in Omni looks like as inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ksail_pulumi.model.cluster import ClusterSpec, ControlPlane, Machine, Workers
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.parts.live import Draft, Live, as_found
from ksail_pulumi.plan.parts.table import PARTS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ksail_pulumi.omni.resources import Resource


def observe(resources: Sequence[Resource], *, addons: Collection[str] = ()) -> ClusterSpec:
    """Read a cluster's inputs from its resources, in canonical form.

    Every machine is named, unless Omni chooses the machines of its set. Inputs that Omni does not hold are left out,
    and nothing is validated: the cluster is as it is.

    Args:
        resources: What counts of the cluster, its own resource included.
        addons: IDs of the patches that are read as add-ons. All others are read as patches.

    Raises:
        ValueError: The cluster itself is not among the resources.
    """
    cluster = next((each.id for each in resources if each.type == omni.CLUSTER), None)
    if cluster is None:
        raise ValueError("no cluster among the resources")
    live = Live(cluster, [each for each in resources if _is_users(each)], addons)
    draft = Draft()
    for part in PARTS:
        part.observe(live, draft)
    return _spec(live, draft)


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
