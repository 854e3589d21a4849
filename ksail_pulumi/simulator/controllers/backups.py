"""Backups of etcd, on request and at the interval of the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_BOOTSTRAP_STATUS,
    CLUSTER_UUID,
    ETCD_BACKUP,
    ETCD_BACKUP_OVERALL_STATUS,
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

OK, ERROR = 1, 2
OWNER = "EtcdBackupController"
OVERALL_OWNER = "EtcdBackupOverallStatusController"
OVERALL_ID = "etcdbackup-overall-status"
FAILURE = (
    "failed to upload etcd snapshot for cluster: failed in wrapped uploader: failed to copy backup: "
    "rpc error: code = Unimplemented desc = method EtcdSnapshot not implemented"
)
NO_ETCD = (
    "failed to upload etcd snapshot for cluster: failed in wrapped uploader: failed to copy backup: "
    "rpc error: code = Unavailable desc = no control plane machine has etcd"
)


class EtcdBackups(Controller):
    """Takes the backups and writes EtcdBackupStatuses, each when a backup has ended."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._asked: dict[str, str] = {}
        self._next: dict[str, Handle] = {}
        self._busy: set[str] = set()
        self._waiting: set[str] = set()

    def watches(self) -> Mapping[ResourceType, Keys]:
        return dict.fromkeys((ETCD_MANUAL_BACKUP, CLUSTER, CLUSTER_BOOTSTRAP_STATUS), own_id)

    def delay(self, key: str) -> float:  # noqa: ARG002
        return self.runtime.timings.destroy

    def reconcile(self, key: str) -> None:
        cluster = self.runtime.find(CLUSTER, key)
        if cluster is None or cluster.tearing_down:
            self._stop(key)
            self.runtime.dispose(ETCD_BACKUP_STATUS, key)
            return
        wish = self.runtime.find(ETCD_MANUAL_BACKUP, key)
        if wish is not None and not wish.tearing_down:
            # Omni knows a request by its time alone.
            asked = wish.spec.backup_at.ToJsonString()
            if self._asked.get(key) != asked:
                self._asked[key] = asked
                self._begin(key)
        settings = cluster.spec.backup_configuration
        if not cluster.spec.HasField("backup_configuration") or not settings.enabled:
            self._stop(key)
        elif key not in self._next:
            self._next[key] = self.runtime.after(self._due(key), lambda: self._scheduled(key))

    def _due(self, key: str) -> float:
        """Seconds until the next backup at the interval: the first one is due at once, and a failed one soon again."""
        status, cluster = self.runtime.find(ETCD_BACKUP_STATUS, key), self.runtime.find(CLUSTER, key)
        if status is not None and status.spec.status == ERROR:
            return self.runtime.timings.backup_retry
        taken: list[datetime] = [
            each.spec.created_at.ToDatetime(UTC) for each in self.runtime.store.list(ETCD_BACKUP, _of(key))
        ]
        if cluster is None or not taken:
            return 0.0
        interval: timedelta = cluster.spec.backup_configuration.interval.ToTimedelta()
        return max(0.0, (max(taken) + interval - self.runtime.clock.now()).total_seconds())

    def _scheduled(self, key: str) -> None:
        self._stop(key)
        self._begin(key)

    def _stop(self, key: str) -> None:
        handle = self._next.pop(key, None)
        if handle is not None:
            handle.cancel()

    def _begin(self, key: str) -> None:
        """Begin a backup, or do it after the one that runs."""
        if self.runtime.faults.no_backup_store:
            return
        if key in self._busy:
            self._waiting.add(key)
            return
        self._busy.add(key)
        began = self.runtime.clock.now()
        failure = "" if control_plane_ready(self.runtime, key) else NO_ETCD
        if self.runtime.faults.failing_backups:
            failure = FAILURE
        self.runtime.after(0 if failure else self.runtime.timings.backup, lambda: self._end(key, began, failure))

    def _end(self, key: str, began: datetime, failure: str) -> None:
        self._busy.discard(key)
        cluster, identity = self.runtime.find(CLUSTER, key), self.runtime.find(CLUSTER_UUID, key)
        if cluster is None or cluster.tearing_down or identity is None:
            self._waiting.discard(key)
            return
        if not failure:
            # Omni counts seconds backwards: an object store lists by name, and the newest backup must come first.
            name = f"{2**64 - 1 - int(began.timestamp()):016X}.snapshot"
            spec = specs_pb2.EtcdBackupSpec(snapshot=name, size=2**21)
            spec.created_at.FromDatetime(began)
            labels = {**_of(key), LABEL_CLUSTER_UUID: identity.spec.uuid}
            self.runtime.store.put(Resource(ETCD_BACKUP, f"{key}-{int(began.timestamp())}", spec, labels, owner=OWNER))
        self._tell(key, failure)
        if key in self._waiting:
            self._waiting.discard(key)
            self._begin(key)
        self.enqueue(key)

    def _tell(self, key: str, failure: str) -> None:
        spec = specs_pb2.EtcdBackupStatusSpec(status=ERROR if failure else OK, error=failure)  # type: ignore[arg-type]
        current = self.runtime.find(ETCD_BACKUP_STATUS, key)
        now = self.runtime.clock.now()
        if current is not None and current.spec.HasField("last_backup_time"):
            spec.last_backup_time.CopyFrom(current.spec.last_backup_time)
        if not failure:
            spec.last_backup_time.FromDatetime(now)
        spec.last_backup_attempt.FromDatetime(now)
        self.runtime.store.put(Resource(ETCD_BACKUP_STATUS, key, spec, owner=OWNER))
        self.tell_overall(spec)

    def tell_overall(self, latest: specs_pb2.EtcdBackupStatusSpec | None = None) -> None:
        """Write which store Omni has, and the status of the latest backup of any cluster."""
        store = "disabled" if self.runtime.faults.no_backup_store else "local"
        spec = specs_pb2.EtcdBackupOverallStatusSpec(configuration_name=store)
        current = self.runtime.find(ETCD_BACKUP_OVERALL_STATUS, OVERALL_ID)
        if latest is not None:
            spec.last_backup_status.CopyFrom(latest)
        elif current is not None and current.spec.HasField("last_backup_status"):
            spec.last_backup_status.CopyFrom(current.spec.last_backup_status)
        self.runtime.store.put(Resource(ETCD_BACKUP_OVERALL_STATUS, OVERALL_ID, spec, owner=OVERALL_OWNER))


def _of(cluster: str) -> dict[str, str]:
    return {LABEL_CLUSTER: cluster}
