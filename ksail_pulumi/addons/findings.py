"""What is told about add-ons before anything is written: what cannot be, what will stall, and what will happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.addons.patches import addon_patch_id, plain_patches, recorded
from ksail_pulumi.model.addons import ARGO_CD, CILIUM, FLANNEL, METRICS_SERVER, NONE, Addon
from ksail_pulumi.model.versions import parse_version
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.model.versions import Versions
    from ksail_pulumi.omni.resources import Resource

_PRUNES_SINCE = (1, 13)  # the Talos that remembers which objects it made


def addon_rules(spec: ClusterSpec, live: Sequence[Resource], *, bootstrapped: bool) -> Iterator[Problem]:
    """What cannot be, and what can no longer be changed, given the live resources of the cluster."""
    plain = plain_patches(spec)
    for field, _ in spec.addons.chosen():
        if place := plain.get(addon_patch_id(spec.name, field)):
            yield Problem((*place, "idOverride"), f"is the ID that addons.{field} has: keep one of the two")
    if bootstrapped and addon_patch_id(spec.name, "cni") not in plain:
        yield from _network_plugin(spec, live)


def _network_plugin(spec: ClusterSpec, live: Sequence[Resource]) -> Iterator[Problem]:
    cni_id = addon_patch_id(spec.name, "cni")
    found = next((each for each in live if each.id == cni_id), None)
    before = Addon(name=FLANNEL) if found is None else recorded(found)
    after = spec.addons.cni or Addon(name=FLANNEL)
    if before is None or (before.name, bool(before.url)) == (after.name, bool(after.url)):
        return
    change = f"{before.name} -> {after.name}" if before.name != after.name else f"how {after.name} is installed"
    yield Problem(
        ("addons", "cni"),
        f"the network plugin of a cluster that runs cannot be changed ({change}): its pods would lose their network; "
        f"keep {_title(before)}, or make a new cluster under another name and move over",
    )


def addon_warnings(spec: ClusterSpec, *, bootstrapped: bool) -> Iterator[str]:
    """What a new cluster will wait for in vain."""
    cni = spec.addons.cni
    if cni is not None and cni.name == NONE and spec.wait_for == "ready" and not bootstrapped:
        yield (
            "addons.cni is none: no node becomes ready before a network plugin is installed, and waitFor: ready "
            'waits for that; use waitFor: "running" if the plugin is installed after the cluster'
        )


def addon_forecast(
    spec: ClusterSpec,
    versions: Versions,
    *,
    creates: Iterable[Resource],
    updates: Iterable[tuple[Resource, Resource]],
    destroys: Iterable[Resource],
    new: bool,
) -> Iterator[str]:
    """What changes of resources do to components, a line for each.

    Args:
        spec: The cluster.
        versions: Its versions.
        creates: What is created.
        updates: What is changed, before and after.
        destroys: What is destroyed.
        new: Whether the cluster does not exist yet.
    """
    added = [component for each in creates if (component := recorded(each))]
    if new:
        if added:
            yield f"add-ons: {', '.join(map(_title, added))}"
        return
    for component in added:
        yield _added(component)
    for actual, desired in updates:
        before, after = recorded(actual), recorded(desired)
        if after is not None:
            if before is not None and before.name != after.name:
                yield _added(after)
                yield _removed(before, spec.name, versions)
            else:
                yield _changed(before, after, spec)
    for each in destroys:
        if removed := recorded(each):
            yield _removed(removed, spec.name, versions)


def outdates_manifests(updates: Iterable[tuple[Resource, Resource]]) -> bool:
    """Whether updates (before, after) change manifests that are applied already, which Talos itself does not update."""
    changed = (recorded(desired) for _, desired in updates)
    return any(component is not None and not _by_job(component) for component in changed)


def sync_command(cluster: str) -> str:
    """What brings Kubernetes to the manifests of its machines' configuration."""
    return f"omnictl cluster kubernetes manifest-sync {cluster} --dry-run=false"


def _by_job(component: Addon) -> bool:
    return component.name == ARGO_CD or (component.name == CILIUM and component.url is None)


def _title(component: Addon) -> str:
    return f"{component.name} {_detail(component)}".rstrip()


def _detail(component: Addon) -> str:
    return component.version or (f"from {component.url}" if component.url else "")


def _added(component: Addon) -> str:
    how = "; kubelets restart, to get certificates" if component.name == METRICS_SERVER else ""
    return f"{_title(component)} is added: Talos creates it in the cluster, without a reboot{how}"


def _changed(before: Addon | None, after: Addon, spec: ClusterSpec) -> str:
    same = before is not None and (before.version, before.url) == (after.version, after.url)
    change = f"{_title(after)} is changed" if before is None or same else f"{_title(before)} -> {_detail(after)}"
    if _by_job(after):
        return f"{change}: a Job in the cluster does that"
    if spec.wait_for != "ready":
        return f"{change}: it takes effect with `{sync_command(spec.name)}`, as Talos only creates what is missing"
    return f"{change}: Omni then syncs the manifests of the cluster; objects that the new ones do not have stay"


def _removed(component: Addon, cluster: str, versions: Versions) -> str:
    gone = f"{_title(component)} is taken out of the machine configuration, and Kubernetes keeps its objects"
    talos = parse_version(versions.talos)
    if not _by_job(component) and talos is not None and talos.line >= _PRUNES_SINCE:
        return f"{gone}: `{sync_command(cluster)}` deletes them, with all else that Talos made and is not configured"
    return f"{gone}: delete them with kubectl"
