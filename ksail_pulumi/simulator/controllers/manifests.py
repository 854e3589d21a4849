"""Applies KubernetesManifestGroups, and the manifests that Talos creates, to the Kubernetes of a cluster.

The status is as misleading as Omni's: it shows what is in the inventories and not what is in the objects, so it does
not move while a group changes, and the last error belongs to the whole cluster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_CONFIG_VERSION,
    CLUSTER_KUBERNETES_MANIFESTS_STATUS,
    CONFIG_PATCH,
    KUBERNETES_MANIFEST_GROUP,
    KUBERNETES_STATUS,
    LABEL_CLUSTER,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator.bootstrap_manifests import created_by_talos, objects_in
from ksail_pulumi.simulator.controllers.engine import Controller, Keys, Runtime, its_cluster, own_id
from ksail_pulumi.simulator.kubernetes_objects import ONE_TIME, TALOS, USER, Key, NotAppliedError
from ksail_pulumi.simulator.store import Event

OWNER = "ClusterKubernetesManifestsStatusController"
PENDING, APPLIED, DELETING = 1, 2, 3
"""Phases of an object; the phase of a group is one higher."""
FULL = specs_pb2.KubernetesManifestGroupSpec.FULL
_INVENTORY_SINCE = (1, 13)
"""The Talos that keeps an inventory of what it has created."""

Status = specs_pb2.ClusterKubernetesManifestsStatusSpec


@dataclass
class _Read:
    """The groups of a cluster.

    Attributes:
        groups: The resources by ID.
        objects: The objects of each inventory; of several in one inventory with the same identity, the last one.
        group_of: The group of each object; of several groups, the last one.
        members: All objects of each group.
    """

    groups: dict[str, Resource] = field(default_factory=dict)
    objects: dict[str, dict[Key, dict[str, Any]]] = field(default_factory=lambda: {USER: {}, ONE_TIME: {}})
    group_of: dict[Key, str] = field(default_factory=dict)
    members: dict[str, set[Key]] = field(default_factory=dict)


class ManifestsStatus(Controller):
    """Applies manifest groups and writes ClusterKubernetesManifestsStatuses."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._syncing: set[str] = set()
        self._missed: set[str] = set()
        self._rounds: Counter[str] = Counter()

    def watches(self) -> Mapping[ResourceType, Keys]:
        return {
            KUBERNETES_MANIFEST_GROUP: self._groups,
            KUBERNETES_STATUS: own_id,
            CLUSTER: _locks,
            CONFIG_PATCH: _patches_with_manifests,
        }

    def delay(self, key: str) -> float:
        if self.runtime.find(CLUSTER_KUBERNETES_MANIFESTS_STATUS, key) is None:
            return self.runtime.timings.cluster_resource
        return self.runtime.timings.manifests_seen

    def _groups(self, event: Event) -> Iterable[str]:
        """Omni notices later that a group is gone."""
        if event.kind == "destroyed":
            for key in its_cluster(event):
                self.runtime.after(self.runtime.timings.manifests_removed, partial(self.enqueue, key, 0))
        return () if event.kind == "destroyed" or event.resource.tearing_down else its_cluster(event)

    def reconcile(self, key: str) -> None:
        cluster = self.runtime.find(CLUSTER, key)
        if cluster is None:
            self.runtime.kubernetes.forget(key)
            self._rounds.pop(key, None)
            return
        if key in self._syncing:
            self._missed.add(key)
        elif self._works(key):
            self._syncing.add(key)
            self._talos_creates(key)
            read = self._read(key)
            self._write(key, read, None)
            self.runtime.after(self.runtime.timings.manifests_apply, lambda: self._sync(key, read))

    def _works(self, key: str) -> bool:
        cluster = self.runtime.find(CLUSTER, key)
        if cluster is None or cluster.tearing_down or OWNER not in cluster.finalizers:
            return False
        return self.runtime.find(KUBERNETES_STATUS, key) is not None and not self.runtime.cluster_locked(key)

    def _sync(self, key: str, read: _Read) -> None:
        kubernetes = self.runtime.kubernetes.of(key)
        fatal, retries = "", False
        for inventory, objects in read.objects.items() if self._works(key) else ():
            try:
                kubernetes.sync(inventory, list(objects.values()), prune=inventory == USER)
            except NotAppliedError as error:
                fatal, retries = fatal or str(error), retries or not error.fatal
        timings = self.runtime.timings
        again = timings.manifests_retry if retries else timings.manifests_round
        self.runtime.after(timings.manifests_reported, lambda: self._report(key, read, fatal, again))

    def _report(self, key: str, read: _Read, error: str, again: float) -> None:
        self._syncing.discard(key)
        if self._works(key):
            self._write(key, read, error)
        missed = key in self._missed
        self._missed.discard(key)
        if missed or read.groups or error:
            self._again(key, 0 if missed else again)

    def _again(self, key: str, delay: float) -> None:
        """Start the next round later, unless another one has begun by then."""
        self._rounds[key] += 1
        number = self._rounds[key]
        self.runtime.after(delay, lambda: self.enqueue(key, 0) if self._rounds[key] == number else None)

    def _read(self, key: str) -> _Read:
        """The groups as Omni takes them up: what has been applied once is not applied again."""
        status = self.runtime.find(CLUSTER_KUBERNETES_MANIFESTS_STATUS, key)
        known: Mapping[str, Any] = status.spec.groups if status is not None else {}
        groups = self.runtime.store.list(KUBERNETES_MANIFEST_GROUP, {LABEL_CLUSTER: key})
        read = _Read()
        for group in sorted(groups, key=lambda each: (each.created is None, each.created, each.id)):
            if group.tearing_down:
                continue
            read.groups[group.id] = group
            inventory = USER if group.spec.mode == FULL else ONE_TIME
            before = Status.GroupStatus()
            if group.id in known:
                before.CopyFrom(known[group.id])  # reading a missing key of a map would add it
            if inventory == ONE_TIME and before.phase == APPLIED + 1:
                continue
            for item in objects_in(group.spec.data):
                identity = Key.of(item)
                if inventory == ONE_TIME and before.manifests[str(identity)].phase == APPLIED:
                    continue
                read.objects[inventory][identity] = item
                read.group_of[identity] = group.id
                read.members.setdefault(group.id, set()).add(identity)
        return read

    def _write(self, key: str, read: _Read, error: str | None) -> None:
        """Write the status, as Omni does before and after it applies manifests. `error`: None keeps the last one."""
        current = self.runtime.find(CLUSTER_KUBERNETES_MANIFESTS_STATUS, key)
        spec = Status()
        if current is not None:
            spec.CopyFrom(current.spec)
        kubernetes = self.runtime.kubernetes.of(key)
        listed = kubernetes.listed(USER) | kubernetes.listed(ONE_TIME)
        for identity, last in read.group_of.items():
            # An object that two groups have is shown only in the first one.
            shown = (each for each, group in spec.groups.items() if str(identity) in group.manifests)
            group_id = next((each for each in shown if identity in read.members.get(each, ())), last)
            if identity.entry not in listed:
                _set(spec, group_id, identity, PENDING)
            elif kubernetes.get(identity) is not None:
                _set(spec, group_id, identity, APPLIED)
        for group_id, group in list(spec.groups.items()):
            if group.mode != FULL and group_id in read.groups:
                continue
            for name, item in list(group.manifests.items()):
                identity = Key(item.group, item.kind, item.namespace, item.name)
                if identity in read.members.get(group_id, ()):
                    continue
                if group.mode == FULL and identity not in read.group_of and kubernetes.get(identity) is not None:
                    _set(spec, group_id, identity, DELETING)
                else:
                    del group.manifests[name]
        _update_groups(spec, read)
        if error is not None:
            spec.last_error = error
        self.runtime.store.put(Resource(CLUSTER_KUBERNETES_MANIFESTS_STATUS, key, spec, owner=OWNER))

    def _talos_creates(self, key: str) -> None:
        """Let Talos create what is missing of the manifests in the configuration of the machines."""
        version = self.runtime.find(CLUSTER_CONFIG_VERSION, key)
        began = tuple(map(int, version.spec.version.removeprefix("v").split(".")[:2])) if version is not None else ()
        for patch in self.runtime.store.list(CONFIG_PATCH, {LABEL_CLUSTER: key}):
            objects = created_by_talos(patch.spec.data) if "anifest" in patch.spec.data else ()
            self.runtime.kubernetes.of(key).create_missing(objects, TALOS if began >= _INVENTORY_SINCE else None)


