"""The machine sets of a cluster: the control plane and the sets of workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ksail_pulumi.model.cluster import BootstrapSpec, ControlPlane, MachineClass, Rolling, Strategy, Workers
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.plan.parts.live import as_found, metadata_of
from ksail_pulumi.plan.parts.part import Part
from ksail_pulumi.plan.scopes import Scope
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.model.cluster import MachineSet
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.parts.asked import Asked
    from ksail_pulumi.plan.parts.live import Draft, Live
    from ksail_pulumi.plan.parts.part import Situation
    from ksail_pulumi.plan.snapshot import Snapshot
    from ksail_pulumi.problems import FieldPath

_ALLOCATION = specs_pb2.MachineSetSpec.MachineAllocation
_STRATEGIES = specs_pb2.MachineSetSpec.UpdateStrategy


def desired(asked: Asked) -> Iterator[Resource]:
    for set_id, machine_set in asked.machine_sets:
        labels = {**(machine_set.labels or {}), **asked.label, role_of(machine_set): ""}
        message = set_message(machine_set, bootstrapped=asked.bootstrapped)
        yield asked.resource(omni.MACHINE_SET, set_id, message, labels, machine_set.annotations)


def role_of(machine_set: MachineSet) -> str:
    """The label for the role of a set's machines."""
    return omni.LABEL_CONTROL_PLANE if isinstance(machine_set, ControlPlane) else omni.LABEL_WORKER


def set_message(machine_set: MachineSet, *, bootstrapped: bool) -> specs_pb2.MachineSetSpec:
    """The spec of a set's resource.

    Args:
        machine_set: The set.
        bootstrapped: Whether the cluster has etcd. The backup that it starts from is left out then: Omni lets it be
            removed, but not be added again.
    """
    message = specs_pb2.MachineSetSpec(update_strategy=specs_pb2.MachineSetSpec.Rolling)
    _set_strategy(message, "upgrade", machine_set.upgrade_strategy)
    if isinstance(machine_set, Workers):
        _set_strategy(message, "update", machine_set.update_strategy)
        _set_strategy(message, "delete", machine_set.delete_strategy)
        if message.delete_strategy and not message.HasField("delete_strategy_config"):
            message.delete_strategy_config.rolling.max_parallelism = 1  # Omni takes no bound for no limit
    elif isinstance(machine_set, ControlPlane) and machine_set.bootstrap_spec and not bootstrapped:
        message.bootstrap_spec.cluster_uuid = machine_set.bootstrap_spec.cluster_uuid
        message.bootstrap_spec.snapshot = machine_set.bootstrap_spec.snapshot
    if machine_set.machine_class:
        unlimited = machine_set.machine_class.size == "unlimited"
        message.machine_allocation.name = machine_set.machine_class.name
        message.machine_allocation.allocation_type = _ALLOCATION.Unlimited if unlimited else _ALLOCATION.Static
        if not unlimited:
            message.machine_allocation.machine_count = int(machine_set.machine_class.size)
    return message


def _set_strategy(message: specs_pb2.MachineSetSpec, name: str, strategy: Strategy | None) -> None:
    if strategy is None:
        return
    if strategy.type is not None:
        setattr(message, f"{name}_strategy", _STRATEGIES.Value(strategy.type))
    if strategy.rolling is not None:
        getattr(message, f"{name}_strategy_config").rolling.max_parallelism = strategy.rolling.max_parallelism


def observe(live: Live, draft: Draft) -> None:
    for each in live.of(omni.MACHINE_SET):
        found = draft.at(Scope(omni.LABEL_MACHINE_SET, each.id))
        found |= {**metadata_of(each), **_strategies(each)}
        if each.spec.HasField("bootstrap_spec"):
            backup = each.spec.bootstrap_spec
            found["bootstrap_spec"] = as_found(
                BootstrapSpec, cluster_uuid=backup.cluster_uuid, snapshot=backup.snapshot
            )
        if (allocation := each.spec.machine_allocation).name:
            unlimited = allocation.allocation_type == _ALLOCATION.Unlimited
            size = "unlimited" if unlimited else allocation.machine_count
            found["machine_class"] = as_found(MachineClass, name=allocation.name, size=size)


