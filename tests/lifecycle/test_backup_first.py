"""The backups that are taken before an upgrade and before a deletion."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from ksail_pulumi.errors import CancelledError, ForeignClusterError, KsailPulumiError, LifecycleError, WaitTimeoutError
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_BOOTSTRAP_STATUS,
    ETCD_BACKUP,
    ETCD_MANUAL_BACKUP,
    LABEL_CLUSTER,
)
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.problems import InvalidCluster
from ksail_pulumi.simulator.faults import Faults, Write
from ksail_pulumi.simulator.server import Simulator
from ksail_pulumi.simulator.store import Store
from tests.published import serving

from .conftest import Lab

OLD, NEW = "1.13.7", "1.13.8"
BEFORE_UPGRADE: dict[str, Any] = {"backupBefore": ["upgrade"]}


def backups(lab: Lab) -> int:
    return len(lab.client.state.list(ETCD_BACKUP, {LABEL_CLUSTER: lab.name}))


def user_writes(store: Store) -> list[tuple[str, str]]:
    return [(entry.verb, entry.type) for entry in store.audit]


def test_an_upgrade_begins_after_the_backup(lab: Lab, simulator: Simulator) -> None:
    old = lab.create(talosVersion=OLD, **BEFORE_UPGRADE)
    assert backups(lab) == 0
    simulator.store.audit.clear()
    new = lab.update(old, talosVersion=NEW, **BEFORE_UPGRADE)
    assert (new.inputs["talosVersion"], backups(lab)) == (NEW, 1)
    written = [kind for _, kind in user_writes(simulator.store)]
    assert written.index(ETCD_MANUAL_BACKUP.name) < written.index(CLUSTER.name)


def test_an_update_that_keeps_the_versions_takes_no_backup(lab: Lab, simulator: Simulator) -> None:
    old = lab.create(**BEFORE_UPGRADE)
    lab.update(old, labels={"a": "b"}, **BEFORE_UPGRADE)
    assert lab.client.state.find(ETCD_MANUAL_BACKUP, lab.name) is None
    assert CLUSTER.name in [kind for _, kind in user_writes(simulator.store)]


def test_a_failed_backup_stops_an_upgrade_before_it_changes_anything(lab: Lab, simulator: Simulator) -> None:
    old = lab.create(talosVersion=OLD)
    simulator.faults.failing_backups = True
    simulator.store.audit.clear()
    with pytest.raises(LifecycleError) as raised:
        lab.update(old, talosVersion=NEW, workers=1, **BEFORE_UPGRADE)
    assert "EtcdSnapshot not implemented\nNothing was changed. To upgrade without a backup, remove 'upgrade'" in str(
        raised.value
    )
    assert raised.value.outputs is None, "the state stays as it is"
    assert {kind for _, kind in user_writes(simulator.store)} == {ETCD_MANUAL_BACKUP.name}
    assert lab.client.state.get(CLUSTER, lab.name).spec.talos_version == OLD


@pytest.mark.parametrize("adopt", [False, True])
def test_a_manifest_that_cannot_be_fetched_refuses_an_upgrade_before_the_backup(lab: Lab, adopt: bool) -> None:
    old = lab.create(talosVersion=OLD)
    change = partial(lab.create, adopt=True) if adopt else partial(lab.update, old)
    with serving({}) as url, pytest.raises(InvalidCluster, match="HTTP status 404"):
        change(talosVersion=NEW, addons={"certManager": {"url": f"{url}/a.yaml"}}, **BEFORE_UPGRADE)
    assert lab.client.state.find(ETCD_MANUAL_BACKUP, lab.name) is None


def test_a_cluster_of_someone_else_is_not_backed_up(lab: Lab, simulator: Simulator) -> None:
    old = lab.create(talosVersion=OLD)
    lab.mark = OwnershipMark("org/test/dev/other")
    with pytest.raises(ForeignClusterError):
        lab.update(old, talosVersion=NEW, **BEFORE_UPGRADE)
    assert lab.client.state.find(ETCD_MANUAL_BACKUP, lab.name) is None
    assert simulator.store.find(CLUSTER, lab.name) is not None


def test_a_takeover_that_upgrades_is_backed_up(lab: Lab, simulator: Simulator) -> None:
    lab.create(talosVersion=OLD)
    lab.mark = OwnershipMark("org/test/dev/other")
    lab.create(talosVersion=NEW, adopt=True, **BEFORE_UPGRADE)
    assert backups(lab) == 1
    assert simulator.store.get(CLUSTER.name, "default", lab.name).spec.talos_version == NEW


def test_a_deletion_begins_after_the_backup(lab: Lab, simulator: Simulator) -> None:
    lab.create()
    simulator.store.audit.clear()
    lab.delete(backup_first=True)
    written = user_writes(simulator.store)
    assert written.index(("create", ETCD_MANUAL_BACKUP.name)) < written.index(("teardown", CLUSTER.name))
    assert any(line.startswith("took the etcd backup FFFF") for line in lab.told)
    assert lab.client.state.find(CLUSTER, lab.name) is None


def test_a_failed_backup_deletes_nothing_and_says_how_to_go_on(lab: Lab, simulator: Simulator) -> None:
    lab.create()
    simulator.faults.failing_backups = True
    with pytest.raises(LifecycleError) as raised:
        lab.delete(backup_first=True)
    assert str(raised.value).endswith(
        "EtcdSnapshot not implemented\nNothing was deleted. To delete the cluster without a backup, remove 'delete' "
        "from backupBefore and run `pulumi up` first: a deletion uses the inputs of the last `up`"
    )
    assert not lab.client.state.get(CLUSTER, lab.name).tearing_down


def test_a_backup_that_does_not_end_deletes_nothing_either(lab: Lab, simulator: Simulator) -> None:
    lab.create()
    simulator.faults.on_write(
        lambda when, write: lab.cancelled.set() if write.type == ETCD_MANUAL_BACKUP.name else None
    )
    with pytest.raises(CancelledError, match="Nothing was deleted"):
        lab.delete(backup_first=True)
    assert not lab.client.state.get(CLUSTER, lab.name).tearing_down


def test_a_cluster_without_etcd_is_deleted_without_a_backup(lab: Lab, simulator: Simulator) -> None:
    for machine in simulator.machines:
        simulator.faults.never_join.add(machine.id)
    with pytest.raises(WaitTimeoutError):
        lab.create(session=lab.session(seconds=1))
    bootstrap = lab.client.state.find(CLUSTER_BOOTSTRAP_STATUS, lab.name)
    assert bootstrap is None or not bootstrap.spec.bootstrapped
    simulator.faults.failing_backups = True
    lab.delete(backup_first=True)
    assert lab.client.state.find(CLUSTER, lab.name) is None


FAULTS: dict[str, Callable[[Faults], None]] = {
    "three calls find no server": lambda faults: setattr(faults, "unavailable", 3),
    "broken watches": lambda faults: faults.break_watches(),
    "a slow link": lambda faults: setattr(faults, "round_trip", 0.3),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_during_the_backup_is_survived(lab: Lab, simulator: Simulator, fault: str) -> None:
    def strike(when: str, write: Write) -> None:
        if (when, write.type) == ("after", ETCD_MANUAL_BACKUP.name):
            FAULTS[fault](simulator.faults)

    lab.create()
    simulator.faults.on_write(strike)
    lab.delete(backup_first=True)
    assert lab.client.state.find(CLUSTER, lab.name) is None


def test_an_omni_that_falls_silent_during_the_backup_changes_nothing(lab: Lab, simulator: Simulator) -> None:
    def strike(when: str, write: Write) -> None:
        if (when, write.type) == ("after", ETCD_MANUAL_BACKUP.name):
            simulator.faults.round_trip = 60.0

    old = lab.create(talosVersion=OLD)
    simulator.faults.on_write(strike)
    began = time.monotonic()
    with pytest.raises(KsailPulumiError, match="Nothing was changed"):
        lab.update(old, session=lab.session(seconds=3), talosVersion=NEW, **BEFORE_UPGRADE)
    assert time.monotonic() - began < 5
    assert simulator.store.get(CLUSTER.name, "default", lab.name).spec.talos_version == OLD
