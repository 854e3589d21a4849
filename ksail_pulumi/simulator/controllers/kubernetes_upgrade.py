"""Kubernetes upgrades: one component after the other, node by node, through Omni's own patches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_STATUS,
    CONFIG_PATCH,
    KUBERNETES_STATUS,
    KUBERNETES_UPGRADE_STATUS,
    LABEL_CLUSTER,
    LABEL_CLUSTER_MACHINE,
    LABEL_SYSTEM_PATCH,
    MACHINE_PENDING_UPDATES,
    MACHINE_SET_NODE,
    TALOS_UPGRADE_STATUS,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator.controllers.cluster_machine import machine_locked
from ksail_pulumi.simulator.controllers.config import CONTROL_PLANE_COMPONENTS, KUBELET
from ksail_pulumi.simulator.controllers.engine import Controller, Keys, Runtime, its_cluster, own_id
from ksail_pulumi.simulator.controllers.kubernetes_status import nodes_of
from ksail_pulumi.simulator.controllers.versions import kubernetes_upgrades, parts
from ksail_pulumi.simulator.machines import EmulatedMachine

UPGRADING, DONE, FAILED, REVERTING = 1, 2, 3, 4
OWNER = "KubernetesUpgradeStatusController"
NOT_READY = "waiting for the cluster to be ready"
RESTART = "waiting for a restart"
PULLS = 6
"""The most steps in which the images of an upgrade are pulled."""
Spec = specs_pb2.KubernetesUpgradeStatusSpec


@dataclass
class _Pull:
    """The images that are pulled before an upgrade."""

    version: str
    images: list[str]
    done: int = 0


class KubernetesUpgrade(Controller):
    """Upgrades every component of every node and writes KubernetesUpgradeStatuses."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._pulls: dict[str, _Pull] = {}

    def watches(self) -> Mapping[ResourceType, Keys]:
        types = (CLUSTER, CLUSTER_STATUS, KUBERNETES_STATUS, TALOS_UPGRADE_STATUS)
        members = (MACHINE_PENDING_UPDATES, MACHINE_SET_NODE)
        return {**dict.fromkeys(types, own_id), **dict.fromkeys(members, its_cluster)}

    def delay(self, key: str) -> float:
        return self.runtime.timings.kubernetes_upgrade + self.runtime.batch_delay(key)

    def machine_changed(self, machine: EmulatedMachine) -> Iterable[str]:
        return (machine.config.cluster,) if machine.config is not None and not machine.maintenance else ()

    def reconcile(self, key: str) -> None:
        cluster = self.runtime.find(CLUSTER, key)
        status = self.runtime.find(KUBERNETES_STATUS, key)
        if cluster is None or cluster.tearing_down or status is None or OWNER not in cluster.finalizers:
            return
        current = self.runtime.find(KUBERNETES_UPGRADE_STATUS, key)
        nodes = nodes_of(self.runtime, key)
        target = cluster.spec.kubernetes_version
        last = current.spec.last_upgrade_version if current is not None else ""
        missing = self._missing(status, nodes)
        behind = any(version != target for machine in nodes.values() for version in machine.running_components.values())
        if not last:
            spec = Spec(phase=UPGRADING, current_upgrade_version=target, status=missing)  # type: ignore[arg-type]
            if not missing:
                spec = self._done(key, self._oldest(nodes) or target)
                self.enqueue(key, self.runtime.timings.kubernetes_upgrade)
        elif not behind and not self._patched_to_other(nodes, target):
            spec = self._done(key, target)
            spec.status = self._unrest(key, nodes)
        else:
            spec = self._upgrade(key, last, target, nodes)
        labels = {LABEL_CLUSTER: key}
        self.runtime.store.put(Resource(KUBERNETES_UPGRADE_STATUS, key, spec, labels, owner=OWNER))

    def _done(self, key: str, version: str) -> Spec:
        self._pulls.pop(key, None)
        spec = Spec(phase=DONE, last_upgrade_version=version)  # type: ignore[arg-type]
        spec.upgrade_versions.extend(kubernetes_upgrades(self.runtime, key, version))
        return spec

    def _oldest(self, nodes: Mapping[str, EmulatedMachine]) -> str:
        """The oldest version that runs. While the cluster starts, the desired version may already be newer."""
        versions = {version for machine in nodes.values() for version in machine.running_components.values()}
        return min(versions, key=parts, default="")

    def _missing(self, status: Resource, nodes: Mapping[str, EmulatedMachine]) -> str:
        """The nodes that are not ready."""
        ready = {node.nodename for node in status.spec.nodes if node.ready}
        missing = sorted(set(nodes) - ready)
        return f"nodes {_quoted(missing)} are not ready" if missing else ""

    def _unrest(self, key: str, nodes: Mapping[str, EmulatedMachine]) -> str:
        """Omni's text about static pods while the cluster is not ready, for any reason."""
        status = self.runtime.find(CLUSTER_STATUS, key)
        if status is None or status.spec.ready:
            return ""
        names = sorted(name for name, machine in nodes.items() if machine.config and machine.config.control_plane)
        pods = [f"{name}/{app}" for name in names for app in CONTROL_PLANE_COMPONENTS]
        return f"static pods {_quoted(pods)} are not ready"

    def _upgrade(self, key: str, last: str, target: str, nodes: Mapping[str, EmulatedMachine]) -> Spec:
        """Do the next step of an upgrade."""
        spec = Spec(phase=UPGRADING, last_upgrade_version=last, current_upgrade_version=target)  # type: ignore[arg-type]
        if target == last:
            spec = Spec(phase=REVERTING, last_upgrade_version=last, step="reverting the change")  # type: ignore[arg-type]
        elif key not in self._pulls and not self._settled(key):
            spec.status = NOT_READY
            return spec
        elif (pulled := self._pull(key, last, target, nodes)) is not None:
            return pulled
        for name, machine, component in _order(nodes):
            if machine.running_components.get(component) != target:
                if spec.phase == UPGRADING:
                    spec.step = f"{name}: updating {component} to {target}"
                spec.status = self._update(key, name, machine, component, target)
                return spec
        return spec

    def _update(self, key: str, name: str, machine: EmulatedMachine, component: str, target: str) -> str:
        """Upgrade one component of one node if possible; returns what it waits for."""
        if machine.config is not None and machine.config.components.get(component) == target:
            return RESTART
        patch = self.runtime.find(CONFIG_PATCH, patch_id(machine.id))
        if patch is not None and dict(_images(patch)).get(component) == target:
            return NOT_READY
        if machine_locked(self.runtime, machine.id):
            return f"waiting for a machine from [{name}] to be unlocked"
        if not self._settled(key):
            return NOT_READY
        self._patch(key, machine, component, target)
        return RESTART

    def _settled(self, key: str) -> bool:
        """Whether the cluster is ready and no Talos upgrade is running."""
        talos = self.runtime.find(TALOS_UPGRADE_STATUS, key)
        status = self.runtime.find(CLUSTER_STATUS, key)
        return talos is not None and talos.spec.phase == DONE and status is not None and bool(status.spec.ready)

    def _pull(self, key: str, last: str, target: str, nodes: Mapping[str, EmulatedMachine]) -> Spec | None:
        """Pull the images on all nodes; None when done."""
        pull = self._pulls.get(key)
        first = Spec(phase=UPGRADING, last_upgrade_version=last, current_upgrade_version=target)  # type: ignore[arg-type]
        first.upgrade_versions.extend(kubernetes_upgrades(self.runtime, key, last))
        if pull is None or pull.version != target:
            images = [_image(component, target) for _, _, component in _order(nodes)]
            self._pulls[key] = _Pull(target, images)
            self.runtime.after(self.runtime.timings.image, lambda: self._pulled(key, target))
            return first
        if pull.done >= len(pull.images):
            return None
        if pull.done:
            first.step = f'pulled "{pull.images[pull.done - 1]}"'
            first.status = f"pre-pulling images ({pull.done}/{len(pull.images)})"
        return first

    def _pulled(self, key: str, target: str) -> None:
        pull = self._pulls.get(key)
        if pull is None or pull.version != target or pull.done >= len(pull.images):
            return
        pull.done = min(len(pull.images), pull.done + -(-len(pull.images) // PULLS) * 2)
        self.enqueue(key)
        self.runtime.after(self.runtime.timings.image, lambda: self._pulled(key, target))

    def _patch(self, key: str, machine: EmulatedMachine, component: str, target: str) -> None:
        current = self.runtime.find(CONFIG_PATCH, patch_id(machine.id))
        images = dict(_images(current)) if current is not None else {}
        labels = {LABEL_CLUSTER: key, LABEL_CLUSTER_MACHINE: machine.id, LABEL_SYSTEM_PATCH: ""}
        spec = specs_pb2.ConfigPatchSpec(data=patch_text({**images, component: target}))
        self.runtime.store.put(Resource(CONFIG_PATCH, patch_id(machine.id), spec, labels, owner=OWNER))

    def _patched_to_other(self, nodes: Mapping[str, EmulatedMachine], target: str) -> bool:
        """Whether a patch of a reverted upgrade still asks for another version."""
        for machine in nodes.values():
            patch = self.runtime.find(CONFIG_PATCH, patch_id(machine.id))
            if patch is not None and any(version != target for _, version in _images(patch)):
                return True
        return False


def patch_id(machine: str) -> str:
    """The ID of the patch by which Omni upgrades the Kubernetes components of a machine."""
    return f"900-cm-{machine}-kubernetes-upgrade"


def patch_text(images: Mapping[str, str]) -> str:
    """The patch that sets the versions of components, in the layout that Omni uses."""
    lines = ['version: ""']
    if KUBELET in images:
        lines += ["machine:", '    type: ""', '    token: ""', "    certSANs: []", "    kubelet:"]
        lines.append(f"        image: {_image(KUBELET, images[KUBELET])}")
    else:
        lines.append("machine: null")
    sections = {
        "apiServer": "kube-apiserver",
        "controllerManager": "kube-controller-manager",
        "proxy": "kube-proxy",
        "scheduler": "kube-scheduler",
    }
    if set(images) == {KUBELET}:
        return "\n".join((*lines, "cluster: null", ""))
    lines.append("cluster:")
    versions = {**images, "kube-proxy": images.get("kube-apiserver", "")}
    for section, component in sections.items():
        if versions.get(component):
            lines += [f"    {section}:", f"        image: {_image(component, versions[component])}"]
    return "\n".join((*lines, ""))


def _images(patch: Resource) -> Iterator[tuple[str, str]]:
    for line in patch.spec.data.splitlines():
        key, _, value = line.strip().partition(": ")
        if key == "image":
            name, _, version = value.rpartition(":v")
            component = name.rpartition("/")[2]
            if component != "kube-proxy":
                yield component, version


def _image(component: str, version: str) -> str:
    registry = "ghcr.io/siderolabs" if component == KUBELET else "registry.k8s.io"
    return f"{registry}/{component}:v{version}"


def _order(nodes: Mapping[str, EmulatedMachine]) -> Iterator[tuple[str, EmulatedMachine, str]]:
    """Every component of every node in the order of an upgrade: control plane components first, then the kubelets."""
    control = sorted(name for name, machine in nodes.items() if machine.config and machine.config.control_plane)
    for component in CONTROL_PLANE_COMPONENTS:
        for name in control:
            yield name, nodes[name], component
    for name in (*control, *sorted(set(nodes) - set(control))):
        yield name, nodes[name], KUBELET


def _quoted(names: list[str]) -> str:
    return "[" + " ".join(f'"{name}"' for name in names) + "]"
