"""The inverse of `desired_resources`: what a cluster in Omni looks like as inputs.

A refresh shows drift by it, so it must not show what is none: where Omni agrees with the inputs in the state, their
spelling stays, and so does the absence of a field. What somebody else added to the cluster is not an input.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ksail_pulumi.addons.patches import read_components
from ksail_pulumi.model.cluster import Features, Machine
from ksail_pulumi.model.parse import compact, to_wire
from ksail_pulumi.model.patches import CLUSTER_WEIGHT, MACHINE_WEIGHT, SET_WEIGHT, patch_id
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.plan import reading
from ksail_pulumi.plan.desired import INSTALL_DISK
from ksail_pulumi.plan.numbering import ids_in_use, scope_of, twins

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from ksail_pulumi.model.cluster import ClusterSpec, HealthCheck, MachineSet, Manifest, Patch
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.numbering import Scope
    from ksail_pulumi.plan.ownership import OwnershipMark
    from ksail_pulumi.plan.reading import Wire

_WEIGHTS = {
    omni.LABEL_CLUSTER: CLUSTER_WEIGHT,
    omni.LABEL_MACHINE_SET: SET_WEIGHT,
    omni.LABEL_CLUSTER_MACHINE: MACHINE_WEIGHT,
}


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
    cluster = next((each for each in resources if each.type == omni.CLUSTER), None)
    if cluster is None:
        raise ValueError("no cluster among the resources")
    own = [each for each in resources if mark is None or mark.owns(each)]
    others = [each for each in resources if mark is not None and not mark.owns(each)]
    return _Reader(cluster, _Live.of(own), _Live.of(others), previous).read()


@dataclass
class _Live:
    """The resources of a cluster, sorted by what they are for."""

    sets: dict[str, Resource] = field(default_factory=dict)
    nodes: dict[str, list[Resource]] = field(default_factory=dict)  # by set
    patches: dict[Scope, dict[str, Resource]] = field(default_factory=dict)
    extensions: dict[Scope, Resource] = field(default_factory=dict)
    manifests: dict[str, Resource] = field(default_factory=dict)
    checks: dict[str, Resource] = field(default_factory=dict)
    kernel_args: dict[str, Resource] = field(default_factory=dict)  # by machine
    installs: dict[str, Resource] = field(default_factory=dict)  # by machine

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> _Live:
        live = cls()
        for each in resources:
            managed = omni.LABEL_MANAGED_NODE in each.labels
            if not (each.owner or each.tearing_down or managed):
                live._add(each)
        return live

    def _add(self, each: Resource) -> None:
        match each.type.name:
            case omni.MACHINE_SET.name:
                self.sets[each.id] = each
            case omni.MACHINE_SET_NODE.name:
                self.nodes.setdefault(each.labels.get(omni.LABEL_MACHINE_SET, ""), []).append(each)
            case omni.CONFIG_PATCH.name if omni.LABEL_SYSTEM_PATCH not in each.labels:
                self.patches.setdefault(scope_of(each), {})[each.id] = each
            case omni.CONFIG_PATCH.name if each.annotations.get(omni.ANNOTATION_NAME) == INSTALL_DISK:
                self.installs[each.labels.get(omni.LABEL_CLUSTER_MACHINE, "")] = each
            case omni.EXTENSIONS_CONFIGURATION.name:
                self.extensions[scope_of(each)] = each
            case omni.KUBERNETES_MANIFEST_GROUP.name:
                self.manifests[each.id] = each
            case omni.KUBERNETES_HEALTH_CHECK.name:
                self.checks[each.id] = each
            case omni.KERNEL_ARGS.name:
                self.kernel_args[each.id] = each
            case omni.MACHINE_INSTALL_DISK_CONFIG.name:
                self.installs[each.id] = each


@dataclass(frozen=True)
class _Reader:
    """Reads the parts of a cluster one by one.

    Attributes:
        cluster: Its own resource.
        live: What counts of it.
        others: What somebody else made.
        previous: The inputs before.
    """

    cluster: Resource
    live: _Live
    others: _Live
    previous: ClusterSpec | None

    def read(self) -> Wire:
        previous, cluster = self.previous, self.cluster
        wire: Wire = to_wire(previous) if previous else {"name": cluster.id}
        for name, value, was in (
            ("kubernetesVersion", cluster.spec.kubernetes_version, previous and previous.kubernetes_version),
            ("talosVersion", cluster.spec.talos_version, previous and previous.talos_version),
        ):
            if previous is None or was is not None:
                wire[name] = value
        reading.read_metadata(wire, cluster, known=previous is not None)
        reading.read_features(wire, previous.features if previous else Features(), cluster)
        reading.read_backup(wire, previous.backup if previous else None, cluster)
        lock = omni.ANNOTATION_CLUSTER_LOCKED
        reading.read_lock(wire, lock, cluster, previous.locked if previous else None, known=previous is not None)
        if previous is not None:  # otherwise their patches are patches like others
            read_components(wire, previous, self.live.patches.values())
        self._patches(wire, previous.patches if previous else None, omni.LABEL_CLUSTER, "", "cluster-")
        everywhere = self.live.extensions.get((omni.LABEL_CLUSTER, ""))
        reading.read_extensions(wire, previous.system_extensions if previous else None, everywhere)
        self._manifests(wire, previous.manifests if previous else None)
        self._health_checks(wire, previous.health_checks if previous else None)
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
        reading.read_metadata(wire, live, known=known is not None)
        reading.read_strategies(wire, known, live)
        if known is None and live.spec.HasField("bootstrap_spec"):
            bootstrap = live.spec.bootstrap_spec
            wire["bootstrapSpec"] = {"clusterUUID": bootstrap.cluster_uuid, "snapshot": bootstrap.snapshot}
        self._patches(wire, known.patches if known else None, omni.LABEL_MACHINE_SET, set_id, "")
        extensions = self.live.extensions.get((omni.LABEL_MACHINE_SET, set_id))
        reading.read_extensions(wire, known.system_extensions if known else None, extensions)
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
        sets = {each.id(self.cluster.id): each for each in self.previous.machine_sets} if self.previous else {}
        machines: Wire = dict(wire.get("machines", {}))
        for set_id, nodes in self.live.nodes.items():
            for node in nodes:
                each = self._machine(node, dict(machines.get(node.id, {})), known.get(node.id), sets.get(set_id))
                if each or node.id in known:
                    machines[node.id] = each
        if machines or "machines" in wire:
            wire["machines"] = machines

    def _machine(self, node: Resource, wire: Wire, known: Machine | None, home: MachineSet | None) -> Wire:
        was = known or Machine()
        if known is not None or self.previous is None:
            reading.read_metadata(wire, node, known=known is not None)
            reading.read_lock(wire, omni.ANNOTATION_LOCKED, node, was.locked, known=known is not None)
        self._patches(wire, was.patches, omni.LABEL_CLUSTER_MACHINE, node.id, "cm-")
        extensions = self.live.extensions.get((omni.LABEL_CLUSTER_MACHINE, node.id))
        reading.read_extensions(wire, was.system_extensions, extensions)
        reading.read_install(wire, self.live.installs.get(node.id))
        live = self.live.kernel_args.get(node.id)
        args = list(live.spec.args) if live else None
        asked = self.previous.kernel_args_of(node.id, home) if self.previous and home else None
        if args != (None if asked is None else list(asked)):
            reading.set_or_drop(wire, "kernelArgs", args)
        return wire

    def _patches(self, wire: Wire, known: Sequence[Patch] | None, label: str, target: str, prefix: str) -> None:
        scope, weight = prefix + (target or self.cluster.id), _WEIGHTS[label]
        own = [patch_id(patch, index, weight, scope) for index, patch in enumerate(known or ())]
        given = {patch.id_override for patch in known or () if patch.id_override}
        live, others = (each.patches.get((label, target), {}) for each in (self.live, self.others))
        _read_numbered(
            wire,
            "patches",
            _Numbered(own, given, live, others),
            known,
            read_known=reading.known_patch,
            read_new=lambda current, index: reading.new_patch(current, f"{weight + index:03d}-{scope}-"),
        )

    def _manifests(self, wire: Wire, known: Sequence[Manifest] | None) -> None:
        scope = f"cluster-{self.cluster.id}-"
        own = [f"{CLUSTER_WEIGHT + index:03d}-{scope}{manifest.name}" for index, manifest in enumerate(known or ())]
        _read_numbered(
            wire,
            "manifests",
            _Numbered(own, (), self.live.manifests, self.others.manifests),
            known,
            read_known=reading.known_manifest,
            read_new=lambda current, _: reading.new_manifest(current, scope),
        )

    def _health_checks(self, wire: Wire, known: Sequence[HealthCheck] | None) -> None:
        prefix = f"cluster-{self.cluster.id}-"
        reading.read_list(
            wire,
            "healthChecks",
            self.live.checks,
            known,
            id_of=lambda check, _: check.id_override or f"{prefix}{check.name}",
            read_known=reading.known_check,
            read_new=lambda current, _: reading.new_check(current, prefix),
        )


@dataclass(frozen=True)
class _Numbered:
    """The patches of a scope, or the manifests.

    Attributes:
        own: The IDs that we would give those of the inputs.
        given: Those among them that have no number of ours.
        live: What Omni has, by ID.
        others: What it has of others.
    """

    own: Sequence[str]
    given: Collection[str]
    live: Mapping[str, Resource]
    others: Mapping[str, Resource]


def _read_numbered(
    wire: Wire,
    name: str,
    numbered: _Numbered,
    known: Sequence[Any] | None,
    *,
    read_known: Callable[[Any, Wire, Resource], Wire],
    read_new: Callable[[Resource, int], Wire | None],
) -> None:
    """Read a list whose entries may stand under other numbers.

    What somebody else made under another number of ours is not ours yet, but takes its place: it shows.
    """
    ids = ids_in_use(numbered.own, sorted(numbered.live), numbered.given)
    beside = {each: numbered.others[each] for each in twins(numbered.own, numbered.others, numbered.given)}
    reading.read_list(
        wire,
        name,
        {**numbered.live, **beside},
        known,
        id_of=lambda _, index: ids[numbered.own[index]],
        read_known=read_known,
        read_new=read_new,
    )


def _replace_members(wire: Wire, name: str, value: Any) -> None:
    if wire.get(name) != value:
        for each in ("count", "machines", "machineClass", "selector"):
            wire.pop(each, None)
        wire[name] = value
