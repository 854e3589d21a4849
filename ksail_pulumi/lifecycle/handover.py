"""Why objects cannot be applied, and the handover of those that another inventory keeps.

Omni does not take over an object of another inventory than its own, and then it applies no group of the cluster. Two
inventories may have objects that are ours: that of Talos, which since 1.13 lists what it has created (releases of this
package before groups of manifests let it create the objects of add-ons), and Omni's own of what is applied once (a
manifest whose mode was `one-time`). So these objects leave that inventory; they themselves stay as they are.
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
ONCE_INVENTORY = "omni-sync-one-time"
_OMNI = "omni-"
_INVENTORIES = "kube-system"


class Handover:
    """Called with the objects that are not applied; says why, and takes over those that may be."""

    def __init__(self, groups: Sequence[Group], kubernetes: Kubernetes, progress: Callable[[str], None]) -> None:
        self._groups = groups
        self._kubernetes = kubernetes
        self._progress = progress

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
            ours = [(item, owner) for group, item in found if (owner := _inventory(api, item)) in _takes(group)]
            if ours:
                self._progress(f"taking over {len(ours)} objects that another inventory has")
                for item, owner in ours:
                    _release(api, item, owner)
            return "; ".join(dict.fromkeys(_reasons(api, found, self._groups)))
        except OmniError:
            return ""  # Omni's own text has to do


def _takes(group: Group) -> tuple[str, ...]:
    """The inventories that a group takes objects from."""
    if group.once:
        return ()
    return (ONCE_INVENTORY, TALOS_INVENTORY) if group.ours else (ONCE_INVENTORY,)


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


def _release(api: KubernetesApi, item: KubernetesObject, inventory: str) -> None:
    """Take an object out of an inventory."""
    entry = f"{item.namespace}_{item.name.replace(':', '__')}_{item.group}_{item.kind}"
    api.patch("v1", "ConfigMap", _INVENTORIES, inventory, {"data": {entry: None}})
    release = {"metadata": {"annotations": {ANNOTATION_INVENTORY: None}}}
    api.patch(item.version, item.kind, item.namespace, item.name, release)
