"""The control plane of a cluster: etcd bootstrap, status, and load balancer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_BOOTSTRAP_STATUS,
    CLUSTER_MACHINE,
    CLUSTER_MACHINE_STATUS,
    CLUSTER_STATUS,
    CONTROL_PLANE_STATUS,
    KUBERNETES_STATUS,
    LABEL_CLUSTER,
    LABEL_CONTROL_PLANE,
    LOAD_BALANCER_STATUS,
    MACHINE_SET,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator.controllers.engine import Controller, Keys, Runtime, its_cluster, own_id
from ksail_pulumi.simulator.controllers.talos import Talos
from ksail_pulumi.simulator.machines import EmulatedMachine, Stage

ETCD, WIREGUARD_CONNECTION = 1, 2
READY = 1


def control_planes(runtime: Runtime, cluster: str) -> list[EmulatedMachine]:
    """The control plane machines of a cluster that are not being torn down."""
    members = runtime.store.list(CLUSTER_MACHINE, {LABEL_CLUSTER: cluster, LABEL_CONTROL_PLANE: None})
    return [runtime.machines[member.id] for member in members if not member.tearing_down]


def control_plane_ready(runtime: Runtime, cluster: str) -> bool:
    """Whether a control plane machine of a cluster is ready."""
    return any(machine.config is not None and machine.ready for machine in control_planes(runtime, cluster))


class ClusterBootstrap(Controller):
    """Starts etcd on the first control plane machine and writes ClusterBootstrapStatuses."""

    def __init__(self, runtime: Runtime, talos: Talos) -> None:
        super().__init__(runtime)
        self.talos = talos
        self._started: set[str] = set()

    def watches(self) -> Mapping[ResourceType, Keys]:
        return {CLUSTER_STATUS: own_id, CLUSTER_MACHINE: its_cluster, MACHINE_SET: its_cluster}

    def delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.control_plane

    def machine_changed(self, machine: EmulatedMachine) -> Iterable[str]:
        return (machine.config.cluster,) if machine.config is not None and machine.doing == "etcd" else ()

    def reconcile(self, key: str) -> None:
        status = self.runtime.find(CLUSTER_STATUS, key)
        current = self.runtime.find(CLUSTER_BOOTSTRAP_STATUS, key)
        if status is None or status.tearing_down:
            self._started.discard(key)
            self.runtime.dispose(CLUSTER_BOOTSTRAP_STATUS, key)
            return
        machines = control_planes(self.runtime, key)
        lost = not self.runtime.store.list(MACHINE_SET, {LABEL_CLUSTER: key, LABEL_CONTROL_PLANE: None}) or all(
            item.tearing_down
            for item in self.runtime.store.list(MACHINE_SET, {LABEL_CLUSTER: key, LABEL_CONTROL_PLANE: None})
        )
        if current is None or (lost and current.spec.bootstrapped):
            self._started.discard(key)
            self._tell(key, bootstrapped=False)
        elif current.spec.bootstrapped:
            for machine in machines:
                self.talos.bootstrapped(machine)
        elif key not in self._started and any(machine.doing == "etcd" for machine in machines):
            self._started.add(key)
            self.runtime.after(self.runtime.timings.bootstrap, lambda: self._bootstrapped(key))

    def _bootstrapped(self, key: str) -> None:
        waiting = [machine for machine in control_planes(self.runtime, key) if machine.doing == "etcd"]
        if not waiting or key not in self._started:
            self._started.discard(key)
            return
        self._tell(key, bootstrapped=True)
        for machine in waiting:
            self.talos.bootstrapped(machine)

    def _tell(self, key: str, *, bootstrapped: bool) -> None:
        spec = specs_pb2.ClusterBootstrapStatusSpec(bootstrapped=bootstrapped)
        owner = "ClusterBootstrapStatusController"
        self.runtime.store.put(Resource(CLUSTER_BOOTSTRAP_STATUS, key, spec, owner=owner))


class ControlPlaneStatus(Controller):
    """Writes ControlPlaneStatuses, from the moment a control plane machine runs etcd."""

    def watches(self) -> Mapping[ResourceType, Keys]:
        return {CLUSTER_MACHINE_STATUS: its_cluster, CLUSTER_BOOTSTRAP_STATUS: own_id}

    def delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.control_plane

    def reconcile(self, key: str) -> None:
        bootstrap = self.runtime.find(CLUSTER_BOOTSTRAP_STATUS, key)
        if bootstrap is None or not bootstrap.spec.bootstrapped:
            return
        for machine_set in self.runtime.store.list(MACHINE_SET, {LABEL_CLUSTER: key, LABEL_CONTROL_PLANE: None}):
            current = self.runtime.find(CONTROL_PLANE_STATUS, machine_set.id)
            if machine_set.tearing_down or (current is not None and current.tearing_down):
                continue
            if current is None and len(control_planes(self.runtime, key)) % 2 == 0:
                continue  # Omni's check of etcd fails at an even number of members, so it never writes the first one
            spec = specs_pb2.ControlPlaneStatusSpec()
            for condition in (WIREGUARD_CONNECTION, ETCD):
                spec.conditions.add(type=condition, status=READY)
            owner = "ControlPlaneStatusController"
            self.runtime.store.put(
                Resource(CONTROL_PLANE_STATUS, machine_set.id, spec, {LABEL_CLUSTER: key}, owner=owner)
            )


class LoadBalancer(Controller):
    """Writes LoadBalancerStatuses.

    A load balancer is healthy before its first check, unhealthy after it, and healthy again at the first check
    after Kubernetes has started.
    """

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._checking: set[str] = set()

    def watches(self) -> Mapping[ResourceType, Keys]:
        known = dict.fromkeys((CLUSTER, CLUSTER_STATUS, KUBERNETES_STATUS), own_id)
        return {**known, CLUSTER_MACHINE_STATUS: its_cluster}

    def delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.load_balancer

    def reconcile(self, key: str) -> None:
        status = self.runtime.find(CLUSTER_STATUS, key)
        cluster = self.runtime.find(CLUSTER, key)
        if status is None or status.tearing_down or cluster is None:
            self._checking.discard(key)
            return
        current = self.runtime.find(LOAD_BALANCER_STATUS, key)
        machines = control_planes(self.runtime, key)
        if cluster.tearing_down or not machines:
            self._tell(key, healthy=False, stopped=not machines)
        elif current is None or current.spec.stopped:
            self._tell(key, healthy=True, stopped=False) if current else self._tell(key, healthy=False, stopped=True)
            self.enqueue(key)
        elif current.spec.healthy and self.runtime.find(KUBERNETES_STATUS, key) is None:
            self._tell(key, healthy=False, stopped=False)
        if key not in self._checking and machines and self.runtime.find(KUBERNETES_STATUS, key) is not None:
            self._checking.add(key)
            self.runtime.after(self.runtime.timings.health_check, lambda: self._check(key))

    def _check(self, key: str) -> None:
        if key not in self._checking:
            return
        current = self.runtime.find(LOAD_BALANCER_STATUS, key)
        cluster = self.runtime.find(CLUSTER, key)
        if current is None or cluster is None or cluster.tearing_down or current.spec.stopped:
            self._checking.discard(key)
            return
        machines = control_planes(self.runtime, key)
        answers = any(machine.ready and self.runtime.reaches(machine) for machine in machines)
        rebooting = any(machine.stage == Stage.REBOOTING for machine in machines)
        self._tell(key, healthy=answers or (bool(current.spec.healthy) and rebooting), stopped=False)
        self.runtime.after(self.runtime.timings.health_check, lambda: self._check(key))

    def _tell(self, key: str, *, healthy: bool, stopped: bool) -> None:
        spec = specs_pb2.LoadBalancerStatusSpec(healthy=healthy, stopped=stopped)
        labels = {LABEL_CLUSTER: key}
        self.runtime.store.put(Resource(LOAD_BALANCER_STATUS, key, spec, labels, owner="LoadBalancerController"))
