"""A cluster's life, told in the order in which Omni v1.10 tells it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import pytest

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.resources import Resource

FAILED, SCALING_UP, SCALING_DOWN, RUNNING, RECONFIGURING = 5, 1, 2, 3, 6


def changes(values: Iterable[Any]) -> list[Any]:
    """The values without immediate repetitions."""
    return [value for value, _ in groupby(values)]


def test_a_cluster_becomes_ready_in_the_time_that_the_story_says(lab: Any) -> None:
    lab.cluster()
    assert 30 < lab.run_until_ready() < 60


def test_a_new_control_plane_set_is_failed_for_a_moment(lab: Any) -> None:
    lab.cluster()
    lab.run_until_ready()
    states = lab.history(omni.MACHINE_SET_STATUS, "c1-control-planes")
    assert states[0].spec.phase == FAILED
    assert states[0].spec.error == "control plane machine set must have at least one node"
    assert not states[0].spec.ready
    phases = changes(state.spec.phase for state in states)
    assert phases == [FAILED, SCALING_UP, RUNNING, RECONFIGURING, RUNNING]


def test_a_control_plane_set_has_its_configuration_and_is_running_before_it_is_ready(lab: Any) -> None:
    lab.cluster()
    lab.run_until_ready()
    states = [state.spec for state in lab.history(omni.MACHINE_SET_STATUS, "c1-control-planes")]
    assert changes((state.phase, state.ready) for state in states)[-3:] == [
        (RECONFIGURING, False),
        (RUNNING, False),
        (RUNNING, True),
    ]


def test_a_new_worker_set_is_ready_while_it_is_empty_and_not_again_before_its_machines_are(lab: Any) -> None:
    lab.cluster()
    lab.run_until_ready()
    states = [state.spec for state in lab.history(omni.MACHINE_SET_STATUS, "c1-workers")]
    assert (states[0].phase, states[0].ready, states[0].machines.total) == (RUNNING, True, 0)
    assert changes(state.ready for state in states) == [True, False, True]
    assert states[-1].machines.healthy == states[-1].machines.requested == 2


def test_running_comes_first_then_ready_and_the_kubernetes_api_last_after_flapping(lab: Any) -> None:
    lab.cluster()
    lab.run_until_ready()
    running = lab.time_of(lambda event: event.resource.type == omni.CLUSTER_STATUS and event.resource.spec.phase == 3)
    ready = lab.time_of(lambda event: event.resource.type == omni.CLUSTER_STATUS and event.resource.spec.ready)
    upgrade = lab.time_of(lambda event: event.resource.type == omni.KUBERNETES_UPGRADE_STATUS)
    states = [state.spec for state in lab.history(omni.CLUSTER_STATUS, "c1")]
    assert running < ready < upgrade
    assert changes(state.kubernetesAPIReady for state in states) == [False, True, False, True]
    assert not any(state.ready and state.kubernetesAPIReady for state in states[:-1])
    assert states[-1].ready
    assert states[-1].kubernetesAPIReady


def test_the_kubernetes_upgrade_status_begins_as_upgrading_from_nothing(lab: Any) -> None:
    lab.cluster()
    lab.run_until_ready()
    states = [state.spec for state in lab.history(omni.KUBERNETES_UPGRADE_STATUS, "c1")]
    assert (states[0].phase, states[0].last_upgrade_version, states[0].current_upgrade_version) == (1, "", "1.35.7")
    assert states[0].status.startswith('nodes ["talos-')
    assert states[0].status.endswith("are not ready")
    assert (states[-1].phase, states[-1].last_upgrade_version) == (2, "1.35.7")
    assert list(states[-1].upgrade_versions) == ["1.35.6", "1.36.2", "1.36.3"]


def test_the_talos_upgrade_status_is_done_at_once_and_has_no_cluster_label(lab: Any) -> None:
    lab.cluster()
    lab.run(1)
    status = lab.get(omni.TALOS_UPGRADE_STATUS, "c1")
    assert (status.spec.phase, status.spec.last_upgrade_version) == (2, "1.13.8")
    assert list(status.spec.upgrade_versions) == ["1.13.6", "1.13.7"]
    assert not status.labels


def test_finalizers_come_one_by_one_right_after_creation(lab: Any) -> None:
    lab.cluster()
    lab.run(1)
    versions = [state.version for state in lab.history(omni.CLUSTER, "c1")]
    assert versions == list(range(1, 15))
    cluster = lab.get(omni.CLUSTER, "c1")
    assert len(cluster.finalizers) == 13
    assert lab.get(omni.MACHINE_SET, "c1-control-planes").version == 8
    assert lab.get(omni.MACHINE_SET, "c1-workers").version == 6
    assert lab.get(omni.MACHINE_SET_NODE, lab.ids[0]).finalizers == ("MachineSetStatusController",)
    assert lab.get(omni.CLUSTER_MACHINE, lab.ids[0]).version == 7


def test_a_machine_goes_through_its_stages_and_a_fresh_one_fails_while_it_reboots(lab: Any) -> None:
    lab.cluster(workers=[lab.ids[1], lab.ids[2]])  # the third machine has no Talos on its disk yet
    lab.run_until_ready()
    installed = [state.spec for state in lab.history(omni.CLUSTER_MACHINE_STATUS, lab.ids[1])]
    fresh = [state.spec for state in lab.history(omni.CLUSTER_MACHINE_STATUS, lab.ids[2])]
    assert changes(state.stage for state in installed) == [3, 1, 4]
    assert changes(state.stage for state in fresh) == [3, 2, 7, 1, 4]
    failed = [state for state in fresh if state.config_apply_status == 3]
    assert {state.stage for state in failed} == {7, 1, 4}
    assert failed[0].last_config_error.startswith("rpc error: code = Unavailable desc = maintenance install failed")
    assert (fresh[-1].config_apply_status, fresh[-1].last_config_error) == (2, "")
    running = [(state.config_up_to_date, state.config_apply_status) for state in installed if state.stage == 4]
    assert running[0] == (False, 1)
    assert running[-1] == (True, 2)


def test_a_control_plane_runs_before_it_is_ready(lab: Any) -> None:
    lab.cluster()
    lab.run_until_ready()
    states = [state.spec for state in lab.history(omni.CLUSTER_MACHINE_STATUS, lab.ids[0])]
    assert changes((state.stage, state.ready) for state in states if state.stage == 4) == [(4, False), (4, True)]
    bootstrapped = [state.spec.bootstrapped for state in lab.history(omni.CLUSTER_BOOTSTRAP_STATUS, "c1")]
    assert bootstrapped == [False, True]


def test_the_rest_state_has_the_labels_owners_and_finalizers_of_omni(ready: Any) -> None:
    ready.run(20)
    control_plane = ready.ids[0]
    status = ready.get(omni.CLUSTER_MACHINE_STATUS, control_plane)
    name = ready.machine(0).name
    assert dict(status.labels) == {
        "omni.sidero.dev/cluster": "c1",
        "omni.sidero.dev/connected": "",
        "omni.sidero.dev/hostname": name,
        "omni.sidero.dev/machine-set": "c1-control-planes",
        "omni.sidero.dev/node-name": name,
        "omni.sidero.dev/role-controlplane": "",
    }
    assert status.owner == "ClusterMachineStatusController"
    assert set(status.finalizers) == {"SecretRotationStatusController", "ClusterWorkloadProxyStatusController"}
    machine = ready.get(omni.MACHINE_STATUS, control_plane)
    assert omni.LABEL_AVAILABLE not in machine.labels
    assert machine.labels[omni.LABEL_CLUSTER] == machine.spec.cluster == "c1"
    assert machine.labels[omni.LABEL_MACHINE_SET] == "c1-control-planes"
    assert (machine.spec.role, machine.spec.maintenance) == (1, False)
    identity = ready.get(omni.CLUSTER_MACHINE_IDENTITY, control_plane).spec
    assert (identity.nodename, bool(identity.etcd_member_id), len(identity.node_ips)) == (name, True, 1)
    cluster_status = ready.get(omni.CLUSTER_STATUS, "c1")
    assert dict(cluster_status.labels) == {"env": "local"}
    assert (cluster_status.spec.talos_version, cluster_status.spec.initial_talos_version) == ("1.13.8", "1.13.8")
    uuid = ready.get(omni.CLUSTER_UUID, "c1")
    assert uuid.labels[omni.LABEL_CLUSTER_UUID] == uuid.spec.uuid
    assert ready.get(omni.CLUSTER_CONFIG_VERSION, "c1").spec.version == "v1.13.8"
    assert len(ready.get(omni.CLUSTER_ENDPOINT, "c1").spec.management_addresses) == 1
    kubernetes = ready.get(omni.KUBERNETES_STATUS, "c1").spec
    assert {node.kubelet_version for node in kubernetes.nodes} == {"1.35.7"}
    assert [pod.app for pod in kubernetes.static_pods[0].static_pods] == [
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
    ]
    patch = ready.get(omni.CONFIG_PATCH, "950-discovery-service-c1")
    assert patch.owner == "DiscoveryServiceConfigPatchController"


def test_nothing_happens_at_rest(ready: Any) -> None:
    ready.run(30)
    before = len(ready.events)
    ready.run(3600)
    assert len(ready.events) == before


def test_a_worker_that_is_added_makes_the_set_scale_up(ready: Any) -> None:
    ready.node("c1", "workers", ready.ids[3])
    took = ready.run_until_ready()
    phases = changes(state.spec.phase for state in ready.history(omni.CLUSTER_STATUS, "c1"))
    assert phases[-2:] == [SCALING_UP, RUNNING]
    assert ready.get(omni.CLUSTER_STATUS, "c1").spec.machines.total == 4
    assert took < 40


def test_a_worker_that_is_removed_goes_back_to_the_pool_after_its_node_is_gone(ready: Any) -> None:
    machine = ready.ids[2]
    ready.tear_down(omni.MACHINE_SET_NODE, machine)
    ready.run(0.5)
    assert ready.find(omni.MACHINE_SET_NODE, machine) is None
    assert ready.find(omni.CLUSTER_MACHINE, machine) is not None
    assert ready.get(omni.CLUSTER_STATUS, "c1").spec.phase == SCALING_DOWN
    ready.run(20)
    assert ready.is_ready()
    assert ready.get(omni.CLUSTER_STATUS, "c1").spec.machines.total == 2
    stages = changes(state.spec.stage for state in ready.history(omni.CLUSTER_MACHINE_STATUS, machine))
    assert stages[-3:] == [4, 9, 5]
    assert machine in ready.free()
    assert ready.find(omni.CLUSTER_MACHINE_IDENTITY, machine) is None


def test_a_machine_is_available_before_it_is_back_in_maintenance(ready: Any) -> None:
    machine = ready.ids[2]
    ready.tear_down(omni.MACHINE_SET_NODE, machine)
    ready.run(20)

    def state(resource: Resource) -> tuple[bool, bool]:
        return omni.LABEL_AVAILABLE in resource.labels, bool(resource.spec.maintenance)

    states = changes(state(item) for item in ready.history(omni.MACHINE_STATUS, machine))
    assert states[-3:] == [(False, False), (True, False), (True, True)]


def test_the_end_of_a_cluster_leaves_nothing_and_frees_all_machines(ready: Any) -> None:
    ready.patch("400-c1-machine", "machine: {}", cluster="c1", cluster_machine=ready.ids[1])
    ready.patch("200-c1", "machine: {}", cluster="c1")
    ready.patch("300-c1-workers", "machine: {}", cluster="c1", machine_set="c1-workers")
    ready.run_until_ready()
    ready.tear_down(omni.CLUSTER, "c1")
    ready.run(30)
    assert ready.leftovers() == []
    assert ready.free() == set(ready.ids)


def test_the_end_of_a_cluster_takes_workers_first_and_counts_down(ready: Any) -> None:
    ready.tear_down(omni.CLUSTER, "c1")
    ready.run(30)
    phases = changes(state.spec.phase for state in ready.history(omni.CLUSTER_DESTROY_STATUS, "c1"))
    assert phases[0] == "Destroying: 2 machine sets, 3 machines"
    assert phases[-1] == "Destroying: 0 machine sets, 0 machines"
    assert "Destroying: 1 machine set, 1 machine" in phases

    def torn_down(machine_set: str) -> float:
        return ready.time_of(lambda event: event.resource.id == machine_set and event.resource.tearing_down)

    workers_gone = ready.time_of(lambda event: event.kind == "destroyed" and event.resource.id == "c1-workers")
    assert torn_down("c1-workers") < workers_gone < torn_down("c1-control-planes")


def test_a_cluster_of_the_same_name_can_be_made_again_at_once_with_another_uuid(ready: Any) -> None:
    before = ready.get(omni.CLUSTER_UUID, "c1").spec.uuid
    ready.tear_down(omni.CLUSTER, "c1")
    while ready.find(omni.CLUSTER, "c1") is not None:
        ready.run(0.01)
    ready.cluster()
    ready.run_until_ready()
    assert ready.get(omni.CLUSTER_UUID, "c1").spec.uuid != before


def test_a_cluster_can_be_torn_down_at_every_moment_of_its_making(make_lab: Any) -> None:
    for moment in (0.0, 0.01, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 2, 10, 16, 20, 25):
        lab = make_lab()
        lab.cluster()
        lab.run(moment)
        lab.tear_down(omni.CLUSTER, "c1")
        lab.run(40)
        assert lab.leftovers() == [], f"after {moment} s"
        assert lab.free() == set(lab.ids), f"after {moment} s"


def test_a_node_may_take_a_machine_that_is_still_being_wiped(ready: Any) -> None:
    machine = ready.ids[2]
    ready.tear_down(omni.MACHINE_SET_NODE, machine)
    ready.run(0.5)
    ready.cluster("c2", control_planes=[machine], workers=[ready.ids[3]])
    ready.run_until_ready("c2")
    assert ready.is_ready("c1")
    assert ready.get(omni.CLUSTER_MACHINE, machine).cluster == "c2"


@pytest.mark.parametrize("count", [2, 4])
def test_a_control_plane_that_begins_with_an_even_number_gets_no_status(lab: Any, count: int) -> None:
    """As captured 45 s after the create of such a cluster, when nothing changed any more."""
    lab.cluster(control_planes=lab.ids[:count], workers=lab.ids[count : count + 1])
    lab.run(120)
    status = lab.get(omni.CLUSTER_STATUS, "c1").spec
    assert (status.phase, status.ready, status.available, status.kubernetesAPIReady) == (3, True, True, True)
    assert not status.controlplaneReady
    assert status.has_connected_control_planes
    assert lab.find(omni.CONTROL_PLANE_STATUS, "c1-control-planes") is None
    machines = lab.get(omni.MACHINE_SET_STATUS, "c1-control-planes").spec.machines
    assert (machines.total, machines.healthy, machines.connected, machines.requested) == (count,) * 4
    for kind in (omni.TALOS_UPGRADE_STATUS, omni.KUBERNETES_UPGRADE_STATUS):
        assert lab.get(kind, "c1").spec.phase == 2
    lab.node("c1", "control-planes", lab.ids[count + 1])
    lab.run(120)
    assert lab.get(omni.CLUSTER_STATUS, "c1").spec.controlplaneReady
    assert len(lab.get(omni.CONTROL_PLANE_STATUS, "c1-control-planes").spec.conditions) == 2


def test_a_control_plane_that_grows_to_an_even_number_keeps_its_status(lab: Any) -> None:
    lab.cluster()
    lab.run_until_ready()
    for number, machine in enumerate(lab.ids[3:6], start=2):
        lab.node("c1", "control-planes", machine)
        lab.run_until_ready()
        assert lab.get(omni.CLUSTER_STATUS, "c1").spec.controlplaneReady, number
    assert lab.get(omni.CONTROL_PLANE_STATUS, "c1-control-planes").version == 1
