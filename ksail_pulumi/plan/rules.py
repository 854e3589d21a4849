"""Omni's own rules, applied before Omni is asked; the texts are its own, with what to do behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.model.durations import duration, go_duration
from ksail_pulumi.model.parse import Problem
from ksail_pulumi.model.patches import sets_field
from ksail_pulumi.model.versions import Versions, parse_version
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.desired import INSTALL_DISK_API
from ksail_pulumi.plan.machines import version_conflict
from ksail_pulumi.plan.versions import versions_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.model.cluster import ClusterSpec, MachineSet
    from ksail_pulumi.plan.machines import Assignment
    from ksail_pulumi.plan.snapshot import Snapshot
    from ksail_pulumi.problems import FieldPath

_PUBLIC_DISCOVERY_SINCE = (1, 14)


def server_rules(spec: ClusterSpec, snapshot: Snapshot, versions: Versions) -> Iterator[Problem]:
    """What Omni would refuse, given what it has; needs no machines to be chosen."""
    yield from _version_paths(versions, snapshot)
    yield from _machines(spec, snapshot, versions)
    yield from _classes(spec, snapshot)
    yield from _bootstrap(spec, snapshot)
    yield from _features(spec, snapshot, versions)
    yield from _backup(spec, snapshot)
    yield from _extensions(spec, snapshot, versions)
    yield from _install(spec, snapshot)


def assignment_rules(spec: ClusterSpec, snapshot: Snapshot, assignment: Assignment) -> Iterator[Problem]:
    """What Omni would refuse about the machines that were chosen."""
    control_plane = spec.control_plane.id(spec.name)
    for machine, described in spec.machines.items():
        if described.locked and assignment.set_of(machine) == control_plane:
            reason = "locking controlplanes is not allowed"
            yield Problem(("machines", machine, "locked"), reason)
    for index, machine_set in enumerate(spec.machine_sets):
        set_id = machine_set.id(spec.name)
        for node in snapshot.resources:
            unlocked = node.id in spec.machines and spec.machines[node.id].locked is False
            if (
                machine_set.machines is not None
                and node.labels.get(omni.LABEL_MACHINE_SET) == set_id
                and omni.ANNOTATION_LOCKED in node.annotations
                and assignment.set_of(node.id) != set_id
                and not unlocked
            ):
                reason = f'removing machine set node from the machine set "{set_id}" is not allowed'
                name = snapshot.machine_name(node.id)
                yield Problem((*spec.set_path(index), "machines"), f"{reason}: {name} is locked; unlock it first")


def _version_paths(versions: Versions, snapshot: Snapshot) -> Iterator[Problem]:
    """Omni's rules for changing the versions of a cluster (internal/.../validations/version.go)."""
    if snapshot.cluster is None:
        return
    current = versions_of(snapshot.cluster)
    began = snapshot.config_version.spec.version.removeprefix("v") if snapshot.config_version else ""
    first, talos = parse_version(began), parse_version(versions.talos)
    if versions.talos != current.talos and first and talos and talos.line < first.line:
        yield Problem(
            ("talosVersion",),
            f'downgrading from version "{began}" to "{versions.talos}" is not supported; '
            f"the cluster began with {began}",
        )
    before, after = parse_version(current.kubernetes), parse_version(versions.kubernetes)
    last = snapshot.kubernetes_upgrade.spec.last_upgrade_version if snapshot.kubernetes_upgrade else ""
    if not before or not after or versions.kubernetes in (current.kubernetes, last):
        return
    if after.major != before.major or not 0 <= after.minor - before.minor <= 1:
        yield Problem(
            ("kubernetesVersion",),
            f'kubernetes version is not supported for upgrade to "{versions.kubernetes}" from "{current.kubernetes}": '
            "go up one minor version at a time, and never down",
        )


def _machines(spec: ClusterSpec, snapshot: Snapshot, versions: Versions) -> Iterator[Problem]:
    """Whether the machines that are named can join."""
    yield from taken_machines(spec, snapshot)
    for field, machine in _named(spec):
        status, node = snapshot.status_of.get(machine), snapshot.node_of.get(machine)
        if status is not None and node is None and (conflict := version_conflict(status, versions.talos)):
            yield Problem(field, conflict)


def taken_machines(spec: ClusterSpec, snapshot: Snapshot) -> Iterator[Problem]:
    """Machines that are named and belong to another cluster, or to a set whose machines Omni chooses."""
    for field, machine in _named(spec):
        node = snapshot.node_of.get(machine)
        if node is None:
            continue
        name = snapshot.machine_name(machine)
        if node.cluster != spec.name:
            yield Problem(field, f"machine {name} is in cluster {node.cluster!r} and can be in one only")
        elif omni.LABEL_MANAGED_NODE in node.labels:
            holder = node.labels.get(omni.LABEL_MACHINE_SET, "")
            yield Problem(field, f"machine {name} is in {holder}, for which Omni chooses machines of a class")


def _named(spec: ClusterSpec) -> Iterator[tuple[FieldPath, str]]:
    """The machines that sets name, each behind the path of its field."""
    for index, machine_set in enumerate(spec.machine_sets):
        for position, machine in enumerate(machine_set.machines or ()):
            yield (*spec.set_path(index), "machines", position), machine


