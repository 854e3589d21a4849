"""Reads a cluster as inputs and outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ksail_pulumi.lifecycle import facts
from ksail_pulumi.lifecycle.attribution import who_changed
from ksail_pulumi.lifecycle.outputs import inputs_in
from ksail_pulumi.lifecycle.question import Question
from ksail_pulumi.lifecycle.waiting.goal import Goal, goal_of
from ksail_pulumi.lifecycle.waiting.view import ClusterView, start_reading
from ksail_pulumi.model.parse import parse_cluster, to_wire
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_UUID,
)
from ksail_pulumi.plan.drift import drifted
from ksail_pulumi.plan.observe import observe
from ksail_pulumi.plan.ownership import Creation, OwnershipMark
from ksail_pulumi.plan.parts.table import PARTS
from ksail_pulumi.plan.refresh import refreshed_inputs
from ksail_pulumi.problems import InvalidCluster

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ksail_pulumi.lifecycle.identity import Identity
    from ksail_pulumi.lifecycle.outputs import ClusterOutputs
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource, ResourceType


def read(
    name: str,
    client: Client,
    *,
    identity: Identity | None = None,
    old: Mapping[str, Any] | None = None,
    inform: Callable[[str], None] | None = None,
) -> ClusterOutputs | None:
    """Read cluster `name` in two round trips; None if it does not exist or is being torn down.

    Args:
        name: The cluster's name.
        client: The Omni.
        identity: The cluster to read; another one of this name counts as missing. None: any cluster of this name.
        old: The outputs in the state. Inputs that still match the cluster keep the form that the user gave them, so
            only drift is shown.
        inform: Called with one line on who has changed the cluster, if it differs from `old` and that is known.

    Raises:
        LifecycleError: The cluster is missing in an Omni other than the one where it was last seen.
        OmniError: Omni did not answer.
    """
    state = client.state
    cluster_call = state.start_find(CLUSTER, name)
    questions = [Question.about(part, name) for part in PARTS if part.type != CLUSTER]
    parts = [(question, question.send(state)) for question in questions]
    watched = {kind: start_reading(state, kind, name) for kind in Goal(name, "ready").types}

    cluster, uuid = cluster_call.result(), next(iter(watched[CLUSTER_UUID]()), None)
    if identity is not None and not identity.is_in(cluster, uuid, client.endpoint):
        return None
    if cluster is None or cluster.tearing_down:
        return None
    resources = [cluster]
    for question, call in parts:
        resources += question.answer(call)
    view = ClusterView(name)
    for kind, result in watched.items():
        view.put(kind, result())

    inputs = _inputs(cluster, resources, identity, inputs_in(old) if old else None)
    if inform is not None and identity is not None and old is not None:
        changed = _changed(resources, identity.mark, inputs, old)
        present = {(each.type, each.id) for each in resources if not each.tearing_down}
        if line := who_changed(changed, client, present=present, created=cluster.created):
            inform(line)
    creation = Creation.of(cluster)
    outputs = facts.outputs(inputs, view, goal_of(cluster, resources), old)
    return replace(outputs, creation=creation.run if creation else "")


def _changed(
    resources: Sequence[Resource], mark: OwnershipMark, inputs: Mapping[str, Any], old: Mapping[str, Any]
) -> list[tuple[ResourceType, str]]:
    """The resources that make the cluster differ from the state."""
    before = inputs_in(old)
    if all(before.get(key) == inputs.get(key) for key in {**before, **inputs}):
        return []
    try:
        was, now = parse_cluster(before), parse_cluster(inputs)
    except InvalidCluster:
        return []  # others can make a cluster that no inputs describe, such as one without a control plane
    return drifted(was, now, resources, {node["id"]: node["set"] for node in old.get("nodes") or ()}, mark)


def _inputs(
    cluster: Resource, resources: Sequence[Resource], identity: Identity | None, wire: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The inputs that describe the cluster, in the spelling of `wire` if it was asked for in this state."""
    owner = OwnershipMark.owner_of(cluster)
    former = frozenset({identity.mark.owner, *identity.mark.former}) if identity else frozenset()
    mark = OwnershipMark(owner, former) if owner else None
    if wire is None:
        return to_wire(observe([each for each in resources if mark is None or each is cluster or mark.owns(each)]))
    previous = parse_cluster(wire)
    return refreshed_inputs(resources, wire, previous, None if previous.exclusive else mark)
