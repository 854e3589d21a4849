"""Single resources read back as the part of the inputs that they stand for.

Each function is told the part as it was, and gives it back unchanged where Omni agrees with it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import yaml

from ksail_pulumi.addons.patches import ANNOTATION_COMPONENT
from ksail_pulumi.model.cluster import ControlPlane, Features, Workers
from ksail_pulumi.model.durations import duration, format_duration
from ksail_pulumi.model.patches import inline_of, patch_text, same_configuration
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.plan.desired import machine_set_spec
from ksail_pulumi.plan.numbering import unnumbered
from ksail_pulumi.plan.ownership import ANNOTATION_CREATION, ANNOTATION_OWNER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ksail_pulumi.model.cluster import Backup, HealthCheck, MachineSet, Manifest, Patch
    from ksail_pulumi.model.patches import Inline
    from ksail_pulumi.omni.resources import Resource

Wire = dict[str, Any]


def read_metadata(wire: Wire, current: Resource, *, known: bool) -> None:
    """Read labels and annotations; of a resource whose inputs are known only those that stand in them."""
    for name, entries in (("labels", current.labels), ("annotations", current.annotations)):
        if name in wire:
            wire[name] = {key: entries[key] for key in wire[name] if key in entries}
        elif not known and (own := _own(entries)):
            wire[name] = own


def _own(entries: Mapping[str, str]) -> dict[str, str]:
    """What a user may have written: neither Omni's own entries nor ours."""
    ours = (
        ANNOTATION_OWNER,
        ANNOTATION_CREATION,
        ANNOTATION_COMPONENT,
        omni.ANNOTATION_NAME,
        omni.ANNOTATION_DESCRIPTION,
    )
    return {key: value for key, value in sorted(entries.items()) if not key.startswith(omni.PREFIX) and key not in ours}


def set_or_drop(wire: Wire, name: str, value: Any) -> None:
    """Set a field, or leave it out if there is no value."""
    if value is None:
        wire.pop(name, None)
    else:
        wire[name] = value


def read_lock(wire: Wire, lock: str, current: Resource, was: bool | None, *, known: bool) -> None:
    """Read a lock. One that the inputs leave alone does not show."""
    locked = lock in current.annotations
    if (was is not None and was != locked) or (not known and locked):
        wire["locked"] = locked


def read_extensions(wire: Wire, was: Sequence[str] | None, current: Resource | None) -> None:
    """Read system extensions; without a resource for them they are unset."""
    extensions = list(current.spec.extensions) if current is not None else None
    if extensions != (None if was is None else list(was)):
        set_or_drop(wire, "systemExtensions", extensions)


def read_features(wire: Wire, was: Features, cluster: Resource) -> None:
    """Read the features of a cluster; what is off and was not asked for stays unset."""
    features = dict(wire.get("features", {}))
    for name, field in Features.model_fields.items():
        on = getattr(cluster.spec.features, name)
        if on != bool(getattr(was, name)):
            features[field.alias or name] = on
    if features:
        wire["features"] = features


def read_backup(wire: Wire, was: Backup | None, cluster: Resource) -> None:
    """Read the interval of etcd backups."""
    config = cluster.spec.backup_configuration
    interval = config.interval.ToTimedelta() if config.enabled else timedelta()
    if interval != (duration(was.interval) if was else timedelta()):
        set_or_drop(wire, "backup", {"interval": format_duration(interval)} if interval else None)


def read_strategies(wire: Wire, known: MachineSet | None, current: Resource) -> None:
    """Read how changes go through a set."""
    control_plane = omni.LABEL_CONTROL_PLANE in current.labels
    names = ("upgrade",) if control_plane else ("upgrade", "update", "delete")
    asked = machine_set_spec(known or (ControlPlane() if control_plane else Workers()), bootstrapped=True)
    for name in names:
        strategy = getattr(current.spec, f"{name}_strategy")
        config = getattr(current.spec, f"{name}_strategy_config")
        if strategy != getattr(asked, f"{name}_strategy") or config != getattr(asked, f"{name}_strategy_config"):
            most = config.rolling.max_parallelism
            rolling = {"rolling": {"maxParallelism": most}} if most else {}
            wire[f"{name}Strategy"] = {"type": specs_pb2.MachineSetSpec.UpdateStrategy.Name(strategy), **rolling}


def read_install(wire: Wire, config: Resource | None) -> None:
    """Read the install disk of a machine, from whichever resource this Omni keeps it in."""
    install: Wire | None = None
    if config is not None and config.type == omni.CONFIG_PATCH:
        install = {"disk": _patched_disk(config.spec.data)}
    elif config is not None and config.spec.disk_selector:
        install = {"diskSelector": config.spec.disk_selector}
    elif config is not None:
        install = {"disk": config.spec.disk}
    set_or_drop(wire, "install", install)


