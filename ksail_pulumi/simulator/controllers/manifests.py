"""KubernetesManifestGroups and the status of their objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_KUBERNETES_MANIFESTS_STATUS,
    KUBERNETES_MANIFEST_GROUP,
    KUBERNETES_STATUS,
    LABEL_CLUSTER,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator import goyaml
from ksail_pulumi.simulator.controllers.engine import Controller, Keys, its_cluster, own_id

OWNER = "ClusterKubernetesManifestsStatusController"
APPLY_ERROR = "retryable error occurred while applying manifests"
PENDING, APPLIED, DELETING = 1, 2, 3
"""Phases of an object; the phase of a group is one higher."""
FULL = specs_pb2.KubernetesManifestGroupSpec.FULL
CLUSTER_SCOPED = frozenset(
    (
        "APIService",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "CSIDriver",
    )
)
NAMESPACED = frozenset(
    (
        "ConfigMap",
        "CronJob",
        "DaemonSet",
        "Deployment",
        "EndpointSlice",
        "Endpoints",
        "HorizontalPodAutoscaler",
        "Ingress",
        "Job",
        "Lease",
        "LimitRange",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "Pod",
        "PodDisruptionBudget",
        "ReplicaSet",
        "ResourceQuota",
        "Role",
        "RoleBinding",
        "Secret",
        "Service",
        "ServiceAccount",
        "StatefulSet",
    )
)


@dataclass(frozen=True)
class _Object:
    """The identity of the object in a manifest."""

    kind: str
    name: str
    namespace: str
    group: str
    defines: str = ""

    @property
    def key(self) -> str:
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


class ManifestsStatus(Controller):
    """Applies manifest groups and writes ClusterKubernetesManifestsStatuses."""

    def watches(self) -> Mapping[ResourceType, Keys]:
        return {KUBERNETES_MANIFEST_GROUP: its_cluster, KUBERNETES_STATUS: own_id}

    def delay(self, key: str) -> float:
        status = self.runtime.find(CLUSTER_KUBERNETES_MANIFESTS_STATUS, key)
        return self.runtime.timings.manifests if status is not None else self.runtime.timings.cluster_resource

    def reconcile(self, key: str) -> None:
        cluster = self.runtime.find(CLUSTER, key)
        if cluster is None or cluster.tearing_down or OWNER not in cluster.finalizers:
            return
        if self.runtime.find(KUBERNETES_STATUS, key) is None:
            return
        current = self.runtime.find(CLUSTER_KUBERNETES_MANIFESTS_STATUS, key)
        before = specs_pb2.ClusterKubernetesManifestsStatusSpec() if current is None else current.spec
        spec = specs_pb2.ClusterKubernetesManifestsStatusSpec()
        groups = self._groups(key) if current is not None else {}
        known = CLUSTER_SCOPED | NAMESPACED | {item.defines for objects in groups.values() for item in objects[1]}
        for group_id, (group, objects) in groups.items():
            seen = set(before.groups[group_id].manifests) if group_id in before.groups else set()
            self._apply(spec, group, objects, {item.key for item in objects if item.key in seen and item.kind in known})
            if any(item.key in seen and item.kind not in known for item in objects):
                spec.last_error = APPLY_ERROR
        for group_id, gone in before.groups.items():
            if group_id not in groups and gone.mode == FULL and gone.phase == APPLIED + 1:
                status = spec.groups[group_id]
                status.CopyFrom(gone)
                status.phase = DELETING + 1  # type: ignore[assignment]
                for item in status.manifests.values():
                    item.phase = DELETING  # type: ignore[assignment]
        phases = [item.phase for group in spec.groups.values() for item in group.manifests.values()]
        spec.total, spec.out_of_sync = len(phases), sum(phase != APPLIED for phase in phases)
        self.runtime.store.put(Resource(CLUSTER_KUBERNETES_MANIFESTS_STATUS, key, spec, owner=OWNER))
        if spec != before:
            self.enqueue(key, self.runtime.timings.manifests)

    def _groups(self, key: str) -> dict[str, tuple[Resource, list[_Object]]]:
        groups = self.runtime.store.list(KUBERNETES_MANIFEST_GROUP, {LABEL_CLUSTER: key})
        return {group.id: (group, list(_objects(group.spec.data))) for group in groups if not group.tearing_down}

    def _apply(
        self,
        spec: specs_pb2.ClusterKubernetesManifestsStatusSpec,
        group: Resource,
        objects: list[_Object],
        applied: set[str],
    ) -> None:
        """Set the phase of the objects of a group: pending at first, applied the next time if possible."""
        status = spec.groups[group.id]
        status.mode = group.spec.mode
        for item in objects:
            manifest = status.manifests[item.key]
            manifest.phase = APPLIED if item.key in applied else PENDING  # type: ignore[assignment]
            manifest.kind, manifest.name = item.kind, item.name
            manifest.namespace, manifest.group = item.namespace, item.group
        done = all(item.phase == APPLIED for item in status.manifests.values())
        status.phase = APPLIED + 1 if done else PENDING + 1  # type: ignore[assignment]


def _objects(text: str) -> Iterator[_Object]:
    try:
        documents = goyaml.load_all(text)
    except yaml.YAMLError:
        return
    for document in documents:
        if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
            continue
        kind, metadata = str(document.get("kind", "")), document["metadata"]
        group, slash, _ = str(document.get("apiVersion", "")).partition("/")
        namespace = "" if kind in CLUSTER_SCOPED else str(metadata.get("namespace", "default"))
        defines = ""
        if kind == "CustomResourceDefinition" and isinstance(document.get("spec"), dict):
            names = document["spec"].get("names")
            defines = str(names.get("kind", "")) if isinstance(names, dict) else ""
        yield _Object(kind, str(metadata.get("name", "")), namespace, group if slash else "", defines)
