"""Validation of clusters: names, versions and their changes, features, backups, locks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from ksail_pulumi.omni.resources import (
    ANNOTATION_CLUSTER_LOCKED,
    CLUSTER_CONFIG_VERSION,
    CLUSTER_STATUS,
    FEATURES_CONFIG,
    KUBERNETES_UPGRADE_STATUS,
    TALOS_VERSION,
    Resource,
)
from ksail_pulumi.simulator.refusal import Refused, listed
from ksail_pulumi.simulator.validations import versions
from ksail_pulumi.simulator.validations.context import Context


def on_create(context: Context, cluster: Resource) -> Iterator[str]:
    yield from _spec(cluster)
    yield from _features(context, cluster, cluster.spec.talos_version)
    try:
        _check_versions(context, cluster.spec.talos_version, cluster.spec.kubernetes_version, None)
    except Refused as refusal:
        yield str(refusal)


def on_update(context: Context, old: Resource, new: Resource) -> Iterator[str]:
    yield from _spec(new)
    initial = context.find(CLUSTER_CONFIG_VERSION, new.id)
    contract = initial.spec.version.removeprefix("v") if initial else old.spec.talos_version
    yield from _features(context, new, contract)
    if (old.spec.talos_version, old.spec.kubernetes_version) != (
        new.spec.talos_version,
        new.spec.kubernetes_version,
    ):
        try:
            _check_versions(context, new.spec.talos_version, new.spec.kubernetes_version, old)
        except Refused as refusal:
            yield str(refusal)
    if ANNOTATION_CLUSTER_LOCKED in old.annotations and ANNOTATION_CLUSTER_LOCKED in new.annotations:
        yield f'updating cluster configuration is not allowed: the cluster "{new.id}" is locked'
    if old.spec.features.disk_encryption != new.spec.features.disk_encryption:
        yield "updating disk encryption settings is not allowed"


def on_destroy(context: Context, cluster: Resource) -> Iterator[str]:
    """Omni checks the lock only once the cluster has a status."""
    if ANNOTATION_CLUSTER_LOCKED in cluster.annotations and context.find(CLUSTER_STATUS, cluster.id):
        yield f'deletion is not allowed: the cluster "{cluster.id}" is locked'


def duration(value: timedelta) -> str:
    """A duration as Go prints it: `1h0m0s`, `30m0s`, `0s`."""
    seconds = int(value.total_seconds())
    sign = "-" if seconds < 0 else ""
    hours, rest = divmod(abs(seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}s"
    return f"{sign}{minutes}m{seconds}s" if minutes else f"{sign}{seconds}s"


def upgrade_path(old: str, new: str) -> str:
    """Why an upgrade of Kubernetes is not possible; empty if it is: any patch version, or one minor version up.

    Raises:
        Refused: One of them is not a version.
    """
    try:
        before = versions.tolerant(old)
    except Refused as refusal:
        raise Refused(f"error parsing from version: {refusal}") from refusal
    try:
        after = versions.tolerant(new)
    except Refused as refusal:
        raise Refused(f"error parsing to version: {refusal}") from refusal
    if before.major == after.major and after.minor - before.minor in (0, 1):
        return ""
    return f"unsupported upgrade path: {before.major}.{before.minor}->{after.major}.{after.minor}"


def _spec(cluster: Resource) -> Iterator[str]:
    if not cluster.id:
        yield "name is required"
    elif not all(character.isalpha() or character.isdigit() or character in "-_" for character in cluster.id):
        yield "name should only contain letters, digits, dashes and underscores"
    for what, version in (("Kubernetes", cluster.spec.kubernetes_version), ("Talos", cluster.spec.talos_version)):
        fault = _version(version)
        if fault:
            yield f"error validating {what} version: {listed([fault])}"
    if cluster.spec.features.disk_encryption:
        try:
            supported = versions.tolerant(cluster.spec.talos_version) >= versions.Version(1, 5, 0)
        except Refused:
            return
        if not supported:
            yield "disk encryption is supported only for Talos version >= 1.5.0"


def _version(text: str) -> str:
    if not text:
        return "version is required"
    try:
        versions.tolerant(text)
    except Refused as refusal:
        return f"version should be in semver format: {refusal}"
    return ""


def _features(context: Context, cluster: Resource, contract: str) -> Iterator[str]:
    settings = context.find(FEATURES_CONFIG, "features-config")
    if cluster.spec.HasField("backup_configuration") and settings is not None:
        interval = cluster.spec.backup_configuration.interval.ToTimedelta()
        shortest = settings.spec.etcd_backup_settings.min_interval.ToTimedelta()
        longest = settings.spec.etcd_backup_settings.max_interval.ToTimedelta()
        if interval < shortest:
            yield f"backup interval must be greater than {duration(shortest)}, actual {duration(interval)}"
        if interval > longest:
            yield f"backup interval must be less than {duration(longest)}, actual {duration(interval)}"
    if cluster.spec.features.disable_public_discovery_service:
        yield from _public_discovery(cluster, contract)
    offered = settings is None or settings.spec.embedded_discovery_service
    if cluster.spec.features.use_embedded_discovery_service and not offered:
        yield "embedded discovery service is not enabled"


def _public_discovery(cluster: Resource, contract: str) -> Iterator[str]:
    try:
        version = versions.tolerant(contract)
    except Refused:
        yield f'failed to parse Talos version contract: error parsing version "v{contract}"'
        return
    if version < versions.Version(1, 14, 0):
        yield "the public discovery service can only be configured for clusters created with Talos 1.14 or newer"
    elif not cluster.spec.features.use_embedded_discovery_service:
        yield (
            "the discovery service cannot be disabled entirely: "
            "either the public or the embedded discovery service must be enabled"
        )


def _check_versions(context: Context, talos: str, kubernetes: str, old: Resource | None) -> None:
    """Both versions, up to the first error."""
    known = context.find(TALOS_VERSION, talos)
    if known is None:
        raise Refused(f'invalid talos version "{talos}": {context.missing(TALOS_VERSION, talos)}')
    before = context.find(TALOS_VERSION, old.spec.talos_version) if old else None
    if known.spec.deprecated and not (before and before.spec.deprecated):
        raise Refused(f'talos version "{talos}" is no longer supported')
    if known.spec.unsupported and not (before and before.spec.unsupported):
        raise Refused(f'talos version "{talos}" is not supported by this Omni release')
    if old is not None:
        _check_step(context, old, talos, kubernetes)
    if kubernetes not in known.spec.compatible_kubernetes_versions:
        raise Refused(f'invalid kubernetes version "{kubernetes}": is not compatible with talos version "{talos}"')


def _check_step(context: Context, old: Resource, talos: str, kubernetes: str) -> None:
    initial = context.find(CLUSTER_CONFIG_VERSION, old.id)
    if initial is not None:
        first, then = versions.tolerant(initial.spec.version), versions.tolerant(talos)
        if (then.major, then.minor) < (first.major, first.minor):
            shown = initial.spec.version.removeprefix("v")
            raise Refused(f'downgrading from version "{shown}" to "{talos}" is not supported')
    if kubernetes == old.spec.kubernetes_version:
        return
    status = context.find(KUBERNETES_UPGRADE_STATUS, old.id)
    if status is not None and status.spec.last_upgrade_version == kubernetes:
        return  # reverts an upgrade that has started
    if upgrade_path(old.spec.kubernetes_version, kubernetes):
        raise Refused(
            f'kubernetes version is not supported for upgrade to "{kubernetes}" from "{old.spec.kubernetes_version}"'
        )
