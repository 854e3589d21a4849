"""What a refresh shows: the inputs of a live cluster, in the user's own spelling where they mean the same.

A refresh must show drift and nothing else. So whatever Omni agrees with keeps its spelling, and a field that was left
out stays left out. What others added to the cluster is not an input.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from ksail_pulumi.addons.groups import plain_groups
from ksail_pulumi.addons.patches import addon_ids, addon_patch_id, fits
from ksail_pulumi.model.addons import FLANNEL
from ksail_pulumi.model.base import Model
from ksail_pulumi.model.cluster import Machine
from ksail_pulumi.model.durations import duration
from ksail_pulumi.model.parse import compact, to_wire
from ksail_pulumi.model.patches import inline_of, patch_id, patch_text, same_configuration
from ksail_pulumi.model.workloads import health_check_id
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.assemble import baseline_resources
from ksail_pulumi.plan.numbering import extra_twins, given_ids, ids_in_use
from ksail_pulumi.plan.observe import observe
from ksail_pulumi.plan.parts.machine_sets import set_message
from ksail_pulumi.plan.scopes import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ksail_pulumi.model.addons import Addons
    from ksail_pulumi.model.cluster import Backup, ClusterSpec, Features, HealthCheck, MachineSet, Manifest, Patch
    from ksail_pulumi.model.patches import Inline
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.ownership import OwnershipMark

Inputs = dict[str, Any]
"""Inputs, or a part of them, under their names on the wire."""

Rule = Callable[[Inputs, str, Any, Any], None]
"""How a field of inputs follows Omni: it is given the inputs to write to, the field's name on the wire, the value that
was asked for and the one in Omni."""


def refreshed_inputs(
    resources: Sequence[Resource], wire: Mapping[str, Any], previous: ClusterSpec, mark: OwnershipMark | None
) -> Inputs:
    """The inputs of a cluster as it is in Omni now.

    Args:
        resources: What Omni has of the cluster, its own resource included.
        wire: The inputs that were asked for last time, as they were written.
        previous: The same, parsed.
        mark: If given, only what carries it counts; otherwise everything that a user made.
    """
    if mark is not None:
        asked = baseline_resources(previous, previous, resources, mark)
        extra = extra_twins(asked, resources, mark=mark, given=given_ids(previous))
        resources = [each for each in resources if each.type == omni.CLUSTER or mark.owns(each) or each.key in extra]
    return keep_spelling(wire, previous, observe(resources, addons=addon_ids(previous), plain=plain_groups(previous)))


def keep_spelling(wire: Mapping[str, Any], previous: ClusterSpec, live: ClusterSpec) -> Inputs:
    """The inputs of a live cluster, spelled as in `wire` wherever they mean the same.

    Args:
        wire: The inputs that were asked for last time, as they were written.
        previous: The same, parsed.
        live: The inputs that the cluster stands for.
    """
    asked = to_wire(previous)
    found = _Spelling(previous, live).cluster(asked)
    return {
        key: source[key]
        for key in {**asked, **found}
        if key in (source := wire if asked.get(key) == found.get(key) else found)
    }


def followed_patch(asked: Patch | None, live: Patch) -> Inputs:
    """A live patch, spelled as it was asked for wherever that means the same."""
    return _written(live) if asked is None else _follow(_written(asked), asked, live, _PATCH)


class _Spelling:
    """Follows the canonical form of what was asked for, field by field."""

    def __init__(self, previous: ClusterSpec, live: ClusterSpec) -> None:
        self._previous = previous
        self._live = live
        self._cluster = previous.name

    def cluster(self, asked: Inputs) -> Inputs:
        scope = self._scope(Scope(omni.LABEL_CLUSTER))
        rules = (
            _IN_NO_RESOURCE
            | scope
            | {
                "kubernetes_version": _if_asked,
                "talos_version": _if_asked,
                "features": _features,
                "backup": _backup,
                "addons": self._addons,
                "manifests": _manifests,
                "health_checks": self._health_checks,
                "control_plane": self._control_plane,
                "workers": self._workers,
                "machines": self._machines,
            }
        )
        return compact(_follow(asked, self._previous, self._live, rules))

    def _scope(self, scope: Scope) -> dict[str, Rule]:
        """The rules for what a cluster, a set and a machine have in common."""
        return {**_METADATA, "locked": _lock, "patches": partial(self._patches, scope)}

    def _patches(
        self, scope: Scope, wire: Inputs, name: str, was: Sequence[Patch] | None, now: Sequence[Patch] | None
    ) -> None:
        infix = scope.infix(self._cluster)
        own, there = (
            {patch_id(patch, index, scope.weight, infix): patch for index, patch in enumerate(patches or ())}
            for patches in (was, now)
        )
        used = ids_in_use(own, sorted(there), {patch.id_override for patch in own.values() if patch.id_override})
        read = []
        for (own_id, patch), old in zip(own.items(), wire.get(name, ()), strict=True):
            if (current := there.pop(used[own_id], None)) is not None:
                read.append(_follow(old, patch, current, _PATCH))
        for live_id, patch in there.items():
            new = _written(patch)
            new.pop("idOverride", None)
            if patch.name is None or live_id != f"{scope.weight + len(read):03d}-{infix}-{patch.name}":
                new["idOverride"] = live_id
            read.append(new)
        _set_list(wire, name, read)

    def _health_checks(
        self, wire: Inputs, name: str, was: Sequence[HealthCheck] | None, now: Sequence[HealthCheck] | None
    ) -> None:
        there = {health_check_id(check, self._cluster): check for check in now or ()}
        read = []
        for check, old in zip(was or (), wire.get(name, ()), strict=True):
            if (current := there.pop(health_check_id(check, self._cluster), None)) is not None:
                read.append(_follow(old, check, current, _HEALTH_CHECK))
        _set_list(wire, name, [*read, *map(_written, there.values())])

    def _addons(self, wire: Inputs, name: str, was: Addons, now: Addons) -> None:
        asked, found, spelled = dict(was.chosen()), dict(now.chosen()), dict(wire.get(name, {}))
        written = _written(now)
        patches = {patch.id_override for patch in self._live.patches or ()}
        for field, addon in found.items():
            if field not in asked or not fits(asked[field], addon):
                spelled[field] = written[field]
        for field in asked.keys() - found.keys():
            # Talos' own network plugin has no patch; where there is one, somebody has changed it.
            if asked[field].name != FLANNEL or addon_patch_id(self._cluster, field) in patches:
                del spelled[field]
        if spelled or name in wire:
            wire[name] = spelled

    def _control_plane(self, wire: Inputs, name: str, was: MachineSet, now: MachineSet) -> None:
        read = self._machine_set(wire.get(name, {}), was, now)
        if read or name in wire:
            wire[name] = read

    def _workers(self, wire: Inputs, name: str, was: Sequence[MachineSet], now: Sequence[MachineSet]) -> None:
        spelled = wire.get(name, ())
        if isinstance(spelled, int):
            spelled = [{"count": spelled}] if spelled else []
        there = {each.set_name: each for each in now}
        read = []
        for machine_set, old in zip(was, spelled, strict=True):
            if (current := there.pop(machine_set.set_name, None)) is not None:
                read.append(self._machine_set(old, machine_set, current))
        _set_list(wire, name, [*read, *map(_written, there.values())])

    def _machine_set(self, old: Inputs, was: MachineSet, now: MachineSet) -> Inputs:
        strategy = partial(_strategy, was, now)
        scope = self._scope(Scope(omni.LABEL_MACHINE_SET, was.id(self._cluster)))
        rules = scope | {
            "name": _kept,
            "bootstrap_spec": _kept,  # it says how the cluster came to be, and Omni forgets it
            "kernel_args": _kept,  # they are resources of machines
            "upgrade_strategy": strategy,
            "update_strategy": strategy,
            "delete_strategy": strategy,
            "count": _kept,
            "machines": _kept,
            "machine_class": _kept,
            "selector": _kept,
        }
        wire = _follow(old, was, now, rules)
        _members(wire, was, now)
        return wire

    def _machines(self, wire: Inputs, name: str, was: Mapping[str, Machine], now: Mapping[str, Machine]) -> None:
        machines = dict(wire.get(name, {}))
        homes = {each.set_name: each for each in self._previous.machine_sets}
        for machine_set in self._live.machine_sets:
            for machine in machine_set.machines or ():
                home = homes.get(machine_set.set_name)
                args = self._previous.kernel_args_of(machine, home) if home else None
                rules = self._scope(Scope(omni.LABEL_CLUSTER_MACHINE, machine))
                rules |= {"kernel_args": partial(_kernel_args, args)}
                if machine not in was:
                    rules |= {"labels": _kept, "annotations": _kept, "locked": _kept}
                before, after = was.get(machine, Machine()), now.get(machine, Machine())
                read = _follow(machines.get(machine, {}), before, after, rules)
                if read or machine in was:
                    machines[machine] = read
        if machines or name in wire:
            wire[name] = machines


def _follow(old: Inputs, was: Model, now: Model, rules: Mapping[str, Rule]) -> Inputs:
    """The inputs of one model as Omni has it. A field without a rule follows Omni's value."""
    wire = dict(old)
    for field, info in type(was).model_fields.items():
        rules.get(field, _by_value)(wire, info.alias or field, getattr(was, field), getattr(now, field))
    return wire


