"""Which versions of Talos and Kubernetes a cluster gets."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.model.versions import ParsedVersion, Versions, newest, parse_version
from ksail_pulumi.problems import InvalidCluster, invalid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.omni.resources import Resource

_NO_VERSION = ParsedVersion(0, 0, 0, False, ())
_TALOS, _KUBERNETES = ("talosVersion",), ("kubernetesVersion",)


def versions_of(cluster: Resource) -> Versions:
    """The versions that a cluster in Omni is set to."""
    return Versions(cluster.spec.talos_version, cluster.spec.kubernetes_version)


def is_upgrade(spec: ClusterSpec, cluster: Resource) -> bool:
    """Whether a spec changes a version of a cluster in Omni. What it omits stays."""
    current = versions_of(cluster)
    wanted = (spec.talos_version or current.talos, spec.kubernetes_version or current.kubernetes)
    return wanted != (current.talos, current.kubernetes)


def resolve_versions(
    talos: str | None,
    kubernetes: str | None,
    talos_versions: Sequence[Resource],
    *,
    current: Versions | None = None,
) -> Versions:
    """Choose the versions that were not given and check those that were, by Omni's own rules.

    A version that was not given stays what the cluster has; a new cluster gets the newest that Omni supports: of Talos
    neither deprecated nor unsupported nor a pre-release, of Kubernetes the newest that this Talos is compatible with.

    Args:
        talos: The Talos version that was asked for.
        kubernetes: The Kubernetes version that was asked for.
        talos_versions: Omni's `TalosVersions`.
        current: What the cluster has; None for a new one.

    Raises:
        InvalidCluster: For `talosVersion` or `kubernetesVersion`, with what is available.
    """
    if current and talos in (None, current.talos) and kubernetes in (None, current.kubernetes):
        return current  # Omni checks nothing either as long as nothing changes
    known = {version.id: version.spec for version in talos_versions}
    was_deprecated = current is not None and current.talos in known and known[current.talos].deprecated
    usable = [text for text, spec in known.items() if not spec.unsupported and (was_deprecated or not spec.deprecated)]
    wanted = talos or (current.talos if current else newest(usable))
    if wanted is None:
        raise invalid(_TALOS, "Omni offers no supported Talos version")
    if not current or wanted != current.talos:
        _check_talos(wanted, known, usable)
    compatible = list(known[wanted].compatible_kubernetes_versions) if wanted in known else []
    chosen = kubernetes or (current.kubernetes if current else newest(compatible))
    if chosen is None:
        raise invalid(_TALOS, f"Omni knows no Kubernetes version for Talos {wanted}")
    if chosen not in compatible:
        raise invalid(_KUBERNETES, _incompatible(chosen, wanted, compatible, given=kubernetes is not None))
    return Versions(wanted, chosen)


def _check_talos(version: str, known: dict[str, object], usable: Sequence[str]) -> None:
    if version in usable:
        return
    available = available_versions(version, usable)
    if version not in known:
        raise invalid(_TALOS, f'invalid talos version "{version}": Omni does not know it; {available}')
    if not getattr(known[version], "unsupported", False):
        raise invalid(_TALOS, f'talos version "{version}" is no longer supported; {available}')
    raise invalid(_TALOS, f'talos version "{version}" is not supported by this Omni release; {available}')


def _incompatible(kubernetes: str, talos: str, compatible: Sequence[str], *, given: bool) -> str:
    reason = (
        f'invalid kubernetes version "{kubernetes}": is not compatible with talos version "{talos}"; '
        f"{available_versions(kubernetes, compatible)}"
    )
    return reason if given else f"{reason} (it was not given, so the cluster would keep {kubernetes})"


def available_versions(version: str, usable: Sequence[str]) -> str:
    """Say which versions there are, nearest first, and how many more."""
    if not usable:
        return "none is available"
    known = {text: parse_version(text) or _NO_VERSION for text in usable}
    ordered = sorted(usable, key=lambda text: known[text], reverse=True)
    if (wanted := parse_version(version)) is not None:
        ordered.sort(key=lambda text: _distance(wanted, known[text]))  # stable: the newer one of two equally near ones
    return f"available: {listing.names(ordered)}"


def between(current: ParsedVersion, wanted: ParsedVersion, usable: Sequence[str]) -> list[str]:
    """The newest release of each minor version on the way from one version to a later one, oldest first."""
    known = [(parsed, text) for text in usable if (parsed := parse_version(text)) and parsed.release]
    on_the_way = sorted(each for each in known if current.line < each[0].line < wanted.line)
    return list({parsed.line: text for parsed, text in on_the_way}.values())


def _distance(one: ParsedVersion, other: ParsedVersion) -> tuple[int, int, int]:
    """How far apart two versions are; a smaller number counts only where the larger ones are the same."""
    minor = abs(one.minor - other.minor) if one.major == other.major else 0
    patch = abs(one.patch - other.patch) if one.line == other.line else 0
    return abs(one.major - other.major), minor, patch


def possible_talos(
    wanted: Collection[str | None], clusters: Iterable[Resource], talos_versions: Sequence[Resource]
) -> set[str]:
    """The Talos versions that clusters may get.

    Args:
        wanted: What was asked for; None where nothing was.
        clusters: The clusters that exist.
        talos_versions: Omni's `TalosVersions`.
    """
    found = {version for version in wanted if version is not None}
    if None in wanted:
        found.update(cluster.spec.talos_version for cluster in clusters)
        with suppress(InvalidCluster):
            found.add(resolve_versions(None, None, talos_versions).talos)
    return found
