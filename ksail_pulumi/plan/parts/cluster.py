"""The cluster's own resource: versions, features, etcd backups, lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.model.cluster import Backup, Features
from ksail_pulumi.model.durations import duration, format_duration, go_duration
from ksail_pulumi.model.versions import ParsedVersion, parse_version
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.plan.parts.live import as_found, metadata_of
from ksail_pulumi.plan.parts.part import Part
from ksail_pulumi.plan.versions import between, versions_of
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.parts.asked import Asked
    from ksail_pulumi.plan.parts.live import Draft, Live
    from ksail_pulumi.plan.parts.part import Outlook, Situation

_PUBLIC_DISCOVERY_SINCE = (1, 14)


def desired(asked: Asked) -> Iterator[Resource]:
    spec = asked.spec
    message = specs_pb2.ClusterSpec(
        talos_version=asked.versions.talos,
        kubernetes_version=asked.versions.kubernetes,
        features=specs_pb2.ClusterSpec.Features(
            **{name: bool(getattr(spec.features, name)) for name in Features.model_fields}
        ),
    )
    if spec.backup is not None:
        message.backup_configuration.enabled = True
        message.backup_configuration.interval.FromTimedelta(duration(spec.backup.interval))
    lock = {omni.ANNOTATION_CLUSTER_LOCKED: ""} if spec.locked else {}
    yield asked.resource(omni.CLUSTER, spec.name, message, spec.labels, {**(spec.annotations or {}), **lock})


def observe(live: Live, draft: Draft) -> None:
    for cluster in live.of(omni.CLUSTER):
        message = cluster.spec
        draft.cluster |= {
            "name": cluster.id,
            "kubernetes_version": message.kubernetes_version,
            "talos_version": message.talos_version,
            **metadata_of(cluster),
        }
        if on := {name: True for name in Features.model_fields if getattr(message.features, name)}:
            draft.cluster["features"] = as_found(Features, **on)
        interval = message.backup_configuration.interval.ToTimedelta()
        if message.backup_configuration.enabled and interval:
            draft.cluster["backup"] = as_found(Backup, interval=format_duration(interval))
        if omni.ANNOTATION_CLUSTER_LOCKED in cluster.annotations:
            draft.cluster["locked"] = True


def rules(situation: Situation) -> Iterator[Problem]:
    yield from _versions(situation)
    yield from _features(situation)
    yield from _backup(situation)


def _versions(situation: Situation) -> Iterator[Problem]:
    """Omni's rules for changing the versions of a cluster (internal/.../validations/version.go)."""
    snapshot, versions = situation.snapshot, situation.versions
    if snapshot.cluster is None:
        return
    current = versions_of(snapshot.cluster)
    began = snapshot.config_version.spec.version.removeprefix("v") if snapshot.config_version else ""
    first, talos = parse_version(began), parse_version(versions.talos)
    if versions.talos != current.talos and first and talos and talos.line < first.line:
        yield Problem(
            ("talosVersion",),
            f'downgrading from version "{began}" to "{versions.talos}" is not supported; '
            f"the cluster was created with {began}",
        )
    before, after = parse_version(current.kubernetes), parse_version(versions.kubernetes)
    last = snapshot.kubernetes_upgrade.spec.last_upgrade_version if snapshot.kubernetes_upgrade else ""
    if not before or not after or versions.kubernetes in (current.kubernetes, last):
        return
    if after.major != before.major or not 0 <= after.minor - before.minor <= 1:
        yield Problem(
            ("kubernetesVersion",),
            f'kubernetes version is not supported for upgrade to "{versions.kubernetes}" from "{current.kubernetes}": '
            "upgrade one minor version at a time, and never downgrade" + _way(before, after, situation),
        )


def _way(before: ParsedVersion, after: ParsedVersion, situation: Situation) -> str:
    """The versions to upgrade to one after the other, where Omni refuses the upgrade as too large."""
    talos = {each.id: each.spec.compatible_kubernetes_versions for each in situation.snapshot.talos_versions}
    steps = between(before, after, talos.get(situation.versions.talos, ()))
    return f"; first upgrade to {', then '.join(steps)}" if steps else ""


def _features(situation: Situation) -> Iterator[Problem]:
    asked, snapshot = situation.spec.features, situation.snapshot
    if snapshot.cluster is not None:
        encrypted = snapshot.cluster.spec.features.disk_encryption
        if encrypted != bool(asked.disk_encryption):
            yield Problem(
                ("features", "diskEncryption"),
                "updating disk encryption settings is not allowed: this cluster was created with "
                f"diskEncryption: {str(encrypted).lower()}; keep it, or create a new cluster under another name",
            )
    has = snapshot.cluster is not None and snapshot.cluster.spec.features.use_embedded_discovery_service
    offered = snapshot.features is None or snapshot.features.spec.embedded_discovery_service
    if asked.use_embedded_discovery_service and not has and not offered:
        yield Problem(("features", "useEmbeddedDiscoveryService"), "embedded discovery service is not enabled")
    if asked.disable_public_discovery_service:
        path = ("features", "disablePublicDiscoveryService")
        began = parse_version(snapshot.began or situation.versions.talos)
        if began is not None and began.line < _PUBLIC_DISCOVERY_SINCE:
            yield Problem(
                path,
                "the public discovery service can only be configured for clusters created with Talos 1.14 or newer",
            )
        elif not asked.use_embedded_discovery_service:
            yield Problem(path, "the discovery service cannot be disabled entirely: use the embedded one instead")


def _backup(situation: Situation) -> Iterator[Problem]:
    spec, snapshot = situation.spec, situation.snapshot
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


def forecast(outlook: Outlook) -> Iterator[str]:
    snapshot, versions = outlook.snapshot, outlook.versions
    if snapshot.cluster is None:
        yield f"Talos {versions.talos}, Kubernetes {versions.kubernetes}"
        return
    current = versions_of(snapshot.cluster)
    if versions.talos != current.talos:
        yield f"Talos {current.talos} -> {versions.talos}: every machine reboots, control plane first, one at a time"
        offered = {each.id: each.spec.upgradable_talos_versions for each in snapshot.talos_versions}.get(current.talos)
        if offered and versions.talos not in offered:
            yield f"Omni does not list Talos {versions.talos} as an upgrade from {current.talos}"
    if versions.kubernetes != current.kubernetes:
        yield f"Kubernetes {current.kubernetes} -> {versions.kubernetes}: component by component, without a reboot"


PART = Part(
    type=omni.CLUSTER,
    nouns=("cluster", "clusters"),
    desired=desired,
    observe=observe,
    rules=rules,
    forecast=forecast,
    on_machines=True,
    lock=omni.ANNOTATION_CLUSTER_LOCKED,
)
