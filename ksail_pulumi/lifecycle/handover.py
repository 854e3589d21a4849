"""Why objects cannot be applied, and the handover of those that Talos has created to the groups of add-ons.

Releases of this package before groups of manifests let Talos create the objects of add-ons. Since 1.13, Talos keeps an
inventory of what it has created, and Omni does not take over an object of another inventory: no group of the cluster is
applied then. So the objects leave the inventory of Talos; they themselves stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.errors import OmniError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ksail_pulumi.lifecycle.kubernetes import Kubernetes
    from ksail_pulumi.lifecycle.waiting.applied import Group
    from ksail_pulumi.model.objects import KubernetesObject
    from ksail_pulumi.omni.kubernetes import KubernetesApi

ANNOTATION_INVENTORY = "config.k8s.io/owning-inventory"
TALOS_INVENTORY = "talos-bootstrap-manifests-inventory"
_OMNI = "omni-"
_INVENTORIES = "kube-system"


class Handover:
    """Called with the objects that are not applied; says why, and takes over those that Talos keeps."""

    def __init__(self, groups: Sequence[Group], kubernetes: Kubernetes, progress: Callable[[str], None]) -> None:
        self._groups = groups
        self._kubernetes = kubernetes
        self._progress = progress

    def __call__(self, waiting: Sequence[str]) -> str:
        found = [(group, item) for group in self._groups for item in group.objects if str(item) in waiting]
        try:
            api = self._kubernetes.api()
            kept = [(group, item) for group, item in found if _inventory(api, item) == TALOS_INVENTORY]
            if ours := [item for group, item in kept if group.ours]:
                self._progress(f"taking over {len(ours)} objects of add-ons from Talos")
                for item in ours:
                    _release(api, item)
            return "; ".join(dict.fromkeys(_reasons(api, found, self._groups)))
        except OmniError:
            return ""  # Omni's own text has to do


def _reasons(
    api: KubernetesApi, found: Sequence[tuple[Group, KubernetesObject]], groups: Sequence[Group]
) -> Iterator[str]:
    """Why objects cannot be applied, as far as the API shows it."""
    made = {item.name for group in groups for item in group.objects if item.kind == "Namespace"}
    for group, item in found[: listing.LIMIT]:
        what = f"{item} of {group.title}"
        if not api.knows(item.version, item.kind):
            yield f"{what}: Kubernetes has no kind {item.kind} in {item.version}"
        elif item.namespace and item.namespace not in made and not api.find("v1", "Namespace", "", item.namespace):
            yield f"{what}: there is no namespace {item.namespace}"
        elif (owner := _inventory(api, item)) and not owner.startswith(_OMNI):
            yield f"{what} belongs to the inventory {owner}: delete the object, or remove it from the manifest"


def _inventory(api: KubernetesApi, item: KubernetesObject) -> str:
    """The inventory that an object belongs to; `""` for none."""
    live = api.find(item.version, item.kind, item.namespace, item.name)
    annotations = (live or {}).get("metadata", {}).get("annotations") or {}
    return str(annotations.get(ANNOTATION_INVENTORY) or "")


def _release(api: KubernetesApi, item: KubernetesObject) -> None:
    """Take an object out of Talos' inventory."""
    entry = f"{item.namespace}_{item.name.replace(':', '__')}_{item.group}_{item.kind}"
    api.patch("v1", "ConfigMap", _INVENTORIES, TALOS_INVENTORY, {"data": {entry: None}})
    release = {"metadata": {"annotations": {ANNOTATION_INVENTORY: None}}}
    api.patch(item.version, item.kind, item.namespace, item.name, release)
