"""Clusters as they are in Omni, in the words of the resource's outputs: what `list` and `info` show."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypedDict

from ksail_pulumi.addons.marks import installed_addons
from ksail_pulumi.errors import NotFoundError, OmniError
from ksail_pulumi.lifecycle import facts
from ksail_pulumi.lifecycle.waiting.goal import Goal, goal_of
from ksail_pulumi.lifecycle.waiting.manifest_error import reported_error
from ksail_pulumi.lifecycle.waiting.view import BY_ID, ClusterView, start_reading
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_KUBERNETES_MANIFESTS_STATUS,
    CLUSTER_STATUS,
    CONFIG_PATCH,
    KUBERNETES_MANIFEST_GROUP,
    KUBERNETES_UPGRADE_STATUS,
    MACHINE_SET,
    MACHINE_SET_NODE,
    TALOS_UPGRADE_STATUS,
    Resource,
    enum_name,
)
from ksail_pulumi.plan.ownership import Creation, OwnershipMark

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ksail_pulumi.lifecycle.outputs import ClusterNode
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import ResourceType

_TYPES = (MACHINE_SET, MACHINE_SET_NODE, *Goal("", "ready").types)


class ClusterOverview(TypedDict):
    """A cluster, with the keys of the resource's outputs where it has them.

    Attributes:
        name: The cluster's name.
        clusterUuid: Omni's UUID of the cluster; `""` while it has none.
        phase: Omni's name for its phase: `RUNNING`, `SCALING_UP`, …; `DESTROYING` while it is being deleted.
        ready: Whether all of the cluster is ready, as `waitFor: ready` means it.
        healthyMachines: The number of machines that Omni calls healthy.
        machines: The number of machines that Omni counts.
        talosVersion: The Talos version that the cluster is set to.
        runningTalosVersion: The Talos version that runs; during an upgrade, the one before it. `""` at first.
        kubernetesVersion: The Kubernetes version that the cluster is set to.
        runningKubernetesVersion: The Kubernetes version that runs; during an upgrade, the one before it. `""` at first.
        nodes: The machines, control plane first.
        owner: The Pulumi resource that manages the cluster, as `organization/project/stack/resource`; `""` for none.
        createdBy: Who began to create the cluster, `user@host`, while the creation has not finished; else `""`.
    """

    name: str
    clusterUuid: str
    phase: str
    ready: bool
    healthyMachines: int
    machines: int
    talosVersion: str
    runningTalosVersion: str
    kubernetesVersion: str
    runningKubernetesVersion: str
    nodes: list[ClusterNode]
    owner: str
    createdBy: str


class ClusterAddon(TypedDict):
    """An add-on of a cluster.

    Attributes:
        name: Its name.
        version: Its release; `""` if its objects are given by the program or by a URL.
        state: What Omni reports about its groups of manifests: `APPLIED`, `PROGRESSING`, …; `""` if Talos creates it.
    """

    name: str
    version: str
    state: str


class ClusterDetails(ClusterOverview):
    """A cluster that is looked at on its own.

    Attributes:
        kubernetesApi: The URL of the Kubernetes API that kubeconfigs use, at Omni's proxy; `""` if not known.
        addons: The add-ons that this package has installed, in the order of their fields.
        manifestsError: What Omni cannot apply of the manifests; `""` for nothing.
    """

    kubernetesApi: str
    addons: list[ClusterAddon]
    manifestsError: str


def list_clusters(client: Client) -> list[ClusterOverview]:
    """All clusters of the account, by name, in one round trip.

    Raises:
        OmniError: Omni did not answer.
    """
    calls = {kind: client.state.start_list(kind) for kind in (CLUSTER, *_TYPES)}
    clusters = calls.pop(CLUSTER).result()
    found: dict[str, dict[ResourceType, list[Resource]]] = {cluster.id: {} for cluster in clusters}
    for kind, call in calls.items():
        for resource in call.result():
            name = resource.id if kind in BY_ID else resource.cluster
            if name in found:
                found[name].setdefault(kind, []).append(resource)
    return [_overview(cluster, found[cluster.id]) for cluster in sorted(clusters, key=lambda each: each.id)]


def not_found(name: str) -> NotFoundError:
    """The error for a cluster that the account does not have."""
    return NotFoundError(f"cluster not found: {name} (run `ksail-pulumi list` to see all clusters)")


def read_cluster(client: Client, name: str) -> ClusterDetails:
    """One cluster, in one round trip.

    Raises:
        NotFoundError: The account has no cluster of this name.
        OmniError: Omni did not answer.
    """
    results = {kind: start_reading(client.state, kind, name) for kind in (CLUSTER, *_TYPES)}
    manifests = _start_reading_manifests(client, name)
    kubernetes_url = client.management.start_kubernetes_url(name)
    parts = {kind: result() for kind, result in results.items()}
    if not parts[CLUSTER]:
        raise not_found(name)
    api = ""
    with suppress(OmniError):  # what is known of the cluster is shown without it
        api = kubernetes_url.result()
    addons, error = manifests()
    return {
        **_overview(parts[CLUSTER][0], parts),
        "kubernetesApi": api,
        "addons": addons,
        "manifestsError": error,
    }


def _start_reading_manifests(client: Client, cluster: str) -> Callable[[], tuple[list[ClusterAddon], str]]:
    """Start to read the add-ons of a cluster and the error of its manifests; nothing where Omni does not show them."""
    kinds = (CONFIG_PATCH, KUBERNETES_MANIFEST_GROUP, CLUSTER_KUBERNETES_MANIFESTS_STATUS)
    results = {kind: start_reading(client.state, kind, cluster) for kind in kinds}

    def read() -> tuple[list[ClusterAddon], str]:
        found: dict[ResourceType, list[Resource]] = {}
        for kind, result in results.items():
            with suppress(OmniError):  # an old Omni has no groups, and not everybody may read patches
                found[kind] = result()
        status = next(iter(found.get(CLUSTER_KUBERNETES_MANIFESTS_STATUS, ())), None)
        phases = {key: each.phase for key, each in status.spec.groups.items()} if status is not None else {}
        resources = [*found.get(CONFIG_PATCH, ()), *found.get(KUBERNETES_MANIFEST_GROUP, ())]
        addons: list[ClusterAddon] = [
            {"name": each.name, "version": each.version, "state": _state([phases.get(group) for group in each.groups])}
            for each in installed_addons(resources)
        ]
        return addons, reported_error(status)

    return read


def _state(phases: Sequence[int | None]) -> str:
    """The phase of the group that is the least far."""
    known = [phase or 0 for phase in phases]
    return enum_name(specs_pb2.ClusterKubernetesManifestsStatusSpec.GroupStatus.Phase, min(known)) if known else ""


def _overview(cluster: Resource, parts: Mapping[ResourceType, list[Resource]]) -> ClusterOverview:
    view = ClusterView(cluster.id)
    for kind in _TYPES:
        view.put(kind, parts.get(kind, []))
    goal = goal_of(cluster, [*parts.get(MACHINE_SET, ()), *parts.get(MACHINE_SET_NODE, ())])
    known = facts.outputs({}, view, goal, None)
    status = view.one(CLUSTER_STATUS)
    creation = Creation.of(cluster)
    return {
        "name": cluster.id,
        "clusterUuid": known.cluster_uuid,
        "phase": "DESTROYING" if cluster.tearing_down else known.phase,
        "ready": known.ready and not cluster.tearing_down,
        "healthyMachines": status.spec.machines.healthy if status else 0,
        "machines": status.spec.machines.total if status else 0,
        "talosVersion": cluster.spec.talos_version,
        "runningTalosVersion": facts.running_version(view.one(TALOS_UPGRADE_STATUS)),
        "kubernetesVersion": cluster.spec.kubernetes_version,
        "runningKubernetesVersion": facts.running_version(view.one(KUBERNETES_UPGRADE_STATUS)),
        "nodes": list(known.nodes),
        "owner": OwnershipMark.owner_of(cluster) or "",
        "createdBy": creation.by if creation else "",
    }
