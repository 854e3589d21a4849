"""What a preview says about an upgrade: the backup before it, the machines that hold it up, the way back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ksail_pulumi.model.versions import Versions
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.findings import Findings, findings
from ksail_pulumi.plan.snapshot import Snapshot

from .builders import CATALOG, MARK, cluster_spec, desired, machine, machine_id

SPEC = cluster_spec(talosVersion="1.13.7", kubernetesVersion="1.35.7", workers=2)
OLD = Versions("1.13.7", "1.35.7")
BACKUP = "a backup of etcd is taken before the upgrade; if that fails, nothing is changed"


def preview(
    *,
    talos: str = "1.13.8",
    store: tuple[str, str] = ("local", ""),
    etcd: bool = True,
    locked: int = 0,
    **read: Any,
) -> Findings:
    """The preview of a running cluster of three machines with other inputs."""
    running = [replace(each, version=1) for each in desired(SPEC, versions=OLD)]
    lock = {omni.ANNOTATION_LOCKED: ""}
    running = [
        replace(each, annotations={**each.annotations, **lock}) if each.id == machine_id(locked) else each
        for each in running
    ]
    nodes = [each for each in running if each.type == omni.MACHINE_SET_NODE]
    overall = specs_pb2.EtcdBackupOverallStatusSpec(configuration_name=store[0], configuration_error=store[1])
    snapshot = Snapshot(
        resources=running,
        nodes=nodes,
        statuses=[machine(n, cluster="prod") for n in range(1, 4)],
        talos_versions=CATALOG,
        bootstrap_status=Resource(
            omni.CLUSTER_BOOTSTRAP_STATUS, "prod", specs_pb2.ClusterBootstrapStatusSpec(bootstrapped=etcd)
        ),
        backups=Resource(omni.ETCD_BACKUP_OVERALL_STATUS, "etcdbackup-overall-status", overall),
        members=read.pop("members", [member(n) for n in range(1, 4)]),
    )
    spec = cluster_spec(talosVersion=talos, kubernetesVersion="1.35.7", workers=2, **read)
    return findings(spec, snapshot, mark=MARK, previous=SPEC)


def member(number: int, *, ready: bool = True, connected: bool = True) -> Resource:
    spec = specs_pb2.ClusterMachineStatusSpec(ready=ready, stage=specs_pb2.ClusterMachineStatusSpec.Stage.RUNNING)
    labels = {omni.LABEL_CLUSTER: "prod", **({omni.LABEL_CONNECTED: ""} if connected else {})}
    return Resource(omni.CLUSTER_MACHINE_STATUS, machine_id(number), spec, labels)


def test_the_backup_before_an_upgrade_is_a_line() -> None:
    found = preview(backupBefore=["upgrade", "delete"])
    assert found.forecasts[0] == BACKUP
    assert (found.failures, found.warnings) == ((), ())
    assert BACKUP not in preview(backupBefore=["delete"]).forecasts
    assert preview(talos="1.13.7", backupBefore=["upgrade"]).forecasts == ()


def test_a_cluster_without_etcd_is_not_backed_up() -> None:
    found = preview(backupBefore=["upgrade"], etcd=False, store=("disabled", ""))
    assert found.forecasts[0] == "no backup is taken before the upgrade: the cluster has no etcd yet"


@pytest.mark.parametrize(
    ("store", "problem"),
    [
        (("disabled", ""), "this Omni has no store for etcd backups: its administrator can add one"),
        (("s3", "not initialized"), "Omni's store for etcd backups is not usable: not initialized"),
    ],
)
def test_an_upgrade_that_cannot_be_backed_up_is_refused(store: tuple[str, str], problem: str) -> None:
    [refusal] = preview(backupBefore=["upgrade"], store=store).failures
    assert str(refusal) == f"backupBefore: {problem}. Remove 'upgrade' to upgrade without a backup"
    assert preview(talos="1.13.7", backupBefore=["upgrade"], store=store) == Findings()


def test_a_deletion_that_could_not_be_backed_up_is_a_warning() -> None:
    found = preview(talos="1.13.7", backupBefore=["delete"], store=("disabled", ""))
    assert found.warnings == (
        "the cluster cannot be deleted as long as backupBefore has 'delete': this Omni has no store for etcd backups: "
        "its administrator can add one",
    )


def test_the_way_back_is_a_line() -> None:
    found = preview(onUpgradeFailure="revert")
    assert found.forecasts[0] == (
        "if the upgrade fails or does not finish in time, Omni goes back to Talos 1.13.7 and Kubernetes 1.35.7, and "
        "`up` fails"
    )
    assert preview(talos="1.13.7", onUpgradeFailure="revert") == Findings()


def test_machines_that_hold_up_an_upgrade_are_named() -> None:
    members = [member(1), member(2, ready=False), member(3, ready=False, connected=False)]
    assert preview(members=members).warnings == (
        f"the upgrade waits for machines that are not ready: host-3 ({machine_id(3)}): not connected to Omni, "
        f"host-2 ({machine_id(2)}): not ready",
    )
    assert preview(talos="1.13.7", members=members).warnings == ()
    assert preview().warnings == ()


def test_a_locked_machine_that_an_upgrade_waits_for_is_named() -> None:
    line = f"locked machines will not be updated until they are unlocked; `up` waits for: host-2 ({machine_id(2)})"
    assert line in preview(locked=2).forecasts
    assert preview(talos="1.13.7", locked=2).forecasts == ()
