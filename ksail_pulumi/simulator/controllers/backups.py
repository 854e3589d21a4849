"""Backups of etcd, on request and at the interval of the cluster."""

from __future__ import annotations

from collections.abc import Mapping

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_BOOTSTRAP_STATUS,
    CLUSTER_UUID,
    ETCD_BACKUP,
    ETCD_BACKUP_STATUS,
    ETCD_MANUAL_BACKUP,
    LABEL_CLUSTER,
    LABEL_CLUSTER_UUID,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator.clock import Handle
from ksail_pulumi.simulator.controllers.control_plane import control_plane_ready
from ksail_pulumi.simulator.controllers.engine import Controller, Keys, Runtime, own_id

OK, ERROR, RUNNING = 1, 2, 3
OWNER = "EtcdBackupController"
FAILURE = (
    "failed to upload etcd snapshot for cluster: failed in wrapped uploader: failed to copy backup: "
    "rpc error: code = Unimplemented desc = method EtcdSnapshot not implemented"
)


class EtcdBackups(Controller):
    """Takes the backups and writes EtcdBackupStatuses."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._asked: dict[str, tuple[object, int]] = {}
        self._next: dict[str, Handle] = {}

    def watches(self) -> Mapping[ResourceType, Keys]:
        return dict.fromkeys((ETCD_MANUAL_BACKUP, CLUSTER, CLUSTER_BOOTSTRAP_STATUS), own_id)

    def delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.destroy

    def reconcile(self, key: str) -> None:
        cluster = self.runtime.find(CLUSTER, key)
        if cluster is None or cluster.tearing_down:
            self._asked.pop(key, None)
            self._stop(key)
            self.runtime.dispose(ETCD_BACKUP_STATUS, key)
            return
        wish = self.runtime.find(ETCD_MANUAL_BACKUP, key)
        if wish is not None and not wish.tearing_down and self._asked.get(key) != (wish.created, wish.version):
            self._asked[key] = (wish.created, wish.version)
            self._begin(key)
        settings = cluster.spec.backup_configuration
        if not cluster.spec.HasField("backup_configuration") or not settings.enabled:
            self._stop(key)
        elif key not in self._next:
            interval = settings.interval.ToTimedelta().total_seconds()
            if interval > 0:
                self._next[key] = self.runtime.after(interval, lambda: self._scheduled(key))

    def _scheduled(self, key: str) -> None:
        self._stop(key)
        self._begin(key)
        self.enqueue(key)

    def _stop(self, key: str) -> None:
        handle = self._next.pop(key, None)
        if handle is not None:
            handle.cancel()

    def _begin(self, key: str) -> None:
        if not control_plane_ready(self.runtime, key):
            return
        if self.runtime.faults.failing_backups:
            self._tell(key, ERROR, FAILURE)
            return
        self._tell(key, RUNNING)
        self.runtime.after(self.runtime.timings.backup, lambda: self._taken(key))

    def _taken(self, key: str) -> None:
        cluster, identity = self.runtime.find(CLUSTER, key), self.runtime.find(CLUSTER_UUID, key)
        if cluster is None or cluster.tearing_down or identity is None:
            return
        now = self.runtime.clock.now()
        # Omni counts seconds backwards: an object store lists by name, and the newest backup must come first.
        spec = specs_pb2.EtcdBackupSpec(snapshot=f"{2**64 - 1 - int(now.timestamp()):016X}.snapshot", size=2**21)
        spec.created_at.FromDatetime(now)
        labels = {LABEL_CLUSTER: key, LABEL_CLUSTER_UUID: identity.spec.uuid}
        self.runtime.store.put(Resource(ETCD_BACKUP, f"{key}-{int(now.timestamp())}", spec, labels, owner=OWNER))
        self._tell(key, OK)

    def _tell(self, key: str, status: int, error: str = "") -> None:
        spec = specs_pb2.EtcdBackupStatusSpec(status=status, error=error)  # type: ignore[arg-type]
        current = self.runtime.find(ETCD_BACKUP_STATUS, key)
        now = self.runtime.clock.now()
        if current is not None and current.spec.HasField("last_backup_time"):
            spec.last_backup_time.CopyFrom(current.spec.last_backup_time)
        if status == OK:
            spec.last_backup_time.FromDatetime(now)
        spec.last_backup_attempt.FromDatetime(now)
        self.runtime.store.put(Resource(ETCD_BACKUP_STATUS, key, spec, owner=OWNER))
