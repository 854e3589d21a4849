"""A plan as data for a picture: what it adds, changes and removes, and what stays."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.pictures.graph import Graph, Group, Machine, Part
from ksail_pulumi.plan.parts.table import PART_OF
from ksail_pulumi.plan.scopes import Scope, scope_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.pictures.graph import Mark
    from ksail_pulumi.plan.parts.part import Outlook

Marked = tuple["Resource", "Mark"]
Parts = dict[Scope, list[Part]]


def planned_graph(cluster: str, action: str, outlook: Outlook) -> Graph:
    """The picture of a plan.

    Args:
        cluster: The cluster's name.
        action: What the plan is about, in words.
        outlook: The plan.
    """
    marked = list(_marked(outlook))
    parts = _parts(marked)
    nodes: dict[str, list[Marked]] = defaultdict(list)
    for resource, mark in marked:
        if resource.type == omni.MACHINE_SET_NODE:
            nodes[resource.labels.get(omni.LABEL_MACHINE_SET, "")].append((resource, mark))
    return Graph(
        cluster,
        (action, *_versions(outlook)),
        parts=tuple(parts[Scope(omni.LABEL_CLUSTER)]),
        groups=tuple(
            _group(cluster, each, mark, [_machine(node, its, outlook, parts) for node, its in nodes[each.id]], parts)
            for each, mark in marked
            if each.type == omni.MACHINE_SET
        ),
        planned=True,
    )


def part_name(part: Resource) -> str:
    """What people call a patch or another part: the name in its annotation, or its ID."""
    return part.annotations.get(omni.ANNOTATION_NAME) or part.id


def versions(what: str, running: str, target: str) -> str:
    """A version, and the one before it where that is another one."""
    return f"{what} {target}" if running in ("", target) else f"{what} {running} → {target}"


def _marked(outlook: Outlook) -> Iterator[Marked]:
    """Everything of the cluster, in Omni's order, with what the plan does to it."""
    plan = outlook.plan
    old = {each.old.key for each in plan.renumbered}
    created = {each.key for each in (*plan.creates, *plan.deferred)}
    changed = {desired.key for _, desired in plan.changed} | {each.new.key for each in plan.renumbered}
    for each in plan.desired:
        yield each, "changed" if each.key in changed else "added" if each.key in created else ""
    kept = {each.key for each in (*plan.desired, *plan.destroys)}
    gone = {each.id for each in plan.destroys if each.type == omni.MACHINE_SET}
    for each in outlook.snapshot.resources:
        if each.key not in kept:
            # Omni removes the nodes of a set with it.
            leaves = each.type == omni.MACHINE_SET_NODE and each.labels.get(omni.LABEL_MACHINE_SET) in gone
            yield each, "removed" if leaves else ""
    yield from ((each, "removed") for each in plan.destroys if each.key not in old)


def _parts(marked: Sequence[Marked]) -> Parts:
    """What configures the cluster and its machines: all patches, and of other kinds what changes."""
    found: Parts = defaultdict(list)
    for resource, mark in marked:
        kind = PART_OF.get(resource.type)
        if kind is None or resource.type in (omni.CLUSTER, omni.MACHINE_SET, omni.MACHINE_SET_NODE):
            continue
        scope = Scope(omni.LABEL_CLUSTER_MACHINE, resource.id) if kind.of_machine else scope_of(resource)
        if resource.type == omni.CONFIG_PATCH:
            if mark or omni.LABEL_SYSTEM_PATCH not in resource.labels:
                found[scope].append(Part(part_name(resource), mark))
        elif mark:
            name = resource.annotations.get(omni.ANNOTATION_NAME)
            found[scope].append(Part(f"{kind.nouns[0]} {name}" if name else kind.nouns[0], mark))
    return found


def _versions(outlook: Outlook) -> Iterator[str]:
    cluster = outlook.snapshot.cluster
    talos = cluster.spec.talos_version if cluster is not None else ""
    kubernetes = cluster.spec.kubernetes_version if cluster is not None else ""
    yield versions("Talos", talos, outlook.versions.talos.removeprefix("v"))
    yield versions("Kubernetes", kubernetes, outlook.versions.kubernetes.removeprefix("v"))


def _group(
    cluster: str, machine_set: Resource, mark: Mark, machines: Sequence[Machine], parts: Mapping[Scope, list[Part]]
) -> Group:
    return Group(
        machine_set.id.removeprefix(f"{cluster}-"),
        tuple(_size(machine_set, machines)),
        mark=mark,
        parts=tuple(parts.get(Scope(omni.LABEL_MACHINE_SET, machine_set.id), ())),
        machines=tuple(machines),
    )


def _size(machine_set: Resource, machines: Sequence[Machine]) -> Iterator[str]:
    if machine_set.spec.HasField("machine_allocation"):
        allocation = machine_set.spec.machine_allocation
        count = str(allocation.machine_count) if allocation.machine_count else "all"
        yield f"{count} of machine class {allocation.name}"
    else:
        members = sum(machine.mark != "removed" for machine in machines)
        yield f"{members} {'machine' if members == 1 else 'machines'}"


def _machine(node: Resource, mark: Mark, outlook: Outlook, parts: Mapping[Scope, list[Part]]) -> Machine:
    status = outlook.snapshot.status_of.get(node.id)
    hostname = status.spec.network.hostname if status is not None else ""
    its = tuple(parts.get(Scope(omni.LABEL_CLUSTER_MACHINE, node.id), ())) if mark != "removed" else ()
    return Machine.of(node.id, hostname, mark=mark, parts=its)