def _classes(spec: ClusterSpec, snapshot: Snapshot) -> Iterator[Problem]:
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


def _switch(path: FieldPath, machine_set: MachineSet, live: omni.Resource, snapshot: Snapshot) -> Iterator[Problem]:
    """Omni lets a set change between machines of its own and those of a class only while it is empty."""
    occupied = any(node.labels.get(omni.LABEL_MACHINE_SET) == live.id for node in snapshot.nodes)
    by_class = bool(live.spec.machine_allocation.name)
    if occupied and by_class != (machine_set.machine_class is not None):
        now, then = ("machine class", "manual") if by_class else ("manual", "machine class")
        yield Problem(
            path,
            f"machine set is not empty and is using {now} nodes management, updating to {then} mode is not allowed: "
            "make another set, and remove this one",
        )


def _bootstrap(spec: ClusterSpec, snapshot: Snapshot) -> Iterator[Problem]:
    control_plane = spec.control_plane.id(spec.name)
    live = next((each for each in snapshot.resources if each.id == control_plane), None)
    if live is None or snapshot.bootstrapped or live.type != omni.MACHINE_SET:
        return
    asked = spec.control_plane.bootstrap_spec
    has = live.spec.bootstrap_spec
    if asked is None and live.spec.HasField("bootstrap_spec"):
        reason = "bootstrap spec can only be removed after the cluster is bootstrapped"
        yield Problem(("controlPlane", "bootstrapSpec"), reason)
    elif asked is not None and (asked.cluster_uuid, asked.snapshot) != (has.cluster_uuid, has.snapshot):
        yield Problem(("controlPlane", "bootstrapSpec"), "bootstrap spec is immutable after creation")


def _features(spec: ClusterSpec, snapshot: Snapshot, versions: Versions) -> Iterator[Problem]:
    asked = spec.features
    if snapshot.cluster is not None:
        encrypted = snapshot.cluster.spec.features.disk_encryption
        if encrypted != bool(asked.disk_encryption):
            yield Problem(
                ("features", "diskEncryption"),
                f"updating disk encryption settings is not allowed: this cluster began with {str(encrypted).lower()}; "
                "keep that, or make a new cluster under another name",
            )
    has = snapshot.cluster is not None and snapshot.cluster.spec.features.use_embedded_discovery_service
    offered = snapshot.features is None or snapshot.features.spec.embedded_discovery_service
    if asked.use_embedded_discovery_service and not has and not offered:
        yield Problem(("features", "useEmbeddedDiscoveryService"), "embedded discovery service is not enabled")
    if asked.disable_public_discovery_service:
        path = ("features", "disablePublicDiscoveryService")
        began = parse_version(snapshot.config_version.spec.version if snapshot.config_version else versions.talos)
        if began is not None and began.line < _PUBLIC_DISCOVERY_SINCE:
            yield Problem(
                path,
                "the public discovery service can only be configured for clusters created with Talos 1.14 or newer",
            )
        elif not asked.use_embedded_discovery_service:
            reason = "the discovery service cannot be disabled entirely: use the embedded one in its place"
            yield Problem(path, reason)


def _backup(spec: ClusterSpec, snapshot: Snapshot) -> Iterator[Problem]:
    if spec.backup is None or snapshot.features is None:
        return
    interval = duration(spec.backup.interval)
    settings = snapshot.features.spec.etcd_backup_settings
    least, most = settings.min_interval.ToTimedelta(), settings.max_interval.ToTimedelta()
    actual = go_duration(interval)
    if interval < least:
        reason = f"backup interval must be greater than {go_duration(least)}, actual {actual}"
        yield Problem(("backup", "interval"), reason)
    elif most and interval > most:
        yield Problem(("backup", "interval"), f"backup interval must be less than {go_duration(most)}, actual {actual}")


def _extensions(spec: ClusterSpec, snapshot: Snapshot, versions: Versions) -> Iterator[Problem]:
    catalog = next((each for each in snapshot.talos_extensions if each.id == versions.talos), None)
    if catalog is None:
        return
    known = {item.name for item in catalog.spec.items}
    for path, scope in spec.scopes():
        for index, extension in enumerate(scope.system_extensions or ()):
            if extension not in known and f"siderolabs/{extension}" not in known:
                reason = f'extension {{name}} (entry {index}) is not available for Talos version "{versions.talos}"'
                yield Problem((*path, "systemExtensions", index), reason, name=extension)


def _install(spec: ClusterSpec, snapshot: Snapshot) -> Iterator[Problem]:
    """Install disks: a resource of their own in new Omnis, a patch in older ones."""
    if snapshot.sys_version is None:
        return
    if snapshot.api_version < INSTALL_DISK_API:
        for machine, described in spec.machines.items():
            if described.install is not None and described.install.disk_selector:
                version = snapshot.sys_version.spec.backend_version
                reason = f"this Omni ({version}) knows no disk selectors yet: name the disk with install.disk"
                yield Problem(("machines", machine, "install", "diskSelector"), reason)
        return
    for path, scope in spec.scopes():
        for index, patch in enumerate(scope.patches or ()):
            if sets_field(patch.inline, "machine.install.disk"):
                reason = (
                    'overriding "machine.install.disk" is not allowed in the config patch: use machines.<id>.install'
                )
                yield Problem((*path, "patches", index, "inline"), reason)