def _by_value(wire: Inputs, name: str, was: Any, now: Any) -> None:
    if was != now:
        _set_or_drop(wire, name, now)


def _set_or_drop(wire: Inputs, name: str, value: Any) -> None:
    if value is None:
        wire.pop(name, None)
    elif isinstance(value, Model):
        wire[name] = _written(value)
    else:
        wire[name] = list(value) if isinstance(value, tuple) else value


def _set_list(wire: Inputs, name: str, items: list[Inputs]) -> None:
    if items or name in wire:
        wire[name] = items


def _written(model: Model) -> Inputs:
    """A part that nobody asked for, with all that it has."""
    written: Inputs = model.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return written


def _kept(_wire: Inputs, _name: str, _was: Any, _now: Any) -> None:
    """Omni cannot change the field."""


def _if_asked(wire: Inputs, name: str, _: Any, now: Any) -> None:
    """A version that was left to Omni stays left to it."""
    if name in wire:
        wire[name] = now


def _entries(wire: Inputs, name: str, _: Any, now: Mapping[str, str] | None) -> None:
    """Of labels and annotations only those count that were asked for."""
    if name in wire:
        wire[name] = {key: now[key] for key in wire[name] if key in now} if now else {}


def _lock(wire: Inputs, name: str, was: bool | None, now: bool | None) -> None:
    """A lock that the inputs leave alone does not show."""
    if was is not None and was != bool(now):
        wire[name] = bool(now)


