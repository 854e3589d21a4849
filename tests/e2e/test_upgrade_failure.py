"""An upgrade with a backup before it that fails and is taken back, and a deletion with a backup before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.omni.resources import CLUSTER, ETCD_BACKUP, LABEL_CLUSTER, MACHINE_SET_NODE

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.simulator.server import Simulator
    from tests.e2e.project import Project

BACKUP = "a backup of etcd is taken before the upgrade; if that fails, nothing is changed"
NET = {"workers": 1, "backup_before": ["upgrade", "delete"], "on_upgrade_failure": "revert"}


@pytest.mark.sweep
def test_a_failed_upgrade_is_taken_back_and_shown_again(project: Project, simulator: Simulator, omni: Client) -> None:
    def backups() -> int:
        return len(omni.state.list(ETCD_BACKUP, {LABEL_CLUSTER: "main"}))

    project.init()
    project.clusters({"main": {**NET, "talos_version": "1.13.7"}})
    project.up()
    [worker] = [
        node.id
        for node in omni.state.list(MACHINE_SET_NODE, {LABEL_CLUSTER: "main"})
        if node.labels["omni.sidero.dev/machine-set"] == "main-workers"
    ]
    simulator.faults.unreachable.add(worker)

    upgraded = {**NET, "talos_version": "v1.13.8"}
    project.clusters({"main": {**upgraded, "timeout": "8s"}})
    preview = project.preview()
    assert BACKUP in preview.told["main"]
    assert "Omni goes back to Talos 1.13.7" in preview.told["main"]
    failed = project.up(fails=True)
    assert (
        "the upgrade to Talos 1.13.8 failed and was reverted: cluster 'main' runs Talos 1.13.7 again"
        in (failed.told["main"])
    )
    assert backups() == 1
    outputs, inputs = (project.resources()["main"][key] for key in ("outputs", "inputs"))
    assert outputs["talosVersion"] == inputs["talosVersion"] == "1.13.7"
    assert outputs["ready"] is True

    simulator.faults.unreachable.clear()
    project.clusters({"main": upgraded})
    again = project.preview()
    assert again.changes == {"update": 1, "unchanged": 4}, again.output
    assert "Talos 1.13.7 -> 1.13.8" in again.told["main"]
    assert project.up().changes == {"updated": 1, "unchanged": 4}
    assert omni.state.get(CLUSTER, "main").spec.talos_version == "1.13.8"
    assert backups() == 2

    simulator.faults.failing_backups = True
    kept = project.destroy(fails=True)
    assert "Nothing was deleted. To delete the cluster without a backup, remove 'delete' from" in kept.told["main"]
    assert not omni.state.get(CLUSTER, "main").tearing_down
    project.clusters({"main": {"workers": 1, "talos_version": "1.13.8"}})
    project.up()
    project.destroy()
    assert omni.state.find(CLUSTER, "main") is None
