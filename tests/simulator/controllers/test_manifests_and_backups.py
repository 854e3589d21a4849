from __future__ import annotations

from datetime import timedelta
from typing import Any

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource

FULL, ONE_TIME = 1, 2


def group(lab: Any, name: str, text: str, mode: int = FULL) -> None:
    spec = specs_pb2.KubernetesManifestGroupSpec(data=text, mode=mode)
    lab.store.create(Resource(omni.KUBERNETES_MANIFEST_GROUP, name, spec, {omni.LABEL_CLUSTER: "c1"}))


def manifest(kind: str, name: str, version: str = "v1") -> str:
    return f"apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n"


def test_a_cluster_without_manifests_has_an_empty_status(ready: Any) -> None:
    status = ready.get(omni.CLUSTER_KUBERNETES_MANIFESTS_STATUS, "c1")
    assert (status.spec.total, status.spec.out_of_sync, len(status.spec.groups)) == (0, 0, 0)
    assert not status.labels


def test_a_group_is_pending_first_and_then_applied(ready: Any) -> None:
    group(ready, "full", manifest("ConfigMap", "cm") + "---\n" + manifest("Namespace", "ns"))
    ready.run(4)
    spec = ready.get(omni.CLUSTER_KUBERNETES_MANIFESTS_STATUS, "c1").spec
    assert (spec.total, spec.out_of_sync, spec.groups["full"].phase, spec.groups["full"].mode) == (2, 2, 2, FULL)
    ready.run(4)
    spec = ready.get(omni.CLUSTER_KUBERNETES_MANIFESTS_STATUS, "c1").spec
    assert (spec.total, spec.out_of_sync, spec.groups["full"].phase) == (2, 0, 3)
    assert set(spec.groups["full"].manifests) == {"ConfigMap/default/cm", "Namespace/ns"}
    assert spec.groups["full"].manifests["ConfigMap/default/cm"].phase == 2


def test_an_object_of_an_unknown_kind_stays_pending_with_an_error(ready: Any) -> None:
    group(ready, "bad", manifest("Nonsense", "x", "example.org/v1"))
    ready.run(60)
    spec = ready.get(omni.CLUSTER_KUBERNETES_MANIFESTS_STATUS, "c1").spec
    assert (spec.groups["bad"].phase, spec.out_of_sync) == (2, 1)
    assert spec.last_error == "retryable error occurred while applying manifests"


def test_what_is_nested_without_end_is_no_object_and_ends_nothing(ready: Any) -> None:
    group(ready, "deep", "[" * 200_000)
    ready.run(20)
    spec = ready.get(omni.CLUSTER_KUBERNETES_MANIFESTS_STATUS, "c1").spec
    assert (spec.total, list(spec.groups)) == (0, ["deep"])


def test_a_custom_resource_is_applied_once_its_kind_is_defined(ready: Any) -> None:
    definition = manifest("CustomResourceDefinition", "gizmos.example.org", "apiextensions.k8s.io/v1")
    definition += "spec:\n  group: example.org\n  names: {kind: Gizmo}\n"
    group(ready, "full", definition + "---\n" + manifest("Gizmo", "x", "example.org/v1"))
    ready.run(60)
    assert ready.get(omni.CLUSTER_KUBERNETES_MANIFESTS_STATUS, "c1").spec.out_of_sync == 0


def test_the_objects_of_a_full_group_are_deleted_with_it_and_those_of_a_one_time_group_forgotten(ready: Any) -> None:
    group(ready, "full", manifest("ConfigMap", "a"))
    group(ready, "once", manifest("ConfigMap", "b"), ONE_TIME)
    ready.run(20)
    ready.tear_down(omni.KUBERNETES_MANIFEST_GROUP, "full")
    ready.tear_down(omni.KUBERNETES_MANIFEST_GROUP, "once")
    ready.run(3.5)
    spec = ready.get(omni.CLUSTER_KUBERNETES_MANIFESTS_STATUS, "c1").spec
    assert {name: item.phase for name, item in spec.groups.items()} == {"full": 4}
    ready.run(10)
    assert ready.get(omni.CLUSTER_KUBERNETES_MANIFESTS_STATUS, "c1").spec.total == 0


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
