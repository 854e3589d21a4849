"""What an account has, as typed data without secrets: the results of the functions for programs.

All of it can be read with the role Reader.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import InputError
from ksail_pulumi.lifecycle import overview
from ksail_pulumi.lifecycle.machines import matching
from ksail_pulumi.model.versions import parse_version
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    LABEL_AVAILABLE,
    MACHINE_CLASS,
    MACHINE_SET,
    MACHINE_STATUS,
    TALOS_EXTENSIONS,
    TALOS_VERSION,
    enum_name,
)
from ksail_pulumi.plan.machine_class import users_of
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.plan.versions import available_versions, resolve_versions
from ksail_pulumi.redaction import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.lifecycle.outputs import ClusterNode
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource


@dataclass(frozen=True, kw_only=True)
class ClusterInfo:
    """A cluster of the account, whoever made it.

    Attributes:
        name: Its name.
        cluster_uuid: Omni's UUID of the cluster; `""` while it has none.
        phase: Omni's name for its phase: `RUNNING`, `SCALING_UP`, …; `DESTROYING` while it is being deleted.
        ready: Whether all of the cluster is ready.
        healthy_machines: The number of machines that Omni calls healthy.
        machines: The number of machines that Omni counts.
        talos_version: The Talos version that the cluster is set to.
        running_talos_version: The Talos version that runs; during an upgrade, the one before it.
        kubernetes_version: The Kubernetes version that the cluster is set to.
        running_kubernetes_version: The Kubernetes version that runs; during an upgrade, the one before it.
        nodes: The machines, control plane first.
        owner: The Pulumi resource that manages it, as `organization/project/stack/resource`; `""` for none.
        created_by: Who began to create it, `user@host`, while the creation has not finished; else `""`.
        kubernetes_api: The URL of its Kubernetes API at Omni's proxy; `""` if not known, and in a list of clusters.
    """

    name: str
    cluster_uuid: str
    phase: str
    ready: bool
    healthy_machines: int
    machines: int
    talos_version: str
    running_talos_version: str
    kubernetes_version: str
    running_kubernetes_version: str
    nodes: list[ClusterNode]
    owner: str
    created_by: str
    kubernetes_api: str = ""


@dataclass(frozen=True, kw_only=True)
class MachineInfo:
    """A machine of the account.

    Attributes:
        id: Its ID.
        hostname: Its hostname; `""` while it has none.
        cluster: The cluster that it is in; `""` for none.
        role: `CONTROL_PLANE` or `WORKER` in a cluster, else `NONE`.
        available: Whether a cluster can take it.
        connected: Whether it is connected to Omni.
        talos_version: The Talos version that runs on it, without `v`.
        arch: Its architecture, such as `amd64`.
        addresses: Its IP addresses.
        labels: Its labels, Omni's own included. Selectors match these.
    """

    id: str
    hostname: str
    cluster: str
    role: str
    available: bool
    connected: bool
    talos_version: str
    arch: str
    addresses: list[str]
    labels: dict[str, str] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class TalosVersionInfo:
    """A Talos version that Omni supports.

    Attributes:
        version: The version.
        deprecated: Whether new clusters cannot have it.
        kubernetes_versions: The Kubernetes versions that it can run.
    """

    version: str
    deprecated: bool
    kubernetes_versions: list[str]


@dataclass(frozen=True, kw_only=True)
class VersionsInfo:
    """The versions that Omni supports.

    Attributes:
        talos_version: The Talos version of a new cluster for which none is given.
        kubernetes_version: The Kubernetes version of a new cluster for which none is given.
        talos_versions: All Talos versions, oldest first.
    """

    talos_version: str
    kubernetes_version: str
    talos_versions: list[TalosVersionInfo]


@dataclass(frozen=True, kw_only=True)
class ExtensionInfo:
    """A system extension for a Talos version.

    Attributes:
        name: Its name, for `system_extensions`.
        version: Its version.
        author: Its author.
        description: What it is.
        ref: Its container image.
        digest: The digest of the image.
    """

    name: str
    version: str
    author: str
    description: str
    ref: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class MachineClassInfo:
    """A machine class of the account.

    Attributes:
        name: Its name.
        match_labels: Its selectors; empty for a class with an infra provider.
        provider_id: Its infra provider; `""` for none.
        machine_sets: The IDs of the machine sets that use it.
        owner: The Pulumi resource that manages it, as `organization/project/stack/resource`; `""` for none.
    """

    name: str
    match_labels: list[str]
    provider_id: str
    machine_sets: list[str]
    owner: str


def cluster(client: Client, name: str) -> ClusterInfo:
    """One cluster; `NotFoundError` if there is none of this name."""
    return _cluster(overview.read_cluster(client, name))


def clusters(client: Client) -> list[ClusterInfo]:
    """All clusters, by name."""
    return [_cluster(each) for each in overview.list_clusters(client)]


def machines(client: Client, selector: str) -> list[MachineInfo]:
    """The machines that a selector matches, by ID; `""` matches all.

    Raises:
        InputError: The selector is not valid.
        OmniError: Omni did not answer.
    """
    return [_machine(each) for each in matching(client.state.list(MACHINE_STATUS), selector)]


def versions(client: Client) -> VersionsInfo:
    """The versions that Omni supports."""
    found = client.state.list(TALOS_VERSION)
    chosen = resolve_versions(None, None, found)
    usable = [each for each in found if not each.spec.unsupported and parse_version(each.id) is not None]
    return VersionsInfo(
        talos_version=chosen.talos,
        kubernetes_version=chosen.kubernetes,
        talos_versions=[
            TalosVersionInfo(
                version=each.id,
                deprecated=each.spec.deprecated,
                kubernetes_versions=list(each.spec.compatible_kubernetes_versions),
            )
            for each in sorted(usable, key=lambda each: parse_version(each.id) or ())
        ],
    )


def extensions(client: Client, talos_version: str) -> list[ExtensionInfo]:
    """The system extensions for a Talos version, by name; `""`: for the version of a new cluster.

    Raises:
        InputError: Omni has no extensions for this version.
        OmniError: Omni did not answer.
    """
    wanted = talos_version.removeprefix("v") or versions(client).talos_version
    found = client.state.find(TALOS_EXTENSIONS, wanted)
    if found is None:
        known = [each.version for each in versions(client).talos_versions]
        reason = f"Omni has no system extensions for {shown(wanted)}; {available_versions(wanted, known)}"
        raise InputError("talosVersion", reason)
    keys = ("name", "version", "author", "description", "ref", "digest")
    items = [ExtensionInfo(**{key: getattr(each, key) for key in keys}) for each in found.spec.items]
    return sorted(items, key=lambda each: each.name)


def machine_classes(client: Client) -> list[MachineClassInfo]:
    """All machine classes, by name."""
    classes, sets = client.state.start_list(MACHINE_CLASS), client.state.start_list(MACHINE_SET)
    used = sets.result()
    return [
        MachineClassInfo(
            name=each.id,
            match_labels=list(each.spec.match_labels),
            provider_id=each.spec.auto_provision.provider_id,
            machine_sets=[machine_set.id for machine_set in users_of(each.id, used)],
            owner=OwnershipMark.owner_of(each) or "",
        )
        for each in sorted(classes.result(), key=lambda each: each.id)
    ]


def _cluster(found: Mapping[str, Any]) -> ClusterInfo:
    return ClusterInfo(
        name=found["name"],
        cluster_uuid=found["clusterUuid"],
        phase=found["phase"],
        ready=found["ready"],
        healthy_machines=found["healthyMachines"],
        machines=found["machines"],
        talos_version=found["talosVersion"],
        running_talos_version=found["runningTalosVersion"],
        kubernetes_version=found["kubernetesVersion"],
        running_kubernetes_version=found["runningKubernetesVersion"],
        nodes=found["nodes"],
        owner=found["owner"],
        created_by=found["createdBy"],
        kubernetes_api=found.get("kubernetesApi", ""),
    )


def _machine(status: Resource) -> MachineInfo:
    spec = status.spec
    return MachineInfo(
        id=status.id,
        hostname=spec.network.hostname,
        cluster=spec.cluster or status.cluster,
        role=enum_name(specs_pb2.MachineStatusSpec.Role, spec.role),
        available=LABEL_AVAILABLE in status.labels,
        connected=spec.connected,
        talos_version=spec.talos_version.removeprefix("v"),
        arch=spec.hardware.arch,
        addresses=list(spec.network.addresses),
        labels=dict(status.labels),
    )
