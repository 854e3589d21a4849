"""Why objects cannot be applied, and the handover of those that another inventory keeps.

Omni does not take over an object of another inventory than its own, and then it applies no group of the cluster. Two
inventories may have objects that are ours: that of Talos, which since 1.13 lists what it has created (releases of this
package before groups of manifests let it create the objects of add-ons), and Omni's own of what is applied once (a
manifest whose mode was `one-time`). So these objects leave that inventory; they themselves stay as they are.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.errors import OmniError
from ksail_pulumi.omni.kubernetes import AnswerError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from ksail_pulumi.lifecycle.kubernetes import Kubernetes
    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.lifecycle.waiting.applied import Group
    from ksail_pulumi.model.objects import KubernetesObject
    from ksail_pulumi.omni.kubernetes import KubernetesApi

ANNOTATION_INVENTORY = "config.k8s.io/owning-inventory"
TALOS_INVENTORY = "talos-bootstrap-manifests-inventory"
ONCE_INVENTORY = "omni-sync-one-time"
_OMNI = "omni-"
_INVENTORIES = "kube-system"
_TOKENS = "Secret/kube-system/bootstrap-token-"
_OF_TALOS = frozenset(
    {
        "ClusterRole/flannel",
        "ClusterRole/system:coredns",
        "ClusterRole/system:talos-nodes",
        "ClusterRoleBinding/flannel",
        "ClusterRoleBinding/kube-proxy",
        "ClusterRoleBinding/system-bootstrap-approve-node-client-csr",
        "ClusterRoleBinding/system-bootstrap-node-bootstrapper",
        "ClusterRoleBinding/system-bootstrap-node-renewal",
        "ClusterRoleBinding/system:coredns",
        "ClusterRoleBinding/system:talos-nodes",
        "ConfigMap/kube-system/coredns",
        "ConfigMap/kube-system/kube-flannel-cfg",
        "ConfigMap/kube-system/kube-proxy",
        "ConfigMap/kube-system/kubeconfig-in-cluster",
        "CustomResourceDefinition/serviceaccounts.talos.dev",
        "DaemonSet/kube-system/kube-flannel",
        "DaemonSet/kube-system/kube-proxy",
        "Deployment/kube-system/coredns",
        "Service/kube-system/kube-dns",
        "ServiceAccount/kube-system/coredns",
        "ServiceAccount/kube-system/flannel",
        "ServiceAccount/kube-system/kube-proxy",
    }
)
"""What Talos itself creates, as `internal/app/machined/pkg/controllers/k8s/internal/k8stemplates` of Talos has it."""


class Handover:
    """Called with the objects that are not applied; says why, and takes over those that may be."""

    def __init__(self, groups: Sequence[Group], kubernetes: Kubernetes, session: Session, cluster: str) -> None:
        self._groups = groups
        self._kubernetes = kubernetes
        self._session = session
        self._cluster = cluster
        self._shown: set[KubernetesObject] = set()

    def __call__(self, waiting: Sequence[str]) -> str:
        # Omni's status shows objects of its own other inventory as applied.
        found = [
            (group, item)
            for group in self._groups
            for item in group.objects
            if str(item) in waiting or (not waiting and group.before is not None)
        ]
        try:
            api = self._kubernetes.api()
            self._take_over(api, found)
            return "; ".join(dict.fromkeys(_reasons(api, found, self._groups)))
        except OmniError:
            return ""  # Omni's own text has to do

    def _take_over(self, api: KubernetesApi, found: Sequence[tuple[Group, KubernetesObject]]) -> None:
        ours = []
        for group, item in found:
            self._session.check_cancelled(f"waiting for the manifests of cluster {self._cluster}")
            # What cannot be read or changed now is tried again in the next round.
            with suppress(AnswerError):
                if (owner := _inventory(api, item)) in _takes(group, item):
                    ours.append((item, owner))
        # An object may have to be taken over again: that is shown once.
        if new := {item for item, _ in ours} - self._shown:
            self._session.progress(f"taking over {len(new)} objects that another inventory has")
            self._shown |= new
        for item, owner in ours:
            with suppress(AnswerError):
                _release(api, item, owner)


def _takes(group: Group, item: KubernetesObject) -> tuple[str, ...]:
    """The inventories that an object of a group is taken from."""
    if group.once:
        return ()
    talos = group.ours and str(item) not in _OF_TALOS and not str(item).startswith(_TOKENS)
    return (ONCE_INVENTORY, TALOS_INVENTORY) if talos else (ONCE_INVENTORY,)


def _reasons(
    api: KubernetesApi, found: Sequence[tuple[Group, KubernetesObject]], groups: Sequence[Group]
) -> Iterator[str]:
    """Why objects cannot be applied, as far as the API shows it."""
    made = {item.name for group in groups for item in group.objects if item.kind == "Namespace"}
    for group, item in found[: listing.LIMIT]:
        with suppress(AnswerError):
            if reason := _reason(api, item, made):
                yield f"{item} of {group.title}{reason}"


def _reason(api: KubernetesApi, item: KubernetesObject, made: Container[str]) -> str:
    if not api.knows(item.version, item.kind):
        return f": Kubernetes has no kind {item.kind} in {item.version}"
    if item.namespace and item.namespace not in made and not api.find("v1", "Namespace", "", item.namespace):
        return f": there is no namespace {item.namespace}"
    owner = _inventory(api, item)
    if owner and not owner.startswith(_OMNI):
        return f" belongs to the inventory {owner}: delete the object, or remove it from the manifest"
    return ""


def _inventory(api: KubernetesApi, item: KubernetesObject) -> str:
    """The inventory that an object belongs to; `""` for none."""
    live = api.find(item.version, item.kind, item.namespace, item.name)
    annotations = (live or {}).get("metadata", {}).get("annotations") or {}
    return str(annotations.get(ANNOTATION_INVENTORY) or "")


def _release(api: KubernetesApi, item: KubernetesObject, inventory: str) -> None:
    """Take an object out of an inventory."""
    entry = f"{item.namespace}_{item.name.replace(':', '__')}_{item.group}_{item.kind}"
    api.patch("v1", "ConfigMap", _INVENTORIES, inventory, {"data": {entry: None}})
    release = {"metadata": {"annotations": {ANNOTATION_INVENTORY: None}}}
    api.patch(item.version, item.kind, item.namespace, item.name, release)
