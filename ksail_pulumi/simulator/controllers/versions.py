"""The versions that a cluster can be upgraded to."""

from __future__ import annotations

from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_CONFIG_VERSION,
    KUBERNETES_VERSION,
    TALOS_VERSION,
    Resource,
)
from ksail_pulumi.simulator.controllers.engine import Runtime


def parts(version: str) -> tuple[int, ...]:
    """A version as comparable numbers, without what follows a hyphen."""
    return tuple(int(part) for part in version.removeprefix("v").split("-")[0].split("."))


def talos_upgrades(runtime: Runtime, cluster: Resource) -> list[str]:
    """The Talos versions for an upgrade: not below the minor version that the cluster was created with."""
    current = runtime.find(TALOS_VERSION, cluster.spec.talos_version)
    initial = runtime.find(CLUSTER_CONFIG_VERSION, cluster.id)
    floor = parts(initial.spec.version)[:2] if initial is not None else parts(cluster.spec.talos_version)[:2]
    versions = current.spec.upgradable_talos_versions if current is not None else ()
    return sorted((version for version in versions if parts(version)[:2] >= floor), key=parts)


def kubernetes_upgrades(runtime: Runtime, cluster_name: str, current: str) -> list[str]:
    """The Kubernetes versions for an upgrade: the same or next minor version, if its Talos supports it."""
    cluster = runtime.find(CLUSTER, cluster_name)
    talos = None if cluster is None else runtime.find(TALOS_VERSION, cluster.spec.talos_version)
    if talos is None:
        return []
    major, minor = parts(current)[:2]
    known = (resource.id for resource in runtime.store.list(KUBERNETES_VERSION))
    reachable = {(major, minor), (major, minor + 1)}
    fits = (version for version in known if version in talos.spec.compatible_kubernetes_versions and version != current)
    return sorted((version for version in fits if parts(version)[:2] in reachable), key=parts)