def _set(spec: Status, group_id: str, identity: Key, phase: int) -> None:
    item = spec.groups[group_id].manifests[str(identity)]
    item.phase = phase  # type: ignore[assignment]
    item.kind, item.name = identity.kind, identity.name
    item.namespace, item.group = identity.namespace, identity.group


def _update_groups(spec: Status, read: _Read) -> None:
    """Set the phases of the groups, and the numbers of objects."""
    for group_id, group in read.groups.items():
        if group_id in spec.groups:
            spec.groups[group_id].mode = group.spec.mode
    for group_id, status in list(spec.groups.items()):
        phases = {item.phase for item in status.manifests.values()}
        if group_id not in read.groups:
            if not phases:
                del spec.groups[group_id]
                continue
            status.phase = DELETING + 1  # type: ignore[assignment]
        else:
            status.phase = (APPLIED if phases <= {APPLIED} else PENDING) + 1  # type: ignore[assignment]
    found = [item.phase for group in spec.groups.values() for item in group.manifests.values()]
    spec.total, spec.out_of_sync = len(found), sum(phase != APPLIED for phase in found)


def _locks(event: Event) -> tuple[str, ...]:
    """A cluster that is locked or unlocked, or gone."""
    changed = event.old is not None and event.old.annotations != event.resource.annotations
    return (event.resource.id,) if changed or event.kind == "destroyed" else ()


def _patches_with_manifests(event: Event) -> tuple[str, ...]:
    resource = event.resource
    return (resource.cluster,) if resource.cluster and "anifest" in resource.spec.data else ()
