"""What a plan knows of an Omni."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ksail_pulumi import listing
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.resources import Resource

INSTALL_DISK_API = 3
"""The API version of Omni from which install disks are resources of their own."""


@dataclass(frozen=True)
class Snapshot:
    """What was read of an Omni. What was not read stays empty, and nothing is concluded from it.

    Attributes:
        resources: Of this cluster: itself, its sets, nodes, patches and whatever else a user makes for it.
        clusters: The `Clusters` that were read.
        statuses: The `MachineStatuses` that were read.
        nodes: The `MachineSetNodes` that were read.
        talos_versions: Omni's `TalosVersions`.
        machine_classes: All `MachineClasses`; None if they were not read.
        kubernetes_upgrade: The cluster's `KubernetesUpgradeStatus`.
        cluster_uuid: The cluster's `ClusterUUID`.
        config_version: The cluster's `ClusterConfigVersion`, which holds the Talos version that it began with.
        bootstrap_status: The cluster's `ClusterBootstrapStatus`.
        features: Omni's `FeaturesConfig`.
        sys_version: Omni's `SysVersion`.
        machine_patches: The patches of machines in no particular cluster.
        talos_extensions: `TalosExtensions`, of whichever Talos versions were read.
        backups: Omni's `EtcdBackupOverallStatus`.
        members: The cluster's `ClusterMachineStatuses`.
    """

    resources: Sequence[Resource] = ()
    clusters: Sequence[Resource] = ()
    statuses: Sequence[Resource] = ()
    nodes: Sequence[Resource] = ()
    talos_versions: Sequence[Resource] = ()
    machine_classes: Sequence[Resource] | None = None
    kubernetes_upgrade: Resource | None = None
    config_version: Resource | None = None
    cluster_uuid: Resource | None = None
    bootstrap_status: Resource | None = None
    features: Resource | None = None
    sys_version: Resource | None = None
    machine_patches: Sequence[Resource] = ()
    talos_extensions: Sequence[Resource] = ()
    backups: Resource | None = None
    members: Sequence[Resource] = ()

    @cached_property
    def cluster(self) -> Resource | None:
        """The cluster's own resource; None if there is no such cluster."""
        return next((each for each in self.resources if each.type == omni.CLUSTER), None)

    def without(self, clusters: Collection[str]) -> Snapshot:
        """The same once these clusters have been deleted: their machines are wiped and back in the pool."""
        if not clusters:
            return self
        gone = self.cluster is not None and self.cluster.id in clusters
        left = replace(
            self,
            statuses=[_wiped(status) if status.cluster in clusters else status for status in self.statuses],
            nodes=[node for node in self.nodes if node.cluster not in clusters],
        )
        if not gone:
            return left
        return replace(
            left,
            resources=[],
            kubernetes_upgrade=None,
            cluster_uuid=None,
            config_version=None,
            bootstrap_status=None,
            members=[],
        )

    def machines_of(self, cluster: str) -> list[str]:
        """IDs of the machines of a cluster."""
        return sorted(node.id for node in self.nodes if node.cluster == cluster)

    @property
    def api_version(self) -> int:
        """Omni's API version; the newest that is known here if it was not read."""
        return self.sys_version.spec.backend_api_version if self.sys_version else INSTALL_DISK_API

    @property
    def began(self) -> str:
        """The Talos version that the cluster was created with, with its `v`; `""` if it was not read."""
        return self.config_version.spec.version if self.config_version else ""

    @property
    def bootstrapped(self) -> bool:
        """Whether the cluster has etcd."""
        return self.bootstrap_status is not None and self.bootstrap_status.spec.bootstrapped

    @cached_property
    def status_of(self) -> dict[str, Resource]:
        """The statuses by the machine's ID."""
        return {status.id: status for status in self.statuses}

    @cached_property
    def node_of(self) -> dict[str, Resource]:
        """The node that holds a machine, by the machine's ID."""
        return {node.id: node for node in self.nodes}

    def machine_name(self, machine: str) -> str:
        """The name of a machine in texts: with its hostname, where Omni knows one."""
        status = self.status_of.get(machine)
        return machine if status is None else omni.machine_name(status)

    def machine_names(self, machines: Sequence[str]) -> str:
        """The names of machines, the first few of many."""
        return listing.names(sorted(self.machine_name(machine) for machine in machines))


def relabelled(statuses: Sequence[Resource], labels: Mapping[str, Mapping[str, str | None]]) -> Sequence[Resource]:
    """The statuses once these labels of machines have been changed, by the machine's ID; None removes one."""
    return (
        [_relabelled(each, labels[each.id]) if each.id in labels else each for each in statuses] if labels else statuses
    )


def _relabelled(status: Resource, labels: Mapping[str, str | None]) -> Resource:
    kept = {key: value for key, value in status.labels.items() if key not in labels}
    return replace(status, labels={**kept, **{key: value for key, value in labels.items() if value is not None}})


def _wiped(status: Resource) -> Resource:
    """A machine's status once it has left its cluster."""
    spec = type(status.spec)()
    spec.CopyFrom(status.spec)
    spec.cluster = ""
    labels = {key: value for key, value in status.labels.items() if key != omni.LABEL_CLUSTER}
    if omni.LABEL_CONNECTED in labels:
        labels |= dict.fromkeys((omni.LABEL_AVAILABLE, omni.LABEL_READY_TO_USE, omni.LABEL_REPORTING_EVENTS), "")
    return replace(status, labels=labels, spec=spec)
