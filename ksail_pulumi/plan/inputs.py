"""The inverse of `desired_resources`: what a cluster in Omni looks like as inputs.

A refresh shows drift by it, so it must not show what is none: where Omni agrees with the inputs in the state, their
spelling stays, and so does the absence of a field. What somebody else added to the cluster is not an input.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.plan.desired import ANNOTATION_OWNER, CLUSTER_WEIGHT, MACHINE_WEIGHT, SET_WEIGHT, patch_id
from ksail_pulumi.spec.cluster import compact, to_wire
from ksail_pulumi.spec.patches import inline_of, patch_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.desired import OwnershipMark
    from ksail_pulumi.spec.cluster import ClusterSpec, MachineSet, Patch

Wire = dict[str, Any]


def inputs_of(
    resources: Sequence[Resource], *, mark: OwnershipMark | None = None, previous: ClusterSpec | None = None
) -> Wire:
    """Read a cluster's inputs back from its resources.

    Args:
        resources: What Omni has of the cluster, its own resource included.
        mark: If given, only what carries it is read; otherwise everything that a user made.
        previous: The inputs in the state. Sets that they give a count have one here too; without them all machines
            are named.

    Raises:
        ValueError: The cluster itself is not among the resources.
    """
    cluster = next((each for each in resources if each.type.name == omni.CLUSTER.name), None)
    if cluster is None:
        raise ValueError("no cluster among the resources")
    return _Reader(cluster, _Live.of(resources, mark), previous).read()


@dataclass
class _Live:
    """The resources of a cluster, sorted by what they are for."""

    sets: dict[str, Resource] = field(default_factory=dict)
    nodes: dict[str, list[Resource]] = field(default_factory=dict)  # by set
    patches: dict[tuple[str, str], dict[str, Resource]] = field(default_factory=dict)  # by scope, then ID

    @classmethod
    def of(cls, resources: Iterable[Resource], mark: OwnershipMark | None) -> _Live:
        live = cls()
        for each in resources:
            managed = omni.LABEL_MANAGED_NODE in each.labels
            if each.owner or each.tearing_down or managed or (mark is not None and not mark.owns(each)):
                continue
            if each.type.name == omni.MACHINE_SET.name:
                live.sets[each.id] = each
            elif each.type.name == omni.MACHINE_SET_NODE.name:
                live.nodes.setdefault(each.labels.get(omni.LABEL_MACHINE_SET, ""), []).append(each)
            elif each.type.name == omni.CONFIG_PATCH.name and omni.LABEL_SYSTEM_PATCH not in each.labels:
                live.patches.setdefault(_scope(each), {})[each.id] = each
        return live


def _scope(resource: Resource) -> tuple[str, str]:
    for label in (omni.LABEL_CLUSTER_MACHINE, omni.LABEL_MACHINE_SET):
        if label in resource.labels:
            return label, resource.labels[label]
    return omni.LABEL_CLUSTER, ""


@dataclass(frozen=True)
class _Reader:
    cluster: Resource
    live: _Live
    previous: ClusterSpec | None

    def read(self) -> Wire:
        previous, spec = self.previous, self.cluster.spec
        wire: Wire = to_wire(previous) if previous else {"name": self.cluster.id}
        for name, value, was in (
            ("kubernetesVersion", spec.kubernetes_version, previous and previous.kubernetes_version),
            ("talosVersion", spec.talos_version, previous and previous.talos_version),
        ):
            if previous is None or was is not None:
                wire[name] = value
        _metadata(wire, self.cluster, known=previous is not None)
        self._patches(wire, previous.patches if previous else None, omni.LABEL_CLUSTER, "", "cluster-")
        self._machine_sets(wire)
        self._machines(wire)
        return compact(wire)

    def _machine_sets(self, wire: Wire) -> None:
        known = {each.id(self.cluster.id): each for each in self.previous.machine_sets} if self.previous else {}
        workers = wire.get("workers", [])
        if isinstance(workers, int):
            workers = [{"count": workers}] if workers else []
        spelled = [wire.get("controlPlane", {}), *workers]
        read = []
        for (set_id, machine_set), old in zip(known.items(), spelled, strict=True) if known else ():
            if set_id in self.live.sets:
                read.append((set_id, self._machine_set(set_id, machine_set, old)))
        read += [
            (set_id, self._machine_set(set_id, None, {})) for set_id in sorted(self.live.sets) if set_id not in known
        ]
        control_plane_id = f"{self.cluster.id}-control-planes"
        control_plane = next((each for set_id, each in read if set_id == control_plane_id), None)
        if control_plane is not None and (control_plane or "controlPlane" in wire):
            wire["controlPlane"] = control_plane
        elif control_plane is None and known:
            wire["controlPlane"] = {**spelled[0], "count": 0}  # somebody removed it: bring it back, or be told why not
        rest = [each for set_id, each in read if set_id != control_plane_id]
        if rest or "workers" in wire:
            wire["workers"] = rest

    def _machine_set(self, set_id: str, known: MachineSet | None, old: Wire) -> Wire:
        live = self.live.sets[set_id]
        wire = dict(old)
        if known is None and omni.LABEL_CONTROL_PLANE not in live.labels and set_id != f"{self.cluster.id}-workers":
            wire["name"] = set_id.removeprefix(f"{self.cluster.id}-")
        self._members(wire, set_id, known)
        _metadata(wire, live, known=known is not None)
        self._patches(wire, known.patches if known else None, omni.LABEL_MACHINE_SET, set_id, "")
        return wire

    def _members(self, wire: Wire, set_id: str, known: MachineSet | None) -> None:
        """How the set comes by its machines, and how many or which they are."""
        allocation = self.live.sets[set_id].spec.machine_allocation
        nodes = [node.id for node in self.live.nodes.get(set_id, [])]
        if allocation.name:
            unlimited = allocation.allocation_type == specs_pb2.MachineSetSpec.MachineAllocation.Unlimited
            size = "unlimited" if unlimited else allocation.machine_count
            _replace_members(wire, "machineClass", {"name": allocation.name, "size": size})
        elif known is not None and known.wanted is not None:
            if len(nodes) != known.wanted:
                wire["count"] = len(nodes)
        elif known is None or set(known.machines or ()) != set(nodes) or known.machines is None:
            order = known.machines or () if known else ()
            kept = [machine for machine in order if machine in nodes]
            _replace_members(wire, "machines", kept + sorted(set(nodes) - set(kept)))

    def _machines(self, wire: Wire) -> None:
        known = self.previous.machines if self.previous else {}
        machines: Wire = dict(wire.get("machines", {}))
        for node in (node for nodes in self.live.nodes.values() for node in nodes):
            machine = known.get(node.id)
            each = dict(machines.get(node.id, {}))
            if machine is not None or self.previous is None:
                _metadata(each, node, known=machine is not None)
            old = machine.patches if machine else None
            self._patches(each, old, omni.LABEL_CLUSTER_MACHINE, node.id, "cm-")
            if each or machine is not None:
                machines[node.id] = each
        if machines or "machines" in wire:
            wire["machines"] = machines

    def _patches(self, wire: Wire, known: Sequence[Patch] | None, label: str, target: str, prefix: str) -> None:
        live = dict(self.live.patches.get((label, target), {}))
        scope = prefix + (target or self.cluster.id)
        weight = {omni.LABEL_CLUSTER: CLUSTER_WEIGHT, omni.LABEL_MACHINE_SET: SET_WEIGHT}.get(label, MACHINE_WEIGHT)
        read = []
        for index, (patch, old) in enumerate(zip(known or (), wire.get("patches", ()), strict=True)):
            current = live.pop(patch_id(patch, index, weight, scope), None)
            if current is not None:
                read.append(_known_patch(patch, old, current))
        for resource_id in sorted(live):
            read.append(_new_patch(live[resource_id], f"{weight + len(read):03d}-{scope}-"))
        if read or "patches" in wire:
            wire["patches"] = read


def _replace_members(wire: Wire, name: str, value: Any) -> None:
    if wire.get(name) != value:
        for each in ("count", "machines", "machineClass", "selector"):
            wire.pop(each, None)
        wire[name] = value


def _known_patch(patch: Patch, old: Wire, current: Resource) -> Wire:
    wire = dict(old)
    if current.spec.data != patch_text(patch.inline):
        wire["inline"] = current.spec.data if isinstance(patch.inline, str) else inline_of(current.spec.data)
    if patch.description is not None:
        wire["description"] = current.annotations.get(omni.ANNOTATION_DESCRIPTION, "")
    _metadata(wire, current, known=True)
    return wire


def _new_patch(current: Resource, prefix: str) -> Wire:
    name = current.annotations.get(omni.ANNOTATION_NAME, "")
    wire: Wire = {"name": name} if name and name != current.id else {}
    if current.id != prefix + name or not name:
        wire["idOverride"] = current.id
    wire["inline"] = inline_of(current.spec.data)
    if description := current.annotations.get(omni.ANNOTATION_DESCRIPTION):
        wire["description"] = description
    _metadata(wire, current, known=False)
    return wire


def _metadata(wire: Wire, current: Resource, *, known: bool) -> None:
    """Read labels and annotations; of a resource whose inputs are known only those that stand in them."""
    for name, entries in (("labels", current.labels), ("annotations", current.annotations)):
        if name in wire:
            wire[name] = {key: entries[key] for key in wire[name] if key in entries}
        elif not known and (own := _own(entries)):
            wire[name] = own


def _own(entries: Mapping[str, str]) -> dict[str, str]:
    """What a user may have written: neither Omni's own entries nor ours."""
    ours = (ANNOTATION_OWNER, omni.ANNOTATION_NAME, omni.ANNOTATION_DESCRIPTION)
    return {key: value for key, value in sorted(entries.items()) if not key.startswith(omni.PREFIX) and key not in ours}