def _patched_disk(text: str) -> str:
    try:
        return str(yaml.load(text, Loader=yaml.CSafeLoader)["machine"]["install"]["disk"])
    except (yaml.YAMLError, ValueError, TypeError, KeyError):
        return ""


def read_list(
    wire: Wire,
    name: str,
    live: dict[str, Resource],
    known: Sequence[Any] | None,
    *,
    id_of: Callable[[Any, int], str],
    read_known: Callable[[Any, Wire, Resource], Wire],
    read_new: Callable[[Resource, int], Wire | None],
) -> None:
    """Read a list whose entries are resources of their own.

    Entries that are known keep their order; what is not known comes behind them, by ID.

    Args:
        wire: Where the list is.
        name: What it is called.
        live: The resources, by ID.
        known: The list as it was.
        id_of: The ID of an entry's resource.
        read_known: Reads an entry that was there, given it in both forms.
        read_new: Reads one that was not, given its place in the list; None if the inputs cannot say it.
    """
    rest = dict(live)
    read: list[Wire] = []
    for index, (entry, old) in enumerate(zip(known or (), wire.get(name, ()), strict=True)):
        current = rest.pop(id_of(entry, index), None)
        if current is not None:
            read.append(read_known(entry, dict(old), current))
    for resource_id in sorted(rest):
        if (new := read_new(rest[resource_id], len(read))) is not None:
            read.append(new)
    if read or name in wire:
        wire[name] = read


def known_patch(patch: Patch, wire: Wire, current: Resource) -> Wire:
    if not same_configuration(patch_text(patch.inline), current.spec.data):
        _read_text(wire, "inline", patch.inline, current.spec.data)
    if patch.description is not None:
        wire["description"] = current.annotations.get(omni.ANNOTATION_DESCRIPTION, "")
    read_metadata(wire, current, known=True)
    return wire


def new_patch(current: Resource, prefix: str) -> Wire:
    """A patch that the inputs do not know; `prefix` is what the ID of one at its place starts with."""
    name = current.annotations.get(omni.ANNOTATION_NAME, "")
    wire: Wire = {"name": name} if name else {}
    if current.id != prefix + name or not name:
        wire["idOverride"] = current.id
    wire["inline"] = inline_of(current.spec.data)
    if description := current.annotations.get(omni.ANNOTATION_DESCRIPTION):
        wire["description"] = description
    read_metadata(wire, current, known=False)
    return wire


def known_manifest(manifest: Manifest, wire: Wire, current: Resource) -> Wire:
    _read_text(wire, "inline", manifest.inline, current.spec.data)
    if (mode := _mode(current)) != manifest.mode:
        wire["mode"] = mode
    read_metadata(wire, current, known=True)
    return wire


def new_manifest(current: Resource, scope: str) -> Wire | None:
    """A manifest group that the inputs do not know; one with an ID of another kind cannot be an input.

    `scope` is what the IDs of manifests have between their number and their name.
    """
    name = current.annotations.get(omni.ANNOTATION_NAME, "")
    if unnumbered(current.id) != scope + name:
        return None
    wire: Wire = {"name": name, "inline": inline_of(current.spec.data), "mode": _mode(current)}
    read_metadata(wire, current, known=False)
    return wire


def _mode(current: Resource) -> str:
    return "one-time" if current.spec.mode == specs_pb2.KubernetesManifestGroupSpec.ONE_TIME else "full"


def known_check(check: HealthCheck, wire: Wire, current: Resource) -> Wire:
    _read_text(wire, "job", check.job, current.spec.job)
    interval = current.spec.interval.ToTimedelta()
    if interval != (duration(check.interval) if check.interval else timedelta()):
        set_or_drop(wire, "interval", format_duration(interval) if interval else None)
    read_metadata(wire, current, known=True)
    return wire


def new_check(current: Resource, prefix: str) -> Wire:
    name = current.id.removeprefix(prefix)
    wire: Wire = {"idOverride": current.id} if name in ("", current.id) else {"name": name}
    wire["job"] = inline_of(current.spec.job)
    if interval := current.spec.interval.ToTimedelta():
        wire["interval"] = format_duration(interval)
    read_metadata(wire, current, known=False)
    return wire


def _read_text(wire: Wire, name: str, was: Inline, text: str) -> None:
    """Read YAML text in the form it was given in: as text, or as data."""
    if text != patch_text(was):
        wire[name] = text if isinstance(was, str) else inline_of(text)
