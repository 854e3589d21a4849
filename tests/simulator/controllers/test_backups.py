from __future__ import annotations

from datetime import timedelta
from typing import Any

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource


def ask_for_backup(lab: Any) -> None:
    spec = specs_pb2.EtcdManualBackupSpec()
    spec.backup_at.FromDatetime(lab.clock.now())
    lab.store.create(Resource(omni.ETCD_MANUAL_BACKUP, "c1", spec))


def test_a_backup_that_is_asked_for_is_taken(ready: Any) -> None:
    ask_for_backup(ready)
    ready.run(5)
    status = ready.get(omni.ETCD_BACKUP_STATUS, "c1").spec
    assert (status.status, status.error) == (1, "")
    (backup,) = ready.list(omni.ETCD_BACKUP, "c1")
    assert backup.id == f"c1-{backup.spec.created_at.seconds}"
    assert backup.spec.snapshot.endswith(".snapshot")


def test_a_backup_that_fails_says_why(ready: Any) -> None:
    ready.faults.failing_backups = True
    ask_for_backup(ready)
    ready.run(5)
    status = ready.get(omni.ETCD_BACKUP_STATUS, "c1").spec
    assert status.status == 2
    assert status.error.startswith("failed to upload etcd snapshot for cluster: ")
    assert not status.HasField("last_backup_time")
    overall = ready.get(omni.ETCD_BACKUP_OVERALL_STATUS, "etcdbackup-overall-status").spec
    assert (overall.configuration_name, overall.last_backup_status) == ("local", status)


def test_a_backup_that_fails_does_not_hide_when_the_last_one_was_taken(ready: Any) -> None:
    ask_for_backup(ready)
    ready.run(5)
    taken = ready.get(omni.ETCD_BACKUP_STATUS, "c1").spec.last_backup_time
    ready.faults.failing_backups = True
    ready.change(omni.ETCD_MANUAL_BACKUP, "c1", lambda spec: spec.backup_at.FromDatetime(ready.clock.now()))
    ready.run(5)
    status = ready.get(omni.ETCD_BACKUP_STATUS, "c1").spec
    assert (status.status, status.last_backup_time) == (2, taken)


def test_a_cluster_that_is_set_up_so_is_backed_up_every_now_and_then(ready: Any) -> None:
    def change(spec: specs_pb2.ClusterSpec) -> None:
        spec.backup_configuration.enabled = True
        spec.backup_configuration.interval.FromTimedelta(timedelta(hours=1))

    ready.change(omni.CLUSTER, "c1", change)
    ready.run(60)
    assert len(ready.list(omni.ETCD_BACKUP, "c1")) == 1, "the first one is due at once"
    ready.run(3 * 3600)
    assert len(ready.list(omni.ETCD_BACKUP, "c1")) == 4


def test_a_failed_backup_at_the_interval_is_tried_again_soon(ready: Any) -> None:
    ready.faults.failing_backups = True
    ready.change(omni.CLUSTER, "c1", lambda spec: setattr(spec.backup_configuration, "enabled", True))
    ready.run(1)
    assert ready.get(omni.ETCD_BACKUP_STATUS, "c1").spec.status == 2
    ready.faults.failing_backups = False
    ready.run(8)
    assert ready.get(omni.ETCD_BACKUP_STATUS, "c1").spec.status == 1


def test_a_request_during_a_backup_is_served_after_it(ready: Any) -> None:
    ask_for_backup(ready)
    ready.run(1)
    ready.change(omni.ETCD_MANUAL_BACKUP, "c1", lambda spec: spec.backup_at.FromDatetime(ready.clock.now()))
    ready.run(1.5)
    first = ready.get(omni.ETCD_BACKUP_STATUS, "c1").spec.last_backup_time
    assert len(ready.list(omni.ETCD_BACKUP, "c1")) == 1
    ready.run(2)
    assert ready.get(omni.ETCD_BACKUP_STATUS, "c1").spec.last_backup_time != first
    assert len(ready.list(omni.ETCD_BACKUP, "c1")) == 2


def test_without_a_store_omni_takes_no_backup_and_reports_none(ready: Any) -> None:
    def store() -> str:
        return str(ready.get(omni.ETCD_BACKUP_OVERALL_STATUS, "etcdbackup-overall-status").spec.configuration_name)

    assert store() == "local"
    ready.faults.no_backup_store = True
    ask_for_backup(ready)
    ready.run(60)
    assert store() == "disabled"
    assert ready.find(omni.ETCD_BACKUP_STATUS, "c1") is None
