"""Reading a cluster back, as inputs and as outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ksail_pulumi.lifecycle import facts
from ksail_pulumi.lifecycle.outputs import inputs_in
from ksail_pulumi.lifecycle.snapshot import OF_MACHINES, PARTS, collect
from ksail_pulumi.lifecycle.waiting.goal import Goal, goal_of
from ksail_pulumi.lifecycle.waiting.view import BY_ID, ClusterView
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_UUID,
    LABEL_CLUSTER,
    MACHINE_SET_NODE,
)
from ksail_pulumi.plan.inputs import inputs_of
from ksail_pulumi.plan.ownership import Creation, OwnershipMark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.lifecycle.identity import Identity
    from ksail_pulumi.lifecycle.outputs import ClusterOutputs
    from ksail_pulumi.omni.client import Client


def read(
    name: str, client: Client, *, identity: Identity | None = None, old: Mapping[str, Any] | None = None
) -> ClusterOutputs | None:
    """Read cluster `name` in two round trips; None if it does not exist or is being torn down.

    Args:
        name: The cluster's name.
        client: Which Omni.
        identity: Which cluster of this name; another one counts as none. None: whichever it is.
        old: The outputs on the wire that the state holds. Where the cluster agrees with their inputs, these keep the
            form that the user gave them, so that only drift shows; their credentials are kept while they serve.

    Raises:
        LifecycleError: The cluster is missing in another Omni than it was last seen in.
        OmniError: Omni did not answer.
    """
    state = client.state
    label = {LABEL_CLUSTER: name}
    watched = Goal(name, "ready").types
    cluster_call = state.start_find(CLUSTER, name)
    parts = {part: state.start_list(part, label) for part in (*PARTS, MACHINE_SET_NODE)}
    parts |= {part: state.start_list(part) for part in OF_MACHINES}
    single = {kind: state.start_find(kind, name) for kind in watched if kind in BY_ID}
    several = {kind: state.start_list(kind, label) for kind in watched if kind not in BY_ID}

    cluster, uuid = cluster_call.result(), single[CLUSTER_UUID].result()
    if identity is not None and not identity.is_in(cluster, uuid, client.endpoint):
        return None
    if cluster is None or cluster.tearing_down:
        return None
    resources = [cluster]
    for part, call in parts.items():
        resources += collect(part, call)
    view = ClusterView(name)
    for kind, find in single.items():
        found = find.result()
        view.put(kind, [] if found is None else [found])
    for kind, listing in several.items():
        view.put(kind, listing.result())

    owner = OwnershipMark.owner_of(cluster)
    previous = parse_cluster(inputs_in(old)) if old else None
    exclusive = previous is not None and previous.exclusive
    former = frozenset({identity.mark.owner, *identity.mark.former}) if identity else frozenset()
    mark = OwnershipMark(owner, former) if owner and not exclusive else None
    inputs = inputs_of(resources, mark=mark, previous=previous)
    creation = Creation.of(cluster)
    outputs = facts.outputs(inputs, view, goal_of(cluster, resources), client, old)
    return replace(outputs, creation=creation.run if creation else "")
