"""Machine classes, several control planes, and sets that change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.simulator.machines import MachineSetup

POOL = {"pool": "a"}
ALLOCATION = specs_pb2.MachineSetSpec.MachineAllocation


@pytest.fixture
def classy(make_lab: Any) -> Any:
    """A ready cluster whose sets take their machines, one each, from a class of five."""
    lab = make_lab([*(MachineSetup(labels=POOL) for _ in range(5)), MachineSetup()])
    spec = specs_pb2.MachineClassSpec(match_labels=["pool = a"])
    lab.store.create(Resource(omni.MACHINE_CLASS, "a", spec))
    lab.cluster(machine_class="a", sizes=(1, 1))
    lab.run_until_ready()
    return lab


def resize(lab: Any, size: int | None) -> None:
    """Give the workers another size; None for all that there are."""

    def change(spec: specs_pb2.MachineSetSpec) -> None:
        kind = ALLOCATION.Unlimited if size is None else ALLOCATION.Static
        spec.machine_allocation.CopyFrom(ALLOCATION(name="a", machine_count=size or 0, allocation_type=kind))

    lab.change(omni.MACHINE_SET, "c1-workers", change)


def workers(lab: Any) -> list[str]:
    nodes = [node for node in lab.list(omni.MACHINE_SET_NODE, "c1") if omni.LABEL_WORKER in node.labels]
    return [node.id for node in sorted(nodes, key=lambda node: node.created)]


def test_nodes_of_a_class_carry_a_label_no_owner_and_the_finalizer_of_their_controller(classy: Any) -> None:
    for node in classy.list(omni.MACHINE_SET_NODE, "c1"):
        assert node.owner == ""
        assert omni.LABEL_MANAGED_NODE in node.labels
        assert node.finalizers == ("MachineSetNodeController", "MachineSetStatusController")
        assert classy.get(omni.MACHINE_STATUS, node.id).labels["pool"] == "a"


def test_a_smaller_size_lets_the_oldest_go(classy: Any) -> None:
    resize(classy, 3)
    classy.run_until_ready()
    before = workers(classy)
    resize(classy, 1)
    classy.run_until_ready()
    assert workers(classy) == before[-1:]


def test_a_smaller_size_lets_a_lost_machine_go_before_older_ones(classy: Any) -> None:
    resize(classy, 3)
    classy.run_until_ready()
    *here, lost = workers(classy)
    classy.faults.disconnected.add(lost)
    classy.run(1)
    resize(classy, 2)
    classy.run(5)
    assert workers(classy) == here


def test_a_node_that_a_user_tears_down_is_replaced_at_once(classy: Any) -> None:
    (before,) = workers(classy)
    classy.tear_down(omni.MACHINE_SET_NODE, before)
    classy.run(1)
    (after,) = workers(classy)
    assert after != before
    classy.run_until_ready()


def test_a_lock_does_not_keep_a_node_from_being_scaled_away(classy: Any) -> None:
    (machine,) = workers(classy)
    classy.annotate(omni.MACHINE_SET_NODE, machine, {omni.ANNOTATION_LOCKED: ""})
    resize(classy, 0)
    classy.run(20)
    assert workers(classy) == []


def test_unlimited_takes_all_that_fit_and_those_that_come_later(classy: Any) -> None:
    resize(classy, None)
    classy.run_until_ready()
    assert len(workers(classy)) == 4
    classy.store.update(replace(classy.get(omni.MACHINE_LABELS, classy.ids[5]), labels=POOL))
    classy.run_until_ready()
    assert len(workers(classy)) == 5


def test_labels_of_users_reach_the_status_unless_they_have_omnis_prefix(classy: Any) -> None:
    machine = classy.ids[5]
    found = classy.get(omni.MACHINE_LABELS, machine)
    classy.store.update(replace(found, labels={"zone": "b", omni.PREFIX + "mine": "", omni.LABEL_CLUSTER: "c1"}))
    classy.run(1)
    shown = classy.get(omni.MACHINE_STATUS, machine).labels
    assert shown["zone"] == "b"
    assert not {omni.PREFIX + "mine", omni.LABEL_CLUSTER} & shown.keys()


def test_more_than_there_are_leaves_the_set_scaling_up_without_a_word(classy: Any) -> None:
    resize(classy, 7)
    classy.run(60)
    status = classy.get(omni.MACHINE_SET_STATUS, "c1-workers").spec
    assert (status.phase, status.error) == (1, "")
    assert (status.machines.requested, status.machines.total) == (7, 4)
    assert classy.get(omni.CLUSTER_STATUS, "c1").spec.phase == 1


def test_a_class_takes_no_machine_whose_talos_is_newer_than_the_cluster(make_lab: Any) -> None:
    lab = make_lab([MachineSetup(labels=POOL), *(MachineSetup(labels=POOL, talos_version="1.12.10") for _ in range(2))])
    lab.store.create(Resource(omni.MACHINE_CLASS, "a", specs_pb2.MachineClassSpec(match_labels=["pool = a"])))
    lab.cluster(machine_class="a", sizes=(1, 2), talos="1.12.11", kubernetes="1.34.8")
    lab.run(5)
    assert {node.id for node in lab.list(omni.MACHINE_SET_NODE, "c1")} == set(lab.ids[1:])
    assert lab.get(omni.MACHINE_SET_STATUS, "c1-workers").spec.phase == 1


@pytest.mark.parametrize(("most", "at_once"), [(0, 1), (2, 2)])
def test_workers_leave_as_few_at_a_time_as_their_set_says(lab: Any, most: int, at_once: int) -> None:
    lab.cluster(workers=lab.ids[1:5])

    def change(spec: specs_pb2.MachineSetSpec) -> None:
        spec.delete_strategy = specs_pb2.MachineSetSpec.Rolling
        spec.delete_strategy_config.rolling.max_parallelism = most

    lab.change(omni.MACHINE_SET, "c1-workers", change)
    lab.run_until_ready()
    for machine in lab.ids[1:4]:
        lab.tear_down(omni.MACHINE_SET_NODE, machine)
    leaving = []
    while members := [item for item in lab.list(omni.CLUSTER_MACHINE, "c1") if item.id in lab.ids[1:4]]:
        leaving.append(sum(member.tearing_down for member in members))
        lab.run(0.25)
    assert max(leaving) == at_once
    lab.run_until_ready()


def test_a_class_that_fits_nothing_any_more_keeps_the_nodes(classy: Any) -> None:
    before = workers(classy)

    def change(spec: specs_pb2.MachineClassSpec) -> None:
        spec.match_labels[:] = ["pool = nobody"]

    classy.change(omni.MACHINE_CLASS, "a", change)
    classy.run(20)
    assert workers(classy) == before
    assert classy.is_ready()


def test_the_end_of_a_cluster_frees_the_machines_of_its_classes(classy: Any) -> None:
    classy.tear_down(omni.CLUSTER, "c1")
    classy.run(30)
    assert classy.leftovers() == []
    assert classy.free() == set(classy.ids)


def test_a_set_that_went_to_a_class_and_back_cannot_be_torn_down_before_it_has_one_again(lab: Any) -> None:
    spec = specs_pb2.MachineClassSpec(match_labels=["pool = nobody"])
    lab.store.create(Resource(omni.MACHINE_CLASS, "a", spec))
    lab.cluster()
    labels = {omni.LABEL_CLUSTER: "c1", omni.LABEL_WORKER: ""}
    lab.store.create(Resource(omni.MACHINE_SET, "c1-more", specs_pb2.MachineSetSpec(update_strategy=1), labels))
    lab.run_until_ready()
    lab.change(omni.MACHINE_SET, "c1-more", lambda spec: spec.machine_allocation.CopyFrom(ALLOCATION(name="a")))
    lab.run(1)
    lab.change(omni.MACHINE_SET, "c1-more", lambda spec: spec.ClearField("machine_allocation"))
    lab.run(1)
    lab.tear_down(omni.CLUSTER, "c1")
    lab.run(600)
    stuck = lab.get(omni.MACHINE_SET, "c1-more")
    assert set(stuck.finalizers) >= {"MachineSetNodeController", "MachineSetDestroyStatusController"}
    assert not lab.get(omni.MACHINE_SET, "c1-control-planes").tearing_down

    lab.change(omni.MACHINE_SET, "c1-more", lambda spec: spec.machine_allocation.CopyFrom(ALLOCATION(name="a")))
    lab.run(30)
    assert lab.leftovers() == []


def test_three_control_planes_become_ready_and_leave_one_at_a_time(lab: Any) -> None:
    lab.cluster(control_planes=lab.ids[:3], workers=lab.ids[3:5])
    lab.run_until_ready()
    members = [lab.get(omni.CLUSTER_MACHINE_IDENTITY, machine).spec.etcd_member_id for machine in lab.ids[:3]]
    assert len(set(members)) == 3
    assert all(members)

    for machine in lab.ids[1:3]:
        lab.tear_down(omni.MACHINE_SET_NODE, machine)
    lab.run(2)
    tearing = [machine for machine in lab.ids[1:3] if lab.get(omni.CLUSTER_MACHINE, machine).tearing_down]
    assert len(tearing) == 1
    waiting = next(machine for machine in lab.ids[1:3] if machine not in tearing)
    assert lab.get(omni.CLUSTER_MACHINE_STATUS, waiting).spec.stage == 9
    lab.run_until_ready()
    assert lab.get(omni.MACHINE_SET_STATUS, "c1-control-planes").spec.machines.total == 1

    for machine in lab.ids[1:3]:
        lab.node("c1", "control-planes", machine)
    lab.run_until_ready()


def test_a_cluster_that_loses_its_control_planes_reads_as_ready_but_not_available(ready: Any) -> None:
    ready.tear_down(omni.MACHINE_SET, "c1-control-planes")
    ready.run(30)
    status = ready.get(omni.CLUSTER_STATUS, "c1").spec
    assert (status.phase, status.ready) == (3, True)
    assert not any((status.available, status.kubernetesAPIReady, status.controlplaneReady))
    assert not ready.get(omni.CLUSTER_BOOTSTRAP_STATUS, "c1").spec.bootstrapped  # so it may have others


def test_a_set_with_its_nodes_and_patches_can_be_removed_from_a_running_cluster(ready: Any) -> None:
    ready.patch("300-c1-workers", "machine: {}", cluster="c1", machine_set="c1-workers")
    ready.run_until_ready()
    ready.tear_down(omni.MACHINE_SET, "c1-workers")
    ready.run(30)
    assert ready.find(omni.MACHINE_SET, "c1-workers") is None
    assert ready.find(omni.CONFIG_PATCH, "300-c1-workers") is None
    assert ready.free() == set(ready.ids[1:])
    assert ready.is_ready()


def test_a_cluster_without_workers_becomes_ready(lab: Any) -> None:
    spec = specs_pb2.ClusterSpec(talos_version="1.13.8", kubernetes_version="1.35.7")
    lab.store.create(Resource(omni.CLUSTER, "c1", spec))
    lab.run(5)
    status = lab.get(omni.CLUSTER_STATUS, "c1").spec
    assert (status.phase, status.ready) == (0, False)
    labels = {omni.LABEL_CLUSTER: "c1", omni.LABEL_CONTROL_PLANE: ""}
    lab.store.create(Resource(omni.MACHINE_SET, "c1-control-planes", specs_pb2.MachineSetSpec(), labels))
    lab.run(5)
    assert lab.get(omni.MACHINE_SET_STATUS, "c1-control-planes").spec.phase == 5
    lab.node("c1", "control-planes", lab.ids[0])
    lab.run_until_ready()


def test_the_old_field_for_a_machine_class_still_counts(make_lab: Any) -> None:
    lab = make_lab([MachineSetup(labels=POOL) for _ in range(3)])
    lab.store.create(Resource(omni.MACHINE_CLASS, "a", specs_pb2.MachineClassSpec(match_labels=["pool"])))
    lab.store.create(
        Resource(omni.CLUSTER, "c1", specs_pb2.ClusterSpec(talos_version="1.13.8", kubernetes_version="1.35.7"))
    )
    spec = specs_pb2.MachineSetSpec(machine_class=ALLOCATION(name="a", machine_count=3))
    labels = {omni.LABEL_CLUSTER: "c1", omni.LABEL_CONTROL_PLANE: ""}
    lab.store.create(Resource(omni.MACHINE_SET, "c1-control-planes", spec, labels))
    lab.run_until_ready()
    assert len(lab.list(omni.MACHINE_SET_NODE, "c1")) == 3


def test_where_both_fields_name_a_class_the_old_one_counts_as_in_omni(make_lab: Any) -> None:
    lab = make_lab([MachineSetup(labels=POOL), MachineSetup(labels=POOL), MachineSetup()])
    lab.store.create(Resource(omni.MACHINE_CLASS, "a", specs_pb2.MachineClassSpec(match_labels=["pool"])))
    lab.store.create(Resource(omni.MACHINE_CLASS, "b", specs_pb2.MachineClassSpec(match_labels=["!pool"])))
    spec = specs_pb2.MachineSetSpec(
        machine_class=ALLOCATION(name="b", machine_count=1), machine_allocation=ALLOCATION(name="a", machine_count=2)
    )
    labels = {omni.LABEL_CLUSTER: "c2", omni.LABEL_WORKER: ""}
    lab.store.create(
        Resource(omni.CLUSTER, "c2", specs_pb2.ClusterSpec(talos_version="1.13.8", kubernetes_version="1.35.7"))
    )
    lab.store.create(Resource(omni.MACHINE_SET, "c2-workers", spec, labels))
    lab.run(1)
    assert [node.id for node in lab.list(omni.MACHINE_SET_NODE, "c2")] == [lab.ids[2]]
