"""A backup of etcd that is asked for and awaited."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ksail_pulumi.errors import CancelledError, ClusterGoneError, LifecycleError, RefusedError, WaitTimeoutError
from ksail_pulumi.lifecycle import etcd_backup
from ksail_pulumi.lifecycle.etcd_backup import back_up
from ksail_pulumi.lifecycle.presence import Presence
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    ETCD_BACKUP,
    ETCD_BACKUP_STATUS,
    ETCD_MANUAL_BACKUP,
    LABEL_CLUSTER,
    Resource,
)
from ksail_pulumi.simulator.faults import Write
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab

Needs = Callable[[int], list[str]]


@pytest.fixture
def ready(lab: Lab, simulator: Simulator) -> Lab:
    lab.create()
    return lab


def test_a_backup_is_asked_for_and_awaited(ready: Lab) -> None:
    before = datetime.now(UTC)
    backup = back_up(ready.name, ready.session())
    [stored] = ready.client.state.list(ETCD_BACKUP, {LABEL_CLUSTER: ready.name})
    assert (backup.id, backup.snapshot, backup.size) == (stored.id, stored.spec.snapshot, stored.spec.size)
    assert before.replace(microsecond=0) <= backup.taken_at <= datetime.now(UTC)
    assert "taking an etcd backup" in ready.told


def test_a_second_backup_uses_the_request_of_the_first_one_again(ready: Lab) -> None:
    first = back_up(ready.name, ready.session())
    time.sleep(1)  # Omni counts backups in seconds
    second = back_up(ready.name, ready.session())
    assert second.taken_at > first.taken_at
    assert len(ready.client.state.list(ETCD_BACKUP, {LABEL_CLUSTER: ready.name})) == 2
    assert ready.client.state.find(ETCD_MANUAL_BACKUP, ready.name) is not None


def test_the_reason_of_a_failure_is_omnis(ready: Lab, simulator: Simulator) -> None:
    back_up(ready.name, ready.session())
    simulator.faults.failing_backups = True
    with pytest.raises(LifecycleError) as raised:
        back_up(ready.name, ready.session())
    assert str(raised.value) == (
        f"the etcd backup of cluster {ready.name!r} failed: failed to upload etcd snapshot for cluster: failed in "
        "wrapped uploader: failed to copy backup: method EtcdSnapshot not implemented"
    )


def test_a_failure_of_an_earlier_backup_does_not_count(ready: Lab, simulator: Simulator) -> None:
    simulator.faults.failing_backups = True
    with pytest.raises(LifecycleError):
        back_up(ready.name, ready.session())
    simulator.faults.failing_backups = False
    assert back_up(ready.name, ready.session()).snapshot


def test_a_backup_that_had_begun_before_does_not_count(lab: Lab, simulator: Simulator) -> None:
    """The test plays Omni: no cluster has this name."""

    def ends(began: datetime) -> None:
        labels = {LABEL_CLUSTER: lab.name}
        backup = specs_pb2.EtcdBackupSpec(snapshot=f"{began:%s}.snapshot")
        backup.created_at.FromDatetime(began)
        simulator.store.put(Resource(ETCD_BACKUP, f"{lab.name}-{began:%s}", backup, labels))
        status = specs_pb2.EtcdBackupStatusSpec(status=specs_pb2.EtcdBackupStatusSpec.Status.Ok)
        status.last_backup_attempt.FromDatetime(datetime.now(UTC))
        simulator.store.put(Resource(ETCD_BACKUP_STATUS, lab.name, status))

    began = datetime.now(UTC)

    def omni(when: str, write: Write) -> None:
        if (when, write.type) == ("after", ETCD_MANUAL_BACKUP.name):
            threading.Timer(0.2, ends, [began - timedelta(minutes=1)]).start()
            threading.Timer(0.6, ends, [began + timedelta(seconds=1)]).start()

    simulator.faults.on_write(omni)
    backup = back_up(lab.name, lab.session())
    assert backup.taken_at == began + timedelta(seconds=1)


def test_without_a_store_nothing_is_asked_for(ready: Lab, simulator: Simulator) -> None:
    simulator.faults.no_backup_store = True
    time.sleep(0.2)
    with pytest.raises(LifecycleError, match="this Omni has no store for etcd backups"):
        back_up(ready.name, ready.session())
    assert ready.client.state.find(ETCD_MANUAL_BACKUP, ready.name) is None


def test_a_backup_that_does_not_end_stops_at_the_deadline_and_on_an_interrupt(lab: Lab, simulator: Simulator) -> None:
    # Omni has no cluster of this name, and takes the request all the same.
    with pytest.raises(WaitTimeoutError, match=f"cluster {lab.name} has no etcd backup after 1s: waiting for the etcd"):
        back_up(lab.name, lab.session(seconds=1))
    threading.Timer(0.3, lab.cancelled.set).start()
    with pytest.raises(CancelledError):
        back_up(lab.name, lab.session())


def test_a_cluster_that_goes_meanwhile_ends_the_wait(ready: Lab) -> None:
    session = replace(ready.session(), presence=Presence(ready.name))
    threading.Timer(0.05, lambda: ready.client.state.teardown(CLUSTER, ready.name)).start()
    with pytest.raises(ClusterGoneError):
        back_up(ready.name, session)


def test_a_clock_that_is_wrong_is_named(ready: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) - timedelta(minutes=3)

    monkeypatch.setattr(etcd_backup, "datetime", Late)
    with pytest.raises(RefusedError, match=r"more than 1 minute in the past\. Check this machine's clock: it says"):
        back_up(ready.name, ready.session())
    assert ready.client.state.find(ETCD_BACKUP_STATUS, ready.name) is None
