"""The nodes and control plane pods of the Kubernetes in a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_MACHINE,
    CLUSTER_MACHINE_IDENTITY,
    CLUSTER_STATUS,
    KUBERNETES_STATUS,
    LABEL_CLUSTER,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator.controllers.config import CONTROL_PLANE_COMPONENTS, KUBELET
from ksail_pulumi.simulator.controllers.control_plane import control_plane_ready
from ksail_pulumi.simulator.controllers.engine import Controller, Keys, Runtime, its_cluster, own_id
from ksail_pulumi.simulator.machines import EmulatedMachine

STEPS = 4
"""The most steps in which the nodes of a new cluster appear."""


def nodes_of(runtime: Runtime, cluster: str) -> dict[str, EmulatedMachine]:
    """The machines of a cluster by node name."""
    members = runtime.store.list(CLUSTER_MACHINE, {LABEL_CLUSTER: cluster})
    machines = (runtime.machines[member.id] for member in members if not member.tearing_down)
    return {machine.name: machine for machine in machines if machine.config is not None and not machine.maintenance}


class KubernetesStatus(Controller):
    """Writes KubernetesStatuses, starting some time after the first control plane machine is ready."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._up: dict[str, bool] = {}
        self._loading: set[str] = set()
        self._adding: set[str] = set()

    def watches(self) -> Mapping[ResourceType, Keys]:
        members = dict.fromkeys((CLUSTER_MACHINE, CLUSTER_MACHINE_IDENTITY), its_cluster)
        return {CLUSTER: own_id, CLUSTER_STATUS: own_id, **members}

    def delay(self, key: str) -> float:
        return self.runtime.timings.cluster_status + self.runtime.batch_delay(key)

    def machine_changed(self, machine: EmulatedMachine) -> Iterable[str]:
        return (machine.config.cluster,) if machine.config is not None and not machine.maintenance else ()

    def reconcile(self, key: str) -> None:
        cluster = self.runtime.find(CLUSTER, key)
        if cluster is None or cluster.tearing_down:
            self._up.pop(key, None)
            self._loading.discard(key)
            return
        if not self._up.get(key):
            self._wait(key)
            return
        current = self.runtime.find(KUBERNETES_STATUS, key)
        nodes = nodes_of(self.runtime, key)
        known = {node.nodename for node in current.spec.nodes} if current is not None else set()
        ready = {name: machine for name, machine in nodes.items() if name in known or machine.ready}
        new = sorted(set(ready) - known, key=lambda name: (not self._is_control_plane(nodes[name]), name))
        take = 0 if key in self._adding else max(1, -(-len(nodes) // STEPS))
        shown = sorted((known & set(ready)) | set(new[:take]))
        spec = specs_pb2.KubernetesStatusSpec()
        for name in shown:
            version = nodes[name].running_components.get(KUBELET, "")
            spec.nodes.add(nodename=name, kubelet_version=version, ready=nodes[name].ready)
            if self._is_control_plane(nodes[name]):
                pods = spec.static_pods.add(nodename=name)
                for app in CONTROL_PLANE_COMPONENTS:
                    version = nodes[name].running_components.get(app, "")
                    pods.static_pods.add(app=app, version=version, ready=nodes[name].ready)
        owner = "KubernetesStatusController"
        self.runtime.store.put(Resource(KUBERNETES_STATUS, key, spec, {LABEL_CLUSTER: key}, owner=owner))
        if new and take:
            self._adding.add(key)
            self.runtime.after(self.runtime.timings.node_ready, lambda: self._add_more(key))

    def _add_more(self, key: str) -> None:
        self._adding.discard(key)
        self.enqueue(key, 0)

    def _wait(self, key: str) -> None:
        """Start Kubernetes some time after its nodes, which first pull their images."""
        status = self.runtime.find(CLUSTER_STATUS, key)
        if key not in self._up and control_plane_ready(self.runtime, key):
            self._up[key] = False
            self.runtime.after(self.runtime.timings.kubernetes_alone, lambda: self._come_up(key))
        if status is not None and status.spec.ready and key not in self._loading:
            self._loading.add(key)
            self.runtime.after(self.runtime.timings.kubernetes, lambda: self._come_up(key))

    def _come_up(self, key: str) -> None:
        self._loading.discard(key)
        if self._up.get(key) is False:
            self._up[key] = True
            self.enqueue(key, 0)

    def _is_control_plane(self, machine: EmulatedMachine) -> bool:
        return machine.config is not None and machine.config.control_plane
