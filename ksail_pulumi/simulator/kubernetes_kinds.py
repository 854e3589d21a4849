"""The kinds of Kubernetes objects that an API server knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

DEFINITION = "CustomResourceDefinition"
_PLURALS = {"Endpoints": "endpoints"}
_BUILT_IN = {
    "v1": "ConfigMap Endpoints Event LimitRange Namespace* Node* PersistentVolume* PersistentVolumeClaim Pod "
    "ReplicationController ResourceQuota Secret Service ServiceAccount",
    "admissionregistration.k8s.io/v1": "MutatingWebhookConfiguration* ValidatingAdmissionPolicy* "
    "ValidatingAdmissionPolicyBinding* ValidatingWebhookConfiguration*",
    "apiextensions.k8s.io/v1": "CustomResourceDefinition*",
    "apiregistration.k8s.io/v1": "APIService*",
    "apps/v1": "DaemonSet Deployment ReplicaSet StatefulSet",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "batch/v1": "CronJob Job",
    "coordination.k8s.io/v1": "Lease",
    "discovery.k8s.io/v1": "EndpointSlice",
    "networking.k8s.io/v1": "Ingress IngressClass* NetworkPolicy",
    "node.k8s.io/v1": "RuntimeClass*",
    "policy/v1": "PodDisruptionBudget",
    "rbac.authorization.k8s.io/v1": "ClusterRole* ClusterRoleBinding* Role RoleBinding",
    "scheduling.k8s.io/v1": "PriorityClass*",
    "storage.k8s.io/v1": "CSIDriver* StorageClass*",
}
"""The kinds by version; those with `*` are in no namespace."""


@dataclass(frozen=True)
class Kind:
    """A kind of object.

    Attributes:
        version: Its group and version, as in `apiVersion`.
        name: Its name.
        plural: Its name in URLs.
        namespaced: Whether its objects are in namespaces.
    """

    version: str
    name: str
    plural: str
    namespaced: bool

    @property
    def group(self) -> str:
        return self.version.rpartition("/")[0]


def _plural(kind: str) -> str:
    name = kind.lower()
    if name.endswith("y"):
        return name[:-1] + "ies"
    return _PLURALS.get(kind) or name + ("es" if name.endswith("s") else "s")


BUILT_IN = tuple(
    Kind(version, name, _plural(name), written == name)
    for version, listed in _BUILT_IN.items()
    for written in listed.split()
    for name in (written.rstrip("*"),)
)


def defined_by(definitions: Iterable[Mapping[str, Any]]) -> list[Kind]:
    """The kinds that definitions of custom resources add."""
    return [kind for each in definitions for kind in _defined(each.get("spec"))]


def _defined(spec: Any) -> Iterable[Kind]:
    if not isinstance(spec, Mapping) or not isinstance(names := spec.get("names"), Mapping):
        return
    name = str(names.get("kind", ""))
    for version in spec.get("versions") or ({"name": "v1"},):
        plural = str(names.get("plural") or _plural(name))
        yield Kind(f"{spec.get('group')}/{version.get('name')}", name, plural, spec.get("scope") != "Cluster")