def _strategies(current: Resource) -> dict[str, Any]:
    """How changes go through a set, where that is not the default."""
    control_plane = omni.LABEL_CONTROL_PLANE in current.labels
    default = set_message(ControlPlane() if control_plane else Workers(), bootstrapped=True)
    found = {}
    for name in ("upgrade",) if control_plane else ("upgrade", "update", "delete"):
        fields = f"{name}_strategy", f"{name}_strategy_config"
        strategy, config = (getattr(current.spec, field) for field in fields)
        if (strategy, config) != tuple(getattr(default, field) for field in fields):
            most = config.rolling.max_parallelism
            rolling = as_found(Rolling, max_parallelism=most) if most else None
            found[f"{name}_strategy"] = as_found(Strategy, type=_STRATEGIES.Name(strategy), rolling=rolling)
    return found


_INSTEAD = "add another set, and remove this one; for the control plane, replace the cluster"


def rules(situation: Situation) -> Iterator[Problem]:
    yield from _classes(situation)
    yield from _bootstrap(situation)


def _classes(situation: Situation) -> Iterator[Problem]:
    spec, snapshot = situation.spec, situation.snapshot
    classes = {each.id: each for each in snapshot.machine_classes or ()}
    sets = {each.id: each for each in snapshot.resources if each.type == omni.MACHINE_SET}
    for index, machine_set in enumerate(spec.machine_sets):
        path = (*spec.set_path(index), "machineClass")
        if live := sets.get(machine_set.id(spec.name)):
            yield from _switch(spec.set_path(index), machine_set, live, snapshot)
        if machine_set.machine_class is None or snapshot.machine_classes is None:
            continue
        name = machine_set.machine_class.name
        if name not in classes:
            known = f"known are {', '.join(sorted(classes))}" if classes else "there are none"
            yield Problem((*path, "name"), f"machine class with name {{name}} doesn't exist; {known}", name=name)
        elif machine_set.machine_class.size == "unlimited" and classes[name].spec.HasField("auto_provision"):
            reason = "machine class {name} is using autoprovision, so unlimited machine set allocation is not supported"
            yield Problem((*path, "size"), reason, name=name)


def _switch(path: FieldPath, machine_set: MachineSet, live: Resource, snapshot: Snapshot) -> Iterator[Problem]:
    """Refuse to change a set between machines of its own and those of a class, where Omni refuses it or breaks."""
    occupied = any(node.labels.get(omni.LABEL_MACHINE_SET) == live.id for node in snapshot.nodes)
    by_class = bool(live.spec.machine_allocation.name)
    if by_class == (machine_set.machine_class is not None):
        return
    if occupied:
        now, then = ("machine class", "manual") if by_class else ("manual", "machine class")
        yield Problem(
            path,
            f"machine set is not empty and is using {now} nodes management, updating to {then} mode is not allowed: "
            f"{_INSTEAD}",
        )
    elif by_class:
        # Omni accepts it, and the deletion of the set and its cluster then never ends (v1.10.4).
        yield Problem(
            path, f"machine set uses a machine class, and Omni could not delete it after the change: {_INSTEAD}"
        )


def _bootstrap(situation: Situation) -> Iterator[Problem]:
    spec, snapshot = situation.spec, situation.snapshot
    control_plane = spec.control_plane.id(spec.name)
    live = next((each for each in snapshot.resources if each.key == (omni.MACHINE_SET.name, control_plane)), None)
    if live is None or snapshot.bootstrapped:
        return
    asked = spec.control_plane.bootstrap_spec
    has = live.spec.bootstrap_spec
    if asked is None and live.spec.HasField("bootstrap_spec"):
        reason = "bootstrap spec can only be removed after the cluster is bootstrapped"
        yield Problem(("controlPlane", "bootstrapSpec"), reason)
    elif asked is not None and (asked.cluster_uuid, asked.snapshot) != (has.cluster_uuid, has.snapshot):
        yield Problem(("controlPlane", "bootstrapSpec"), "bootstrap spec is immutable after creation")


PART = Part(
    type=omni.MACHINE_SET,
    nouns=("machine set", "machine sets"),
    desired=desired,
    observe=observe,
    rules=rules,
    first_to_go=True,
)
