"""Taking clusters down."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from ksail_pulumi.errors import CancelledError, ClusterFailedError, LifecycleError, WaitTimeoutError
from ksail_pulumi.lifecycle.delete import _Remover, delete
from ksail_pulumi.omni.client import Client
from ksail_pulumi.omni.resources import CLUSTER, KERNEL_ARGS, LABEL_CLUSTER, LINK, MACHINE_STATUS, MACHINE_STATUS_LABELS
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab

Needs = Callable[[int], list[str]]


def test_machines_are_back_in_the_pool_when_delete_returns(lab: Lab, needs: Needs) -> None:
    needs(3)
    outputs = lab.create(workers=2)
    lab.delete()
    assert lab.client.state.find(CLUSTER, lab.name) is None
    assert {node["id"] for node in outputs.nodes} <= lab.available()
    assert any("destroying" in line for line in lab.told)


def test_only_omni_destroys_the_cluster(simulator: Simulator, omni: Client) -> None:
    """A Destroy names no version: one that arrives late would remove a new cluster of the same name."""
    lab = Lab(omni, "torn-down")
    lab.create()
    written = len(simulator.store.audit)
    lab.delete()
    verbs = [entry.verb for entry in simulator.store.audit[written:] if entry.type == CLUSTER.name]
    assert verbs == ["teardown"]


def test_a_cluster_that_is_gone_already_is_no_error(lab: Lab) -> None:
    lab.delete()


def test_a_cluster_can_be_deleted_while_it_comes_up(lab: Lab, needs: Needs) -> None:
    needs(1)
    lab.create(waitFor="none")
    lab.delete()
    assert lab.client.state.find(CLUSTER, lab.name) is None


def test_a_deletion_that_is_under_way_is_joined(lab: Lab, needs: Needs) -> None:
    needs(1)
    lab.create()
    lab.client.state.teardown(CLUSTER, lab.name)
    lab.delete()
    assert lab.client.state.find(CLUSTER, lab.name) is None


def test_a_cluster_whose_mark_was_dropped_is_still_deleted(lab: Lab, needs: Needs) -> None:
    needs(1)
    lab.create(waitFor="none")
    lab.client.state.modify(CLUSTER, lab.name, lambda cluster: replace(cluster, annotations={}))
    lab.delete()
    assert lab.client.state.find(CLUSTER, lab.name) is None


def test_what_stays_with_a_machine_is_nobodys_any_more(lab: Lab, needs: Needs) -> None:
    needs(1)
    machine = lab.create(kernelArgs=["console=ttyS0"], waitFor="running").nodes[0]["id"]
    assert lab.mark.owns(lab.client.state.get(KERNEL_ARGS, machine))
    lab.delete()
    kept = lab.client.state.get(KERNEL_ARGS, machine)
    assert not lab.mark.owns(kept)
    assert list(kept.spec.args) == ["console=ttyS0"]


def test_an_interrupt_ends_the_wait_and_the_deletion_goes_on(lab: Lab, needs: Needs, simulator: Simulator) -> None:
    outputs = lab.create()
    machine = outputs.nodes[0]["id"]
    simulator.faults.unreachable.add(machine)
    lab.on_progress = lambda _: lab.cancelled.set()
    with pytest.raises(CancelledError):
        lab.delete()
    cluster = lab.client.state.find(CLUSTER, lab.name)
    assert cluster is not None
    assert cluster.tearing_down
    lab.on_progress = None
    lab.cancelled.clear()
    simulator.faults.unreachable.discard(machine)
    lab.delete()
    assert machine in lab.available()


def test_a_machine_that_cannot_be_wiped_is_named_before_anything_is_deleted(lab: Lab, simulator: Simulator) -> None:
    outputs = lab.create(workers=1)
    worker = outputs.nodes[1]
    lab.cut_off(worker["id"], simulator)
    with pytest.raises(LifecycleError, match="cannot wipe") as raised:
        lab.delete()
    assert worker["id"] in str(raised.value)
    assert "onDelete.disconnectedMachines" in str(raised.value)
    cluster = lab.client.state.find(CLUSTER, lab.name)
    assert cluster is not None
    assert not cluster.tearing_down


def test_a_machine_that_cannot_be_wiped_is_waited_for_where_that_is_asked_for(lab: Lab, simulator: Simulator) -> None:
    worker = lab.create(workers=1).nodes[1]["id"]
    lab.cut_off(worker, simulator)

    def reconnect(line: str) -> None:
        if worker in line:
            simulator.faults.disconnected.discard(worker)

    lab.on_progress = reconnect
    lab.delete(on_disconnected="wait")
    assert any("not connected to Omni" in line for line in lab.told)
    assert worker in lab.available()


@pytest.mark.parametrize("missing", [(), (MACHINE_STATUS_LABELS.name,)], ids=["labels", "statuses"])
def test_a_machine_that_cannot_be_wiped_is_removed_where_that_is_asked_for(
    lab: Lab, simulator: Simulator, missing: tuple[str, ...]
) -> None:
    worker = lab.create(workers=1).nodes[1]["id"]
    lab.cut_off(worker, simulator)
    simulator.faults.missing_types.update(missing)
    lab.delete(on_disconnected="remove")
    assert lab.client.state.find(CLUSTER, lab.name) is None
    assert lab.client.state.find(LINK, worker) is None
    assert not lab.client.state.list(MACHINE_STATUS, {LABEL_CLUSTER: lab.name})


def test_a_machine_that_is_in_another_cluster_by_now_is_not_removed(lab: Lab, simulator: Simulator) -> None:
    worker = lab.create(workers=1).nodes[1]["id"]
    lab.cut_off(worker, simulator)
    state = lab.client.state
    labels = state.get(MACHINE_STATUS_LABELS, worker)
    before = replace(labels, labels={**labels.labels, LABEL_CLUSTER: "another"})
    _Remover(state, "another").look_at(before)
    link = state.find(LINK, worker)
    assert link is not None
    assert not link.tearing_down
    lab.delete(on_disconnected="remove")
    assert state.find(LINK, worker) is None


def test_a_machine_that_is_lost_on_the_way_is_an_error_once_that_stands(lab: Lab, simulator: Simulator) -> None:
    worker = lab.create(workers=1).nodes[1]["id"]
    simulator.faults.unreachable.add(worker)  # keeps the deletion from ending before the machine is lost
    told = threading.Event()
    lab.on_progress = lambda _: told.set()
    failures: list[Exception] = []

    def work() -> None:
        try:
            delete(lab.name, lab.session(grace=0.3), identity=lab.identity())
        except LifecycleError as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert told.wait(60)
    simulator.faults.disconnected.add(worker)
    thread.join()
    assert isinstance(failures[0], ClusterFailedError)
    assert worker in str(failures[0])


def test_an_omni_without_labels_of_machines_is_followed_by_their_statuses(lab: Lab, simulator: Simulator) -> None:
    lab.create(workers=1)
    simulator.faults.missing_types.add(MACHINE_STATUS_LABELS.name)
    lab.delete()
    assert lab.client.state.find(CLUSTER, lab.name) is None
    assert not lab.client.state.list(MACHINE_STATUS, {LABEL_CLUSTER: lab.name})


def test_a_deletion_that_takes_too_long_is_explained(lab: Lab, simulator: Simulator) -> None:
    worker = lab.create(workers=1).nodes[1]["id"]
    simulator.faults.unreachable.add(worker)
    with pytest.raises(WaitTimeoutError, match="is not deleted after 5s: destroying: ") as raised:
        lab.delete(session=lab.session(seconds=5))
    assert re.search(rf"machine .*{worker}\), .*-workers: connected, being wiped", str(raised.value))


def test_a_machine_that_loses_its_labels_before_its_status_is_waited_for(lab: Lab, simulator: Simulator) -> None:
    """As when it is removed from Omni: the status exists until its last controller has let it go."""
    machine = lab.create(workers=1).nodes[1]["id"]
    status = lab.client.state.get(MACHINE_STATUS, machine)
    labels = lab.client.state.get(MACHINE_STATUS_LABELS, machine)
    simulator.faults.unreachable.add(machine)
    told: list[str] = []

    def remove(line: str) -> None:
        told.append(line)
        if len(told) == 1:
            simulator.store.destroy(MACHINE_STATUS_LABELS, machine, owner=labels.owner)
            simulator.faults.unreachable.discard(machine)

    lab.on_progress = remove
    lab.delete()
    assert status.cluster == lab.name
    assert not lab.client.state.list(MACHINE_STATUS, {LABEL_CLUSTER: lab.name})
