"""Upgrades that fail and are taken back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import grpc
import pytest

from ksail_pulumi.errors import CancelledError, ClusterFailedError, WaitTimeoutError
from ksail_pulumi.lifecycle.outputs import ClusterOutputs
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import CLUSTER, TALOS_UPGRADE_STATUS, Resource
from ksail_pulumi.simulator.faults import Write
from ksail_pulumi.simulator.server import Simulator
from ksail_pulumi.simulator.store import Event, StoreError

from .conftest import Lab

OLD: dict[str, Any] = {"talosVersion": "1.13.7", "kubernetesVersion": "1.35.6"}
REVERT: dict[str, Any] = {"onUpgradeFailure": "revert"}
CHECK: dict[str, Any] = {
    "healthChecks": [
        {
            "name": "never",
            "job": {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": "never"},
                "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}}},
            },
        }
    ]
}


def versions(lab: Lab) -> tuple[str, str]:
    spec = lab.client.state.get(CLUSTER, lab.name).spec
    return spec.talos_version, spec.kubernetes_version


def saved(error: Any) -> tuple[str, str, bool, bool]:
    outputs = error.value.outputs
    assert isinstance(outputs, ClusterOutputs)
    inputs = outputs.inputs
    return inputs["talosVersion"], inputs["kubernetesVersion"], outputs.ready, outputs.reverted


def test_an_upgrade_that_does_not_finish_in_time_is_taken_back(lab: Lab, simulator: Simulator) -> None:
    old = lab.create(**OLD, workers=1)
    [worker] = lab.machines("workers")
    simulator.faults.unreachable.add(worker)
    new = {**OLD, "talosVersion": "1.13.8", "workers": 1, **REVERT}
    with pytest.raises(WaitTimeoutError) as raised:
        lab.update(old, session=lab.session(seconds=5), **new)
    lines = str(raised.value).splitlines()
    assert lines[0] == (
        f"the upgrade to Talos 1.13.8 failed and was reverted: cluster {lab.name!r} runs Talos 1.13.7 again. The next "
        "`pulumi up` tries the upgrade again"
    )
    assert lines[1].startswith(f"The upgrade failed because cluster {lab.name} is not ready after 5s: ")
    assert worker in str(raised.value)
    assert saved(raised) == ("1.13.7", "1.35.6", True, True)
    assert versions(lab) == ("1.13.7", "1.35.6")
    assert {simulator.machines[each].talos_version for each in lab.machines("control-planes")} == {"1.13.7"}
    assert "the upgrade failed, going back to Talos 1.13.7" in lab.told
    simulator.faults.unreachable.clear()
    again = lab.update(raised.value.outputs, **new)
    assert (again.inputs["talosVersion"], again.ready, again.reverted) == ("1.13.8", True, False)


def test_a_kubernetes_upgrade_is_taken_back_too(lab: Lab, simulator: Simulator) -> None:
    old = lab.create(**OLD, workers=1)
    [worker] = lab.machines("workers")
    simulator.faults.unreachable.add(worker)
    lab.on_progress = lambda line: simulator.faults.unreachable.clear() if line.startswith("the upgrade fa") else None
    new = {**OLD, "kubernetesVersion": "1.35.7", "workers": 1, **REVERT}
    with pytest.raises(WaitTimeoutError, match=r"the upgrade to Kubernetes 1\.35\.7 failed and was reverted") as raised:
        lab.update(old, session=lab.session(seconds=5), **new)
    assert saved(raised)[:2] == versions(lab) == ("1.13.7", "1.35.6")


def test_a_revert_that_does_not_finish_either_ends_after_the_same_time(lab: Lab, simulator: Simulator) -> None:
    old = lab.create(**OLD, workers=1)
    [worker] = lab.machines("workers")
    simulator.faults.unreachable.add(worker)
    new = {**OLD, "kubernetesVersion": "1.35.7", "workers": 1, **REVERT}
    with pytest.raises(WaitTimeoutError) as raised:
        lab.update(old, session=lab.session(seconds=4), **new)
    text = str(raised.value)
    start = "the upgrade to Kubernetes 1.35.7 failed. Omni goes back to Kubernetes 1.35.6, but that has not finished: "
    assert text.startswith(f"{start}cluster {lab.name} is not ready after 4s")
    assert f"\nThe upgrade failed because cluster {lab.name} is not ready after 4s" in text
    assert saved(raised) == ("1.13.7", "1.35.6", False, True)


def test_only_what_has_not_finished_is_taken_back(lab: Lab, simulator: Simulator) -> None:
    old = lab.create(**OLD, workers=1)
    [worker] = lab.machines("workers")

    def cut(event: Event) -> None:
        done = event.resource.type == TALOS_UPGRADE_STATUS and event.resource.spec.last_upgrade_version == "1.13.8"
        if done:
            simulator.faults.unreachable.add(worker)

    simulator.store.subscribe(cut)
    lab.on_progress = lambda line: simulator.faults.unreachable.clear() if line.startswith("the upgrade fa") else None
    both = {"talosVersion": "1.13.8", "kubernetesVersion": "1.35.7", "workers": 1, **REVERT}
    with pytest.raises(WaitTimeoutError, match=r"the upgrade to Kubernetes 1\.35\.7 failed and was rev") as raised:
        lab.update(old, session=lab.session(seconds=12), **both)
    assert saved(raised)[:2] == versions(lab) == ("1.13.8", "1.35.6")


def test_without_the_input_an_upgrade_stays_as_far_as_it_got(lab: Lab, simulator: Simulator) -> None:
    old = lab.create(**OLD, **CHECK)
    simulator.faults.stuck_health_checks = True
    with pytest.raises(WaitTimeoutError) as raised:
        lab.update(old, session=lab.session(seconds=2), **{**OLD, "talosVersion": "1.13.8"}, **CHECK)
    assert str(raised.value).startswith(f"cluster {lab.name} is not ready")
    assert versions(lab) == ("1.13.8", "1.35.6")
    assert saved(raised) == ("1.13.8", "1.35.6", False, False)


def test_an_upgrade_that_omni_reports_as_failed_is_taken_back(lab: Lab, simulator: Simulator) -> None:
    old = lab.create(**OLD, workers=1)
    [worker] = lab.machines("workers")
    simulator.faults.unreachable.add(worker)

    def fail(line: str) -> None:
        if "waiting for the cluster to be ready" in line:
            phase = specs_pb2.TalosUpgradeStatusSpec.Phase.Failed
            spec = specs_pb2.TalosUpgradeStatusSpec(
                phase=phase, error="no image", last_upgrade_version="1.13.7", current_upgrade_version="1.13.8"
            )
            simulator.store.put(Resource(TALOS_UPGRADE_STATUS, lab.name, spec, owner="TalosUpgradeStatusController"))

    lab.on_progress = fail
    new = {**OLD, "talosVersion": "1.13.8", "workers": 1, **REVERT}
    with pytest.raises(ClusterFailedError) as raised:
        lab.update(old, session=lab.session(grace=1.0), **new)
    assert "failed and was reverted" in str(raised.value)
    assert "the Talos upgrade failed: no image" in str(raised.value)
    assert saved(raised) == ("1.13.7", "1.35.6", True, True)


def test_a_revert_that_omni_refuses_leaves_the_upgrade(lab: Lab, simulator: Simulator) -> None:
    old = lab.create(**OLD, **CHECK)
    simulator.faults.stuck_health_checks = True
    begun: list[str] = []
    lab.on_progress = lambda line: begun.append(line) if line.startswith("the upgrade failed") else None

    def refuse(when: str, write: Write) -> None:
        if when == "before" and write.type == CLUSTER.name and begun:
            raise StoreError(grpc.StatusCode.INVALID_ARGUMENT, "failed to validate: no way back")

    simulator.faults.on_write(refuse)
    with pytest.raises(WaitTimeoutError) as raised:
        lab.update(old, session=lab.session(seconds=2), **{**OLD, "talosVersion": "1.13.8"}, **CHECK, **REVERT)
    assert "the upgrade to Talos 1.13.8 failed, and Omni does not go back to Talos 1.13.7: " in str(raised.value)
    assert "no way back\ncluster" in str(raised.value)
    assert saved(raised) == ("1.13.8", "1.35.6", False, False)


def test_an_interrupt_takes_nothing_back(lab: Lab, simulator: Simulator) -> None:
    old = lab.create(**OLD, **CHECK)
    simulator.faults.stuck_health_checks = True
    lab.on_progress = lambda line: lab.cancelled.set() if "waiting for healthchecks" in line else None
    with pytest.raises(CancelledError):
        lab.update(old, **{**OLD, "talosVersion": "1.13.8"}, **CHECK, **REVERT)
    assert versions(lab) == ("1.13.8", "1.35.6")


def test_an_interrupt_of_a_revert_leaves_it_to_omni(lab: Lab, simulator: Simulator) -> None:
    old = lab.create(**OLD, **CHECK)
    simulator.faults.stuck_health_checks = True
    lab.on_progress = lambda line: lab.cancelled.set() if line.startswith("the upgrade failed") else None
    with pytest.raises(
        WaitTimeoutError, match=r"Omni goes back to Talos 1\.13\.7, but that has not finished: waiting for"
    ) as e:
        lab.update(old, session=lab.session(seconds=2), **{**OLD, "talosVersion": "1.13.8"}, **CHECK, **REVERT)
    assert saved(e)[:2] == versions(lab) == ("1.13.7", "1.35.6")


def test_an_update_without_an_upgrade_takes_nothing_back(lab: Lab, simulator: Simulator) -> None:
    old = lab.create(**OLD)
    for machine in list(simulator.machines)[1:]:
        simulator.faults.never_join.add(machine.id)
    with pytest.raises(WaitTimeoutError) as raised:
        lab.update(old, session=lab.session(seconds=2), **OLD, workers=1, **REVERT)
    assert str(raised.value).startswith(f"cluster {lab.name} is not ready after 2s")
    assert saved(raised) == ("1.13.7", "1.35.6", False, False)


def test_an_upgrade_that_somebody_else_has_begun_is_not_taken_back(lab: Lab, simulator: Simulator) -> None:
    old = lab.create(**OLD, workers=1)
    simulator.faults.unreachable.add(*lab.machines("workers"))

    def upgraded(cluster: Resource) -> Resource:
        spec = specs_pb2.ClusterSpec()
        spec.CopyFrom(cluster.spec)
        spec.talos_version = "1.13.8"
        return replace(cluster, spec=spec)

    lab.client.state.modify(CLUSTER, lab.name, upgraded)
    with pytest.raises(WaitTimeoutError):
        lab.update(old, session=lab.session(seconds=3), workers=1, labels={"a": "b"}, **REVERT)
    assert versions(lab) == ("1.13.8", "1.35.6")
