"""What a preview says about add-ons: what is refused, what will stall, and what will happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.addons.groups import is_kept_definition, is_source
from ksail_pulumi.addons.patches import addon_patch_id, has_manifests, is_addon, plain_patches, recorded
from ksail_pulumi.model.addons import ARGO_CD, BUILT_IN, CILIUM, FLANNEL, METRICS_SERVER, NETWORK_PLUGINS, NONE, Addon
from ksail_pulumi.model.versions import parse_version
from ksail_pulumi.omni.resources import CONFIG_PATCH, KUBERNETES_MANIFEST_GROUP
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.model.versions import Versions
    from ksail_pulumi.omni.resources import Resource

_PRUNES_SINCE = (1, 13)  # the Talos that remembers which objects it made

_INSIDE = "all objects of these kinds and in these namespaces"
_INSTALLER = (
    "the account argocd-installer of the earlier release stays bound to cluster-admin: "
    "`kubectl delete clusterrolebinding argocd-installer` removes that"
)


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
    actual: Iterable[Resource],
    desired: Iterable[Resource],
    new: bool,
) -> Iterator[str]:
    """What happens to add-ons, a line for each.

    Args:
        spec: The cluster.
        versions: Its versions.
        actual: What Omni has of the cluster.
        desired: What should exist.
        new: Whether the cluster does not exist yet.
    """
    before, after = _Installed(actual), _Installed(desired)
    if new:
        if after.addons:
            yield f"add-ons: {', '.join(map(_title, after.addons.values()))}"
        return
    for name, addon in after.addons.items():
        if name not in before.addons:
            yield _added(addon, by_talos=name in after.by_talos)
        elif before.texts[name] != after.texts[name]:
            yield _changed(before.addons[name], addon, spec, moved=name in before.by_talos - after.by_talos)
    for name, addon in before.addons.items():
        if name not in after.addons:
            if name in before.by_talos:
                yield _removed_by_talos(addon, spec.name, versions, in_groups=after.in_groups)
            else:
                yield _removed(addon, spec, defines=name in before.defined)
    for name in sorted(before.sources - after.sources):
        yield f"removes the source of {name}: what {name} has deployed stays in Kubernetes"
    for name in sorted(before.defined - before.addons.keys() - after.defined):
        yield f"deletes the custom resource definitions and namespaces of {name}, and with them {_INSIDE}"


class _Installed:
    """The add-ons that resources stand for.

    Attributes:
        addons: The add-ons by name, in the order of their resources.
        texts: What their resources say, by name.
        by_talos: The names of those that Talos creates.
        defined: The names of those that have groups of definitions, also of those that were removed.
        sources: The names of those that have a source.
        in_groups: Whether any is in a group of manifests.
    """

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.addons: dict[str, Addon] = {}
        self.texts: dict[str, dict[str, str]] = {}
        self.by_talos: set[str] = set()
        self.defined: set[str] = set()
        self.sources: set[str] = set()
        self.in_groups = False
        for each in sorted(filter(is_addon, resources), key=lambda each: (each.type != CONFIG_PATCH, each.id)):
            addon = None if each.tearing_down else recorded(each)
            if addon is None:
                continue
            self.in_groups |= each.type == KUBERNETES_MANIFEST_GROUP
            if is_source(each):
                self.sources.add(addon.name)
            if is_kept_definition(each):
                self.defined.add(addon.name)
            else:
                self.addons.setdefault(addon.name, addon)
            if each.type == CONFIG_PATCH and (has_manifests(each) or addon.name in NETWORK_PLUGINS):
                self.by_talos.add(addon.name)
            self.texts.setdefault(addon.name, {})[each.id] = each.spec.data


def outdates_manifests(updates: Iterable[tuple[Resource, Resource]]) -> bool:
    """Whether updates (before, after) change manifests that Talos has created already: it does not update those."""
    return any(
        is_addon(desired)
        and desired.type == CONFIG_PATCH
        and has_manifests(desired)
        and (addon := recorded(desired)) is not None
        and not _by_job(addon)
        for _, desired in updates
    )


def sync_command(cluster: str) -> str:
    """The command that applies the manifests of the machines' configuration to Kubernetes."""
    return f"omnictl cluster kubernetes manifest-sync {cluster} --dry-run=false"


def _by_job(addon: Addon) -> bool:
    return addon.name == ARGO_CD or (addon.name == CILIUM and addon.url is None)


def _title(addon: Addon) -> str:
    return f"{addon.name} {_detail(addon)}".rstrip()


def _detail(addon: Addon) -> str:
    if addon.version or addon.name in BUILT_IN:
        return addon.version or ""
    return f"from {addon.url}" if addon.url else "(objects of the program)"


def _added(addon: Addon, *, by_talos: bool) -> str:
    who = "Talos creates it in the cluster" if by_talos else "Omni applies it to the cluster"
    how = "; kubelets restart to get certificates" if addon.name == METRICS_SERVER else ""
    return f"adds {_title(addon)}: {who}, without a reboot{how}"


def _changed(before: Addon, after: Addon, spec: ClusterSpec, *, moved: bool) -> str:
    same = (before.version, before.url) == (after.version, after.url)
    change = f"changes {_title(after)}" if same else f"{_title(before)} -> {_detail(after)}"
    if moved:
        when = "" if spec.wait_for == "ready" else ', but only in an `up` that waits: set waitFor to "ready" for it'
        left = f"; {_INSTALLER}" if after.name == ARGO_CD else ""
        return f"{_title(after) if same else change}: Omni takes over its objects, which Talos has created{when}{left}"
    if after.name not in NETWORK_PLUGINS:
        return f"{change}: Omni applies it to the cluster"
    if _by_job(after):
        return f"{change}: a Job in the cluster installs it"
    if spec.wait_for != "ready":
        # No command here: a sync deletes the objects of add-ons that Omni has not taken over yet.
        return f'{change}: Talos only creates what is missing; set waitFor to "ready" for it, and Omni applies the rest'
    return f"{change}: Omni then syncs the manifests of the cluster; objects that are no longer in them stay"


def _removed(addon: Addon, spec: ClusterSpec, *, defines: bool) -> str:
    gone = f"removes {_title(addon)}: Omni deletes its objects"
    if not defines:
        return gone
    if spec.on_update.custom_resource_definitions == "keep":
        return f"{gone}; its custom resource definitions and namespaces stay, with {_INSIDE}"
    return f"{gone}, its custom resource definitions and namespaces, and with them {_INSIDE}"


def _removed_by_talos(addon: Addon, cluster: str, versions: Versions, *, in_groups: bool) -> str:
    gone = f"removes {_title(addon)} from the machine configuration; its objects stay in Kubernetes"
    talos = parse_version(versions.talos)
    # A sync would also delete the objects of add-ons that Omni has not taken over yet.
    if not in_groups and not _by_job(addon) and talos is not None and talos.line >= _PRUNES_SINCE:
        sync = f"`{sync_command(cluster)}`"
        return f"{gone}: {sync} deletes them, and all else that Talos created and that is no longer configured"
    return f"{gone}: delete them with kubectl"
