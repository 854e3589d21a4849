"""What a preview says about add-ons: what is refused, what will stall, and what will happen."""

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
    """What is refused, given the live resources of the cluster."""
    plain = plain_patches(spec)
    for field, _ in spec.addons.chosen():
        if place := plain.get(addon_patch_id(spec.name, field)):
            yield Problem((*place, "idOverride"), f"is the ID of addons.{field}: keep one of the two")
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
        f"the network plugin of a running cluster cannot be changed ({change}): its pods would lose their network; "
        f"keep {_title(before)}, or create a new cluster under another name",
    )


def addon_warnings(spec: ClusterSpec, *, bootstrapped: bool) -> Iterator[str]:
    """What will never become ready in a new cluster."""
    cni = spec.addons.cni
    if cni is not None and cni.name == NONE and spec.wait_for == "ready" and not bootstrapped:
        yield (
            "addons.cni is none: no node becomes ready before a network plugin is installed, and "
            'waitFor: "ready" waits for that; use waitFor: "running" if you install the plugin after the cluster'
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
    """What changes of resources do to add-ons, a line for each.

    Args:
        spec: The cluster.
        versions: Its versions.
        creates: What is created.
        updates: What changes in its spec, before and after.
        destroys: What is destroyed.
        new: Whether the cluster does not exist yet.
    """
    added = [addon for each in creates if (addon := recorded(each))]
    if new:
        if added:
            yield f"add-ons: {', '.join(map(_title, added))}"
        return
    for addon in added:
        yield _added(addon)
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
    """Whether updates (before, after) change manifests that Kubernetes has already: Talos does not update those."""
    changed = (recorded(desired) for _, desired in updates)
    return any(addon is not None and not _by_job(addon) for addon in changed)


def sync_command(cluster: str) -> str:
    """The command that applies the manifests of the machines' configuration to Kubernetes."""
    return f"omnictl cluster kubernetes manifest-sync {cluster} --dry-run=false"


def _by_job(addon: Addon) -> bool:
    return addon.name == ARGO_CD or (addon.name == CILIUM and addon.url is None)


def _title(addon: Addon) -> str:
    return f"{addon.name} {_detail(addon)}".rstrip()


def _detail(addon: Addon) -> str:
    return addon.version or (f"from {addon.url}" if addon.url else "")


def _added(addon: Addon) -> str:
    how = "; kubelets restart to get certificates" if addon.name == METRICS_SERVER else ""
    return f"adds {_title(addon)}: Talos creates it in the cluster, without a reboot{how}"


def _changed(before: Addon | None, after: Addon, spec: ClusterSpec) -> str:
    same = before is not None and (before.version, before.url) == (after.version, after.url)
    change = f"changes {_title(after)}" if before is None or same else f"{_title(before)} -> {_detail(after)}"
    if _by_job(after):
        return f"{change}: a Job in the cluster installs it"
    if spec.wait_for != "ready":
        return f"{change}: run `{sync_command(spec.name)}` to apply it, because Talos only creates what is missing"
    return f"{change}: Omni then syncs the manifests of the cluster; objects that are no longer in them stay"


def _removed(addon: Addon, cluster: str, versions: Versions) -> str:
    gone = f"removes {_title(addon)} from the machine configuration; its objects stay in Kubernetes"
    talos = parse_version(versions.talos)
    if not _by_job(addon) and talos is not None and talos.line >= _PRUNES_SINCE:
        sync = f"`{sync_command(cluster)}`"
        return f"{gone}: {sync} deletes them, and all else that Talos created and that is no longer configured"
    return f"{gone}: delete them with kubectl"
