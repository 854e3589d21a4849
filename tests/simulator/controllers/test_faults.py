"""Machines that do not do what they should."""

from __future__ import annotations

from typing import Any

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.simulator.faults import Faults, MachineSelection


def test_a_machine_that_never_joins_leaves_the_cluster_running_and_not_ready(make_lab: Any) -> None:
    lab = make_lab(faults=Faults(never_join=[2]))
    lab.cluster()
    lab.run(300)
    status = lab.get(omni.CLUSTER_STATUS, "c1").spec
    assert (status.phase, status.ready, status.kubernetesAPIReady) == (3, False, True)
    assert lab.get(omni.CLUSTER_MACHINE_STATUS, lab.ids[2]).spec.stage == 1

    lab.faults.never_join.clear()
    lab.run_until_ready()


def test_a_disconnected_machine_shows_in_labels_and_counts(ready: Any) -> None:
    ready.faults.disconnected.add(2)
    ready.run(5)
    machine = ready.get(omni.MACHINE_STATUS, ready.ids[2])
    assert omni.LABEL_DISCONNECTED in machine.labels
    assert omni.LABEL_CONNECTED not in machine.labels
    assert not machine.spec.connected
    status = ready.get(omni.CLUSTER_MACHINE_STATUS, ready.ids[2])
    assert omni.LABEL_CONNECTED not in status.labels
    assert not status.spec.ready
    workers = ready.get(omni.MACHINE_SET_STATUS, "c1-workers").spec
    assert (workers.ready, workers.machines.connected, workers.machines.healthy) == (False, 1, 1)
    assert not ready.get(omni.CLUSTER_STATUS, "c1").spec.ready

    ready.faults.disconnected.discard(2)
    ready.run_until_ready()


def test_a_cluster_with_a_lost_machine_is_deleted_only_when_the_link_of_the_machine_goes(ready: Any) -> None:
    lost = ready.ids[2]
    ready.faults.disconnected.add(lost)
    ready.run(5)
    ready.tear_down(omni.CLUSTER, "c1")
    ready.run(600)
    assert ready.get(omni.CLUSTER_DESTROY_STATUS, "c1").spec.phase == "Destroying: 2 machine sets, 2 machines"
    assert ready.get(omni.CLUSTER_MACHINE, lost).tearing_down
    assert not ready.get(omni.MACHINE_SET, "c1-control-planes").tearing_down

    ready.tear_down(omni.LINK, lost)
    ready.run(30)
    assert ready.leftovers() == []
    for kind in (omni.LINK, omni.MACHINE, omni.MACHINE_STATUS):
        assert ready.find(kind, lost) is None
    states = [state.spec for state in ready.history(omni.CLUSTER_MACHINE_STATUS, lost)]
    assert (states[-1].stage, states[-1].ready) == (0, False)


def test_a_machine_that_was_taken_out_comes_back_and_is_not_usable_before_it_is_wiped(ready: Any) -> None:
    lost = ready.ids[2]
    ready.faults.disconnected.add(lost)
    ready.tear_down(omni.MACHINE_SET_NODE, lost)
    ready.run(5)
    ready.tear_down(omni.LINK, lost)
    ready.run(300)
    assert ready.find(omni.MACHINE_STATUS, lost) is None

    ready.faults.disconnected.clear()
    ready.run(90)
    status = ready.get(omni.MACHINE_STATUS, lost)
    assert {label.removeprefix(omni.PREFIX) for label in status.labels} == {"available", "connected", "ready-to-use"}


def test_taking_out_a_machine_of_a_living_cluster_ends_its_membership_and_keeps_its_node(ready: Any) -> None:
    ready.tear_down(omni.LINK, ready.ids[2])
    ready.run(20)
    assert ready.find(omni.CLUSTER_MACHINE, ready.ids[2]) is None
    assert ready.find(omni.MACHINE_SET_NODE, ready.ids[2]) is not None
    assert ready.get(omni.MACHINE_SET_STATUS, "c1-workers").spec.phase == 1


def test_a_node_for_a_machine_that_nobody_knows_waits_for_it(ready: Any) -> None:
    ready.node("c1", "workers", "00000000-0000-4000-8000-000000000000")
    ready.run(60)
    workers = ready.get(omni.MACHINE_SET_STATUS, "c1-workers").spec
    assert (workers.phase, workers.machines.requested, workers.machines.total) == (1, 3, 2)
    ready.tear_down(omni.CLUSTER, "c1")
    ready.run(30)
    assert ready.leftovers() == []


