"""What an older Omni lacks, and the version that has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ksail_pulumi.model.versions import parse_version
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.snapshot import Snapshot
    from ksail_pulumi.problems import FieldPath

_NEWEST_OF_API_1 = (1, 4)


@dataclass(frozen=True)
class _Use:
    """A field that needs a version of Omni."""

    path: FieldPath
    what: str
    since: tuple[int, int]


def lacking(spec: ClusterSpec, snapshot: Snapshot) -> Iterator[Problem]:
    """The fields that this Omni does not support."""
    yield from _lacking(_uses(spec), snapshot.sys_version)


def lacking_kernel_args(path: FieldPath, system: Resource | None) -> Iterator[Problem]:
    """Refuse kernel arguments if this Omni does not support them."""
    yield from _lacking([_kernel_args(path)], system)


def _lacking(uses: Iterable[_Use], sys_version: Resource | None) -> Iterator[Problem]:
    if sys_version is None:
        return
    system = sys_version.spec
    found = parse_version(system.backend_version)
    if found is not None:
        line = found.line
    elif system.backend_api_version == 1:
        line = _NEWEST_OF_API_1
    else:
        return  # a build without a version: assume that it has everything
    for use in uses:
        if line < use.since:
            major, minor = use.since
            reason = f"this Omni ({system.backend_version or f'API version {system.backend_api_version}'}) does not"
            yield Problem(use.path, f"{reason} support {use.what}: Omni {major}.{minor} or newer does")


def _kernel_args(path: FieldPath) -> _Use:
    return _Use(path, "kernel arguments", (1, 3))


def _uses(spec: ClusterSpec) -> Iterator[_Use]:
    for path, scope in spec.scopes():
        if scope.kernel_args is not None:
            yield _kernel_args((*path, "kernelArgs"))
    for index, machine_set in enumerate(spec.machine_sets):
        if machine_set.upgrade_strategy is not None:
            yield _Use((*spec.set_path(index), "upgradeStrategy"), "upgrade strategies", (1, 6))
    if spec.manifests:
        yield _Use(("manifests",), "manifests", (1, 7))
    if spec.health_checks:
        yield _Use(("healthChecks",), "health checks", (1, 9))
    if spec.features.enable_node_audit_skip:
        yield _Use(("features", "enableNodeAuditSkip"), "the exception from the node audit", (1, 9))
    if spec.features.disable_public_discovery_service:
        yield _Use(("features", "disablePublicDiscoveryService"), "clusters without public discovery service", (1, 10))
