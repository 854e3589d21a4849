"""A live copy of the statuses of one cluster, updated by watch events.

Conditions over machines are kept as sets, which each event updates for one machine. So the cost of an event does not
depend on the number of machines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.lifecycle.question import Question
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_BOOTSTRAP_STATUS,
    CLUSTER_DESTROY_STATUS,
    CLUSTER_KUBERNETES_MANIFESTS_STATUS,
    CLUSTER_MACHINE_STATUS,
    CLUSTER_STATUS,
    CLUSTER_UUID,
    KUBERNETES_UPGRADE_STATUS,
    LABEL_CONNECTED,
    LABEL_LOCKED_UPDATE,
    MACHINE_SET_STATUS,
    MACHINE_STATUS_LABELS,
    TALOS_UPGRADE_STATUS,
    machine_name,
)
from ksail_pulumi.redaction import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ksail_pulumi.omni.resources import Resource, ResourceType
    from ksail_pulumi.omni.state import State
    from ksail_pulumi.omni.watch import WatchEvent

BY_ID = (
    CLUSTER,
    CLUSTER_BOOTSTRAP_STATUS,
    CLUSTER_STATUS,
    CLUSTER_UUID,
    CLUSTER_DESTROY_STATUS,
    CLUSTER_KUBERNETES_MANIFESTS_STATUS,
    TALOS_UPGRADE_STATUS,
    KUBERNETES_UPGRADE_STATUS,
)
"""Types with one resource per cluster, whose ID is the cluster name. All others are found by their cluster label, which
some of these do not have (TalosUpgradeStatus)."""

LATE = (CLUSTER_KUBERNETES_MANIFESTS_STATUS, MACHINE_STATUS_LABELS)
"""Types that an older Omni does not have; it answers PERMISSION_DENIED for them."""

_RUNNING = specs_pb2.ClusterMachineStatusSpec.Stage.RUNNING
_CONNECTION_ERRORS = ("code = Unavailable", "code = DeadlineExceeded", "code = Canceled")


def start_reading(state: State, resource_type: ResourceType, cluster: str) -> Callable[[], list[Resource]]:
    """Start to read the resources of one type of a cluster; the result waits for them."""
    late = resource_type in LATE
    if resource_type in BY_ID:
        question = Question(resource_type, id=cluster, late=late)
    else:
        question = Question(resource_type, clusters=frozenset({cluster}), late=late)
    call = question.send(state)
    return lambda: list(question.answer(call))


def read_into(view: ClusterView, state: State, types: Iterable[ResourceType]) -> None:
    """Read these types of a cluster, all at once.

    Raises:
        OmniError: A call failed.
    """
    results = {each: start_reading(state, each, view.cluster) for each in types}
    for each, result in results.items():
        view.put(each, result())


class ClusterView:
    """The statuses of one cluster.

    Attributes:
        cluster: The cluster's name.
        applied: IDs of machines that are in stage RUNNING and have their current configuration.
        running: Those of `applied` that are ready.
        connected: IDs of machines that are connected to Omni.
        held: IDs of locked machines with a pending update.
        failures: Current failures: (type, ID) → Omni's text. Many are temporary.
    """

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster
        self.applied: set[str] = set()
        self.running: set[str] = set()
        self.connected: set[str] = set()
        self.held: set[str] = set()
        self.failures: dict[tuple[str, str], str] = {}
        self._resources: dict[str, dict[str, Resource]] = {}
        self._synced: set[str] = set()

    def apply(self, resource_type: ResourceType, event: WatchEvent) -> None:
        """Apply an event of the watch on `resource_type`."""
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
        """Replace all resources of a type."""
        for resource in resources:
            self._put(resource)
        self._synced.add(resource_type.name)

    def synced(self, types: Iterable[ResourceType]) -> bool:
        """Whether the copy of each of these types is complete."""
        return all(resource_type.name in self._synced for resource_type in types)

    def one(self, resource_type: ResourceType) -> Resource | None:
        """The resource of a type in `BY_ID`."""
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
        """`failures`, and locked machines with a pending update once nothing else is in progress."""
        if not self.held or len(self.held) + len(self.applied) < self.count(CLUSTER_MACHINE_STATUS):
            return self.failures
        return self.failures | {
            machine.key: f"machine {machine_name(machine)} is locked: its update waits until it is unlocked"
            for machine in self.all(CLUSTER_MACHINE_STATUS)
            if machine.id in self.held
        }

    def _put(self, resource: Resource) -> None:
        self._resources.setdefault(resource.type.name, {})[resource.id] = resource
        if resource.type == CLUSTER_MACHINE_STATUS:
            _move(self.applied, resource.id, into=_applied(resource))
            _move(self.running, resource.id, into=_applied(resource) and resource.spec.ready)
            _move(self.connected, resource.id, into=LABEL_CONNECTED in resource.labels)
            _move(self.held, resource.id, into=LABEL_LOCKED_UPDATE in resource.labels and not _applied(resource))
        failure = _failure(resource)
        if failure:
            self.failures[resource.key] = failure
        else:
            self.failures.pop(resource.key, None)

    def _remove(self, resource: Resource) -> None:
        self._resources.get(resource.type.name, {}).pop(resource.id, None)
        self.failures.pop(resource.key, None)
        if resource.type == CLUSTER_MACHINE_STATUS:
            for members in (self.applied, self.running, self.connected, self.held):
                members.discard(resource.id)


def _move(members: set[str], member: str, *, into: bool) -> None:
    (members.add if into else members.discard)(member)


def _applied(status: Resource) -> bool:
    return status.spec.stage == _RUNNING and status.spec.config_up_to_date and not status.tearing_down


def broken_connection(text: str) -> bool:
    """Whether an apply error is about the connection and not the configuration."""
    return any(code in text for code in _CONNECTION_ERRORS)


def _failure(resource: Resource) -> str:
    """The failure in a status, `""` for none."""
    spec = resource.spec
    if resource.tearing_down:
        return ""
    if resource.type == MACHINE_SET_STATUS and spec.phase == specs_pb2.MachineSetPhase.Failed:
        return f"machine set {resource.id} failed: {quoted(spec.error) or 'no reason given'}"
    if resource.type == CLUSTER_MACHINE_STATUS and spec.config_apply_status == specs_pb2.ConfigApplyStatus.FAILED:
        # A machine that reboots during an apply reports the broken connection as a failure until it is back, which
        # takes minutes on hardware.
        if broken_connection(spec.last_config_error):
            return ""
        return f"machine {machine_name(resource)} does not accept its configuration"
    if resource.type == TALOS_UPGRADE_STATUS and spec.phase == specs_pb2.TalosUpgradeStatusSpec.Phase.Failed:
        return f"the Talos upgrade failed: {quoted(spec.error or spec.status) or 'no reason given'}"
    if resource.type == KUBERNETES_UPGRADE_STATUS and spec.phase == specs_pb2.KubernetesUpgradeStatusSpec.Phase.Failed:
        return f"the Kubernetes upgrade failed: {quoted(spec.error or spec.status) or 'no reason given'}"
    return ""
