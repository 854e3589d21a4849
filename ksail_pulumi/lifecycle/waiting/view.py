"""A live copy of what Omni tells about one cluster, kept by watch events.

The conditions over machines are kept as sets that each event moves one machine in or out of, so that an event costs the
same with three machines as with thousands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_DESTROY_STATUS,
    CLUSTER_MACHINE_STATUS,
    CLUSTER_STATUS,
    CLUSTER_UUID,
    KUBERNETES_UPGRADE_STATUS,
    LABEL_CONNECTED,
    LABEL_LOCKED_UPDATE,
    MACHINE_SET_STATUS,
    TALOS_UPGRADE_STATUS,
    machine_name,
)
from ksail_pulumi.redaction import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ksail_pulumi.omni.resources import Resource, ResourceType
    from ksail_pulumi.omni.watch import WatchEvent

BY_ID = (CLUSTER, CLUSTER_STATUS, CLUSTER_UUID, CLUSTER_DESTROY_STATUS, TALOS_UPGRADE_STATUS, KUBERNETES_UPGRADE_STATUS)
"""Types with one resource a cluster, its ID the cluster's name. All others are found by their cluster label, which some
of these do not carry (TalosUpgradeStatus)."""

_RUNNING = specs_pb2.ClusterMachineStatusSpec.Stage.RUNNING
_CONNECTION_ERRORS = ("code = Unavailable", "code = DeadlineExceeded", "code = Canceled")


class ClusterView:
    """What Omni tells about one cluster.

    Attributes:
        cluster: The cluster's name.
        running: IDs of the machines that are in stage RUNNING, ready, with their configuration up to date.
        connected: IDs of the machines that Omni has a connection to.
        held: IDs of the machines that are locked and have an update waiting.
        failures: Failures that the statuses report now: (type, ID) → Omni's text. Many of them pass by themselves.
    """

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster
        self.running: set[str] = set()
        self.connected: set[str] = set()
        self.held: set[str] = set()
        self.failures: dict[tuple[str, str], str] = {}
        self._resources: dict[str, dict[str, Resource]] = {}
        self._synced: set[str] = set()

    def apply(self, resource_type: ResourceType, event: WatchEvent) -> None:
        """Take in one event of the watch on `resource_type`."""
        match event.kind:
            case "resync":
                self._synced.discard(resource_type.name)
                for resource in self.all(resource_type):
                    self._remove(resource)
            case "bootstrapped":
                self._synced.add(resource_type.name)
            case "destroyed":
                if event.resource is not None:
                    self._remove(event.resource)
            case _:
                if event.resource is not None:
                    self._put(event.resource)

    def put(self, resource_type: ResourceType, resources: Iterable[Resource]) -> None:
        """Take in all resources of a type, as they were read."""
        for resource in resources:
            self._put(resource)
        self._synced.add(resource_type.name)

    def synced(self, types: Iterable[ResourceType]) -> bool:
        """Whether the copy of each of these types is whole."""
        return all(resource_type.name in self._synced for resource_type in types)

    def one(self, resource_type: ResourceType) -> Resource | None:
        """The cluster's resource of a type of `BY_ID`."""
        return self._resources.get(resource_type.name, {}).get(self.cluster)

    def get(self, resource_type: ResourceType, id: str) -> Resource | None:  # noqa: A002
        return self._resources.get(resource_type.name, {}).get(id)

    def all(self, resource_type: ResourceType) -> list[Resource]:
        """All known resources of a type, by ID."""
        known = self._resources.get(resource_type.name, {})
        return [known[key] for key in sorted(known)]

    def count(self, resource_type: ResourceType) -> int:
        return len(self._resources.get(resource_type.name, {}))

    def standing_failures(self) -> dict[tuple[str, str], str]:
        """`failures`, and the machines that wait to be unlocked once nothing else is under way."""
        if not self.held or len(self.held) + len(self.running) < self.count(CLUSTER_MACHINE_STATUS):
            return self.failures
        return self.failures | {
            machine.key: f"machine {machine_name(machine)} is locked and waits with its update"
            for machine in self.all(CLUSTER_MACHINE_STATUS)
            if machine.id in self.held
        }

    def _put(self, resource: Resource) -> None:
        self._resources.setdefault(resource.type.name, {})[resource.id] = resource
        if resource.type == CLUSTER_MACHINE_STATUS:
            _move(self.running, resource.id, into=_runs(resource))
            _move(self.connected, resource.id, into=LABEL_CONNECTED in resource.labels)
            _move(self.held, resource.id, into=LABEL_LOCKED_UPDATE in resource.labels and not _runs(resource))
        failure = _failure(resource)
        if failure:
            self.failures[resource.key] = failure
        else:
            self.failures.pop(resource.key, None)

    def _remove(self, resource: Resource) -> None:
        self._resources.get(resource.type.name, {}).pop(resource.id, None)
        self.failures.pop(resource.key, None)
        if resource.type == CLUSTER_MACHINE_STATUS:
            self.running.discard(resource.id)
            self.connected.discard(resource.id)
            self.held.discard(resource.id)


def _move(members: set[str], member: str, *, into: bool) -> None:
    (members.add if into else members.discard)(member)


def _runs(status: Resource) -> bool:
    return (
        status.spec.stage == _RUNNING
        and status.spec.ready
        and status.spec.config_up_to_date
        and not status.tearing_down
    )


def broken_connection(text: str) -> bool:
    """Whether an error of an apply tells of the connection and not of the configuration."""
    return any(code in text for code in _CONNECTION_ERRORS)


def _failure(resource: Resource) -> str:
    """What the status calls a failure, `""` for none."""
    spec = resource.spec
    if resource.tearing_down:
        return ""
    if resource.type == MACHINE_SET_STATUS and spec.phase == specs_pb2.MachineSetPhase.Failed:
        return f"machine set {resource.id} failed: {quoted(spec.error) or 'Omni gives no reason'}"
    if resource.type == CLUSTER_MACHINE_STATUS and spec.config_apply_status == specs_pb2.ConfigApplyStatus.FAILED:
        # A machine that reboots in the middle of an apply reports a broken connection as the apply's failure until it
        # is back, which takes minutes on hardware. That is no fault of the configuration.
        if broken_connection(spec.last_config_error):
            return ""
        return f"machine {machine_name(resource)} does not accept its configuration"
    if resource.type == TALOS_UPGRADE_STATUS and spec.phase == specs_pb2.TalosUpgradeStatusSpec.Phase.Failed:
        return f"the Talos upgrade failed: {quoted(spec.error or spec.status) or 'Omni gives no reason'}"
    if resource.type == KUBERNETES_UPGRADE_STATUS and spec.phase == specs_pb2.KubernetesUpgradeStatusSpec.Phase.Failed:
        return f"the Kubernetes upgrade failed: {quoted(spec.error or spec.status) or 'Omni gives no reason'}"
    return ""
