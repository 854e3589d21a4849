"""What a cluster consists of: its machine sets, machines, and patches by scope, as `graph` draws them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ksail_pulumi.lifecycle.status import read_view, state_of
from ksail_pulumi.omni.resources import (
    CONFIG_PATCH,
    LABEL_CLUSTER,
    LABEL_CLUSTER_MACHINE,
    LABEL_MACHINE,
    LABEL_MACHINE_SET,
    LABEL_SYSTEM_PATCH,
)
from ksail_pulumi.pictures.graph import Graph, Group, Machine, Part
from ksail_pulumi.plan.graph import part_name, versions
from ksail_pulumi.plan.scopes import Scope, scope_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ksail_pulumi.lifecycle.status import ClusterState, MemberState, SetState
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.pictures.graph import Tone

Patches = dict[Scope, list[Part]]


def read_graph(client: Client, name: str) -> Graph:
    """What a cluster consists of, in one round trip.

    Raises:
        NotFoundError: The account has no cluster of this name.
        OmniError: Omni did not answer.
    """
    # Only the names of patches are kept.
    queries = ({LABEL_CLUSTER: name}, {LABEL_MACHINE: None})
    calls = [client.state.start_list(CONFIG_PATCH, query, keep=_named) for query in queries]
    state = state_of(read_view(client, name))
    return graph_of(state, [patch for call in calls for patch in call.result()])


def graph_of(state: ClusterState, patches: Iterable[Resource]) -> Graph:
    """The picture of a cluster, from its state and its patches."""
    parts: Patches = defaultdict(list)
    for patch in patches:
        machine = patch.labels.get(LABEL_MACHINE)
        scope = Scope(LABEL_CLUSTER_MACHINE, machine) if machine else scope_of(patch)
        parts[scope].append(Part(part_name(patch)))
    return Graph(
        state["name"],
        _facts(state),
        "good" if state["healthy"] else "busy",
        tuple(parts[Scope(LABEL_CLUSTER)]),
        tuple(map(partial(_group, state, parts), state["sets"])),
    )


def _named(patches: Iterable[Resource]) -> list[Resource]:
    return [replace(each, spec=None) for each in patches if LABEL_SYSTEM_PATCH not in each.labels]


def _facts(state: ClusterState) -> tuple[str, ...]:
    talos = versions("Talos", state["runningTalosVersion"], state["talosVersion"])
    kubernetes = versions("Kubernetes", state["runningKubernetesVersion"], state["kubernetesVersion"])
    return ("healthy" if state["healthy"] else "not healthy", talos, kubernetes)


def _group(state: ClusterState, patches: Mapping[Scope, list[Part]], found: SetState) -> Group:
    count = f"{found['healthyMachines']} of {found['requestedMachines']} machines healthy"
    return Group(
        found["id"].removeprefix(f"{state['name']}-"),
        (found["phase"], count),
        "good" if found["ready"] else "busy",
        parts=tuple(patches.get(Scope(LABEL_MACHINE_SET, found["id"]), ())),
        machines=tuple(_machine(each, patches) for each in found["machines"]),
    )


def _machine(member: MemberState, patches: Mapping[Scope, list[Part]]) -> Machine:
    return Machine.of(
        member["id"],
        member["hostname"],
        facts=tuple(_machine_facts(member)),
        tone=_tone(member),
        parts=tuple(patches.get(Scope(LABEL_CLUSTER_MACHINE, member["id"]), ())),
    )


def _machine_facts(member: MemberState) -> Iterable[str]:
    # Texts of Omni and Talos are left out: they may quote a patch, and pictures are shared.
    yield member["stage"].lower().replace("_", " ") or "has not joined yet"
    if not member["connected"]:
        yield "not connected"
    elif member["stage"] == "RUNNING" and not member["ready"]:
        yield "not ready"
    if member["talosVersion"]:
        yield f"Talos {member['talosVersion']}"


def _tone(member: MemberState) -> Tone:
    if not member["connected"]:
        return "bad"
    return "good" if member["ready"] else "busy"