def test_a_lost_machine_can_be_given_up_by_a_request(ready: Any) -> None:
    lost = ready.ids[2]
    ready.faults.disconnected.add(lost)
    ready.run(1)
    ready.tear_down(omni.MACHINE_SET_NODE, lost)
    ready.run(60)
    assert ready.find(omni.CLUSTER_MACHINE, lost) is not None
    ready.store.create(Resource(omni.NODE_FORCE_DESTROY_REQUEST, lost, specs_pb2.NodeForceDestroyRequestSpec()))
    ready.run(30)
    assert ready.find(omni.CLUSTER_MACHINE, lost) is None
    assert ready.find(omni.NODE_FORCE_DESTROY_REQUEST, lost) is None


def test_a_machine_that_only_looks_connected_is_not_given_up(ready: Any) -> None:
    ready.faults.unreachable.add(2)
    ready.tear_down(omni.MACHINE_SET_NODE, ready.ids[2])
    request = Resource(omni.NODE_FORCE_DESTROY_REQUEST, ready.ids[2], specs_pb2.NodeForceDestroyRequestSpec())
    ready.store.create(request)
    ready.run(60)
    assert ready.get(omni.CLUSTER_MACHINE, ready.ids[2]).tearing_down


def test_a_lost_machine_that_returns_is_wiped_and_the_delete_goes_on(ready: Any) -> None:
    ready.faults.disconnected.add(2)
    ready.tear_down(omni.CLUSTER, "c1")
    ready.run(60)
    ready.faults.disconnected.clear()
    ready.run(30)
    assert ready.leftovers() == []
    assert ready.free() == set(ready.ids)


def test_an_unreachable_machine_looks_well_until_something_is_asked_of_it(ready: Any) -> None:
    ready.faults.unreachable.add(2)
    ready.run(600)
    assert ready.is_ready()
    ready.patch("200-c1", "machine: {a: 1}", cluster="c1")
    ready.run(60)
    status = ready.get(omni.CLUSTER_MACHINE_STATUS, ready.ids[2])
    assert omni.LABEL_CONNECTED in status.labels
    assert (status.spec.ready, status.spec.config_up_to_date, status.spec.last_config_error) == (True, False, "")
    workers = ready.get(omni.MACHINE_SET_STATUS, "c1-workers").spec
    assert (workers.phase, workers.ready) == (6, False)


def test_a_machine_that_refuses_a_configuration_says_so_until_it_takes_one(ready: Any) -> None:
    ready.faults.reject_config.add(ready.ids[2])
    ready.patch("200-c1", "machine: {a: 1}", cluster="c1")
    ready.run(60)
    status = ready.get(omni.CLUSTER_MACHINE_STATUS, ready.ids[2]).spec
    assert (status.config_up_to_date, status.config_apply_status) == (False, 3)
    assert "configuration validation failed" in status.last_config_error

    ready.faults.reject_config.clear()
    ready.run_until_ready()
    assert ready.get(omni.CLUSTER_MACHINE_STATUS, ready.ids[2]).spec.last_config_error == ""


def test_a_machine_that_breaks_stalls_an_upgrade(ready: Any) -> None:
    ready.faults.disconnected.add(1)
    ready.run(2)
    ready.change(omni.CLUSTER, "c1", lambda spec: setattr(spec, "talos_version", "1.13.7"))
    ready.run(200)
    assert ready.get(omni.TALOS_UPGRADE_STATUS, "c1").spec.phase == 1
    ready.faults.disconnected.clear()
    ready.run_until_ready()


def test_calls_are_refused_as_often_as_asked_for() -> None:
    faults = Faults(unavailable=2)
    assert [faults.take_unavailable() for _ in range(3)] == [True, True, False]


def test_watches_are_broken_by_all_who_registered() -> None:
    faults = Faults()
    broken: list[str] = []
    faults.on_break(lambda: broken.append("one"))
    faults.on_break(lambda: broken.append("two"))
    faults.break_watches()
    assert broken == ["one", "two"]


def test_a_selection_of_machines_tells_of_changes_only() -> None:
    selection = MachineSelection([1])
    told: list[int] = []
    selection.listen(lambda: told.append(len(selection)))
    selection.add(1)
    selection.add("x")
    selection.discard(1)
    selection.discard(7)
    assert told == [2, 1]
    assert set(selection) == {"x"}
