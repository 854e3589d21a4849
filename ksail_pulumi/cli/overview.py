"""What `list` and `info` show, read from Omni: all that is needed goes out at once and comes back in one round trip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ksail_pulumi.errors import NotFoundError
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_MACHINE_IDENTITY,
    CLUSTER_MACHINE_STATUS,
    CLUSTER_STATUS,
    KUBERNETES_UPGRADE_STATUS,
    LABEL_CLUSTER,
    LABEL_CONTROL_PLANE,
    LABEL_MACHINE_SET,
    TALOS_UPGRADE_STATUS,
    enum_name,
)
from ksail_pulumi.plan.ownership import Creation, OwnershipMark

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource

# Talos serves the Kubernetes API on this port of every control plane node.
KUBERNETES_PORT = 6443


@dataclass(frozen=True)
class Node:
    """A machine in a cluster.

    Attributes:
        id: The machine's UUID.
        hostname: Its name in Kubernetes, `""` until it has one.
        role: `control-plane` or `worker`.
        machine_set: The ID of its machine set.
        stage: Where it is: `RUNNING`, `BOOTING`, ... by Omni's names.
        addresses: Its IP addresses, those that Kubernetes knows.
    """

    id: str
    hostname: str
    role: str
    machine_set: str
    stage: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Cluster:
    """A cluster in one line.

    Attributes:
        name: Its name.
        phase: Omni's word for where it is: `RUNNING`, `SCALING_UP`, ...
        ready: Whether Omni calls it ready.
        healthy: How many of its machines are healthy.
        machines: How many machines it has.
        talos_version: The Talos version that runs; in an upgrade, the one that it comes from.
        talos_target: The Talos version that it is asked to run.
        kubernetes_version: As `talos_version`, for Kubernetes.
        kubernetes_target: As `talos_target`, for Kubernetes.
        owner: The Pulumi resource that made it, as `organization/project/stack/resource`; `""` for others.
        unfinished: Who began to create it, `user@host`, where the creation has not finished; `""` elsewhere.
    """

    name: str
    phase: str
    ready: bool
    healthy: int
    machines: int
    talos_version: str
    talos_target: str
    kubernetes_version: str
    kubernetes_target: str
    owner: str
    unfinished: str


@dataclass(frozen=True)
class Details:
    """A cluster with its nodes.

    Attributes:
        cluster: It in one line.
        endpoints: Where its Kubernetes API is served, one URL for each control plane node that has an address.
        nodes: Its machines, control plane first.
    """

    cluster: Cluster
    endpoints: tuple[str, ...]
    nodes: tuple[Node, ...]


def list_clusters(client: Client) -> list[Cluster]:
    """All clusters of the account, by name."""
    state = client.state
    types = (CLUSTER, CLUSTER_STATUS, TALOS_UPGRADE_STATUS, KUBERNETES_UPGRADE_STATUS)
    calls = [state.start_list(resource_type) for resource_type in types]
    clusters, *statuses = (call.result() for call in calls)
    by_id = [{status.id: status for status in group} for group in statuses]
    return [_cluster(cluster, *(group.get(cluster.id) for group in by_id)) for cluster in sorted(clusters, key=_id)]


def read_cluster(client: Client, name: str) -> Details:
    """One cluster with its nodes.

    Raises:
        NotFoundError: The account has no cluster of this name.
    """
    state = client.state
    types = (CLUSTER, CLUSTER_STATUS, TALOS_UPGRADE_STATUS, KUBERNETES_UPGRADE_STATUS)
    calls = [state.start_find(resource_type, name) for resource_type in types]
    labels = {LABEL_CLUSTER: name}
    machines = state.start_list(CLUSTER_MACHINE_STATUS, labels)
    identities = state.start_list(CLUSTER_MACHINE_IDENTITY, labels)
    cluster, *statuses = (call.result() for call in calls)
    if cluster is None:
        raise NotFoundError(f'cluster not found: {name} ("ksail-pulumi list" shows those of this account)')
    nodes = _nodes(machines.result(), identities.result())
    endpoints = [
        f"https://{_url_host(node.addresses[0])}:{KUBERNETES_PORT}"
        for node in nodes
        if node.role == "control-plane" and node.addresses
    ]
    return Details(_cluster(cluster, *statuses), tuple(endpoints), tuple(nodes))


def owner(cluster: Cluster) -> str:
    """The Pulumi resource that made a cluster, and whether it has finished."""
    return f"{cluster.owner} (creation not finished, by {cluster.unfinished})" if cluster.unfinished else cluster.owner


def _cluster(
    cluster: Resource, status: Resource | None, talos: Resource | None, kubernetes: Resource | None
) -> Cluster:
    creation = Creation.of(cluster)
    spec = status.spec if status else specs_pb2.ClusterStatusSpec()
    phase = enum_name(specs_pb2.ClusterStatusSpec.Phase, spec.phase)
    return Cluster(
        name=cluster.id,
        phase="DESTROYING" if cluster.tearing_down else phase,
        ready=spec.ready,
        healthy=spec.machines.healthy,
        machines=spec.machines.total,
        talos_version=talos.spec.last_upgrade_version if talos else "",
        talos_target=cluster.spec.talos_version,
        kubernetes_version=kubernetes.spec.last_upgrade_version if kubernetes else "",
        kubernetes_target=cluster.spec.kubernetes_version,
        owner=OwnershipMark.owner_of(cluster) or "",
        unfinished=creation.by if creation else "",
    )


def _nodes(machines: Iterable[Resource], identities: Iterable[Resource]) -> list[Node]:
    known = {identity.id: identity.spec for identity in identities}
    nodes = [_node(machine, known.get(machine.id, specs_pb2.ClusterMachineIdentitySpec())) for machine in machines]
    return sorted(nodes, key=lambda node: (node.role, node.machine_set, node.hostname, node.id))


def _node(machine: Resource, identity: specs_pb2.ClusterMachineIdentitySpec) -> Node:
    return Node(
        id=machine.id,
        hostname=identity.nodename,
        role="control-plane" if LABEL_CONTROL_PLANE in machine.labels else "worker",
        machine_set=machine.labels.get(LABEL_MACHINE_SET, ""),
        stage=enum_name(specs_pb2.ClusterMachineStatusSpec.Stage, machine.spec.stage),
        addresses=tuple(identity.node_ips),
    )


def _url_host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _id(resource: Resource) -> str:
    return resource.id