def _features(wire: Inputs, name: str, was: Features, now: Features) -> None:
    """A feature that is off and was not asked for stays left out."""
    features = dict(wire.get(name, {}))
    for field, info in type(was).model_fields.items():
        if bool(getattr(was, field)) != (on := bool(getattr(now, field))):
            features[info.alias or field] = on
    if features:
        wire[name] = features


def _backup(wire: Inputs, name: str, was: Backup | None, now: Backup | None) -> None:
    if (was and duration(was.interval)) != (now and duration(now.interval)):
        _set_or_drop(wire, name, now)


def _interval(wire: Inputs, name: str, was: str | None, now: str | None) -> None:
    before, after = (duration(each) if each else timedelta() for each in (was, now))
    if before != after:
        _set_or_drop(wire, name, now)


def _inline(same: Callable[[str, str], bool], wire: Inputs, name: str, was: Inline, now: Inline) -> None:
    """YAML that was given as text stays text, and data stays data."""
    text = patch_text(now)
    if not same(patch_text(was), text):
        wire[name] = text if isinstance(was, str) else inline_of(text)


def _description(wire: Inputs, name: str, was: str | None, now: str | None) -> None:
    if was is not None:
        wire[name] = now or ""


def _kernel_args(asked: Sequence[str] | None, wire: Inputs, name: str, _: Any, now: Sequence[str] | None) -> None:
    """Omni has the arguments machine by machine, though they may be asked for at the set or the cluster."""
    if asked != now:
        _set_or_drop(wire, name, now)


def _strategy(before: MachineSet, after: MachineSet, wire: Inputs, name: str, _: Any, now: Any) -> None:
    """Strategies are the same if Omni is given the same."""
    field = name.replace("Strategy", "_strategy")
    asked, found = (set_message(each, bootstrapped=True) for each in (before, after))
    if any(getattr(asked, each) != getattr(found, each) for each in (field, f"{field}_config")):
        _set_or_drop(wire, name, now)


def _members(wire: Inputs, was: MachineSet, now: MachineSet) -> None:
    """How a set gets its machines, and how many or which they are."""
    machines = now.machines or ()
    if now.machine_class is not None:
        _replace_members(wire, "machineClass", _written(now.machine_class))
    elif was.wanted is not None:
        if len(machines) != was.wanted:
            wire["count"] = len(machines)
    elif was.machines is None or set(was.machines) != set(machines):
        kept = [machine for machine in was.machines or () if machine in machines]
        _replace_members(wire, "machines", kept + sorted(set(machines) - set(kept)))


def _replace_members(wire: Inputs, name: str, value: Any) -> None:
    if wire.get(name) != value:
        for each in ("count", "machines", "machineClass", "selector"):
            wire.pop(each, None)
        wire[name] = value


def _manifests(wire: Inputs, name: str, was: Sequence[Manifest] | None, now: Sequence[Manifest] | None) -> None:
    """Manifests keep the order that they were asked for in, unless they are in another order in Omni."""
    asked = {each.name: (each, old) for each, old in zip(was or (), wire.get(name, ()), strict=True)}
    there = {each.name: each for each in now or ()}
    order = [each for each in asked if each in there]
    order = [*order, *(each for each in there if each not in asked)] if _in(there, order) == order else list(there)
    read = [
        _follow(asked[each][1], asked[each][0], there[each], _MANIFEST) if each in asked else _written(there[each])
        for each in order
    ]
    _set_list(wire, name, read)


def _in(order: Iterable[str | None], some: Sequence[str | None]) -> list[str | None]:
    return [each for each in order if each in some]


_METADATA: dict[str, Rule] = {"labels": _entries, "annotations": _entries}
_PATCH: dict[str, Rule] = {
    **_METADATA,
    "name": _kept,
    "id_override": _kept,
    "description": _description,
    "inline": partial(_inline, same_configuration),
}
_MANIFEST: dict[str, Rule] = {**_METADATA, "weight": _kept, "inline": partial(_inline, str.__eq__)}
_HEALTH_CHECK: dict[str, Rule] = {
    **_METADATA,
    "name": _kept,
    "id_override": _kept,
    "job": partial(_inline, str.__eq__),
    "interval": _interval,
}
_IN_NO_RESOURCE: dict[str, Rule] = dict.fromkeys(
    (
        "name",
        "endpoint",
        "service_account_key_env_var",
        "kernel_args",
        "kubeconfig",
        "talosconfig",
        "wait_for",
        "backup_before",
        "on_upgrade_failure",
        "on_delete",
        "on_update",
        "ownership",
    ),
    _kept,
)
"""Fields of a cluster that no resource of it holds."""
