"""Versions, images and configurations that change on a running cluster."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.simulator.machines import MachineSetup

UPGRADING, DONE, REVERTING, UPDATING_SCHEMATICS = 1, 2, 4, 5
RECONFIGURING, SET_RUNNING, SET_UPGRADING = 6, 3, 7


def changes(values: Iterable[Any]) -> list[Any]:
    """The values without immediate repetitions."""
    return [value for value, _ in groupby(values)]


def set_versions(lab: Any, *, talos: str = "", kubernetes: str = "") -> None:
    def change(spec: specs_pb2.ClusterSpec) -> None:
        spec.talos_version = talos or spec.talos_version
        spec.kubernetes_version = kubernetes or spec.kubernetes_version

    lab.change(omni.CLUSTER, "c1", change)


def since(lab: Any, moment: float, kind: omni.ResourceType, resource_id: str = "c1") -> list[Any]:
    """The specs that a resource has had since a moment."""
    return [
        event.resource.spec
        for at, event in lab.events
        if at >= moment and event.resource.type == kind and event.resource.id == resource_id
    ]


def test_a_kubernetes_upgrade_goes_component_by_component_and_node_by_node(ready: Any) -> None:
    began = ready.clock.elapsed
    set_versions(ready, kubernetes="1.35.6")
    ready.run_until_ready()
    states = since(ready, began, omni.KUBERNETES_UPGRADE_STATUS)
    assert changes(state.phase for state in states)[:2] == [UPGRADING, DONE]
    pulls = [state.status for state in states if state.status.startswith("pre-pulling")]
    assert pulls == ["pre-pulling images (2/6)", "pre-pulling images (4/6)"]
    steps = changes(state.step.partition(": ")[2] for state in states if "updating" in state.step)
    assert steps == [
        "updating kube-apiserver to 1.35.6",
        "updating kube-controller-manager to 1.35.6",
        "updating kube-scheduler to 1.35.6",
        "updating kubelet to 1.35.6",
    ]
    kubelets = changes(
        state.step.partition(": ")[0] for state in states if "kubelet" in state.step and "pull" not in state.step
    )
    assert kubelets == [ready.machine(0).name, *sorted((ready.machine(1).name, ready.machine(2).name))]
    assert {state.last_upgrade_version for state in states[:-1] if state.phase == UPGRADING} == {"1.35.7"}
    assert {node.kubelet_version for node in ready.get(omni.KUBERNETES_STATUS, "c1").spec.nodes} == {"1.35.6"}


def test_readiness_flaps_during_a_kubernetes_upgrade_while_its_own_status_stays(ready: Any) -> None:
    began = ready.clock.elapsed
    set_versions(ready, kubernetes="1.35.6")
    ready.run_until_ready()
    flaps = changes(state.ready for state in since(ready, began, omni.CLUSTER_STATUS))
    assert flaps.count(False) == 6
    patch = ready.get(omni.CONFIG_PATCH, f"900-cm-{ready.ids[0]}-kubernetes-upgrade")
    assert patch.owner == "KubernetesUpgradeStatusController"
    assert "image: registry.k8s.io/kube-apiserver:v1.35.6" in patch.spec.data
    assert "image: ghcr.io/siderolabs/kubelet:v1.35.6" in patch.spec.data


def test_the_old_status_stands_for_a_moment_after_a_change_of_versions(ready: Any) -> None:
    set_versions(ready, talos="1.13.7")
    ready.run(0.1)
    assert ready.get(omni.CLUSTER_STATUS, "c1").spec.talos_version == "1.13.7"
    assert ready.get(omni.CLUSTER_STATUS, "c1").spec.ready
    status = ready.get(omni.TALOS_UPGRADE_STATUS, "c1").spec
    assert (status.phase, status.last_upgrade_version) == (DONE, "1.13.8")
    ready.run(0.2)
    assert ready.get(omni.TALOS_UPGRADE_STATUS, "c1").spec.phase == UPGRADING


def test_a_talos_upgrade_takes_the_control_plane_first_and_then_one_worker_after_the_other(ready: Any) -> None:
    began = ready.clock.elapsed
    set_versions(ready, talos="1.13.7")
    ready.run_until_ready()
    states = since(ready, began, omni.TALOS_UPGRADE_STATUS)
    machines = changes(state.step for state in states if state.step.startswith("current machine: "))
    order = [ready.ids[0], *sorted(ready.ids[1:3])]
    assert machines == [f"current machine: {machine}" for machine in order]
    assert changes(state.status for state in states if state.status) == [
        "updating",
        "updating machines 1/3",
        "updating machines 2/3",
        "updating machines 3/3",
        "updating",
    ]
    assert {state.current_upgrade_version for state in states if state.phase == UPGRADING} == {"1.13.7"}
    assert (states[-1].phase, states[-1].last_upgrade_version) == (DONE, "1.13.7")
    assert list(states[-1].upgrade_versions) == ["1.13.6", "1.13.8"]
    reboots = [state for state in since(ready, began, omni.CLUSTER_MACHINE_STATUS, order[0]) if state.stage == 7]
    assert [state.ready for state in reboots] == [True, False]
    phases = changes(state.phase for state in since(ready, began, omni.MACHINE_SET_STATUS, "c1-control-planes"))
    assert phases == [SET_UPGRADING, RECONFIGURING, SET_RUNNING]
    worker = ready.get(omni.MACHINE_STATUS, order[1]).spec
    assert (worker.talos_version, worker.initial_talos_version) == ("v1.13.7", "v1.13.8")


def test_a_talos_upgrade_tells_every_step_that_omni_tells(ready: Any) -> None:
    began = ready.clock.elapsed
    set_versions(ready, talos="1.13.7")
    ready.run_until_ready()
    states = since(ready, began, omni.TALOS_UPGRADE_STATUS)
    nobody, waiting = "no machines are currently upgrading", "waiting for the cluster to be ready"
    expected = [(UPGRADING, nobody, "updating"), (UPGRADING, nobody, "updating machines 1/3")]
    status = "updating machines 1/3"
    for machine, following in zip(
        (ready.ids[0], *sorted(ready.ids[1:3])),
        ("updating machines 2/3", "updating machines 3/3", "updating"),
        strict=True,
    ):
        current = f"current machine: {machine}"
        expected += [(UPGRADING, current, status), (UPGRADING, current, following), (UPGRADING, waiting, following)]
        expected += [(UPGRADING, current, following), (UPGRADING, nobody, following)]
        status = following
    assert [(state.phase, state.step, state.status) for state in states] == [*expected, (DONE, "", "")]


def test_going_back_in_the_middle_of_a_talos_upgrade_is_a_revert(ready: Any) -> None:
    set_versions(ready, talos="1.13.7")
    ready.run(10)
    began = ready.clock.elapsed
    set_versions(ready, talos="1.13.8")
    ready.run_until_ready()
    phases = changes(state.phase for state in since(ready, began, omni.TALOS_UPGRADE_STATUS))
    assert REVERTING in phases
    assert UPGRADING not in phases
    assert {machine.talos_version for machine in list(ready.machines)[:3]} == {"1.13.8"}


def test_going_back_in_the_middle_of_a_kubernetes_upgrade_ends_where_it_began(ready: Any) -> None:
    set_versions(ready, kubernetes="1.36.2")
    ready.run(12)
    set_versions(ready, kubernetes="1.35.7")
    ready.run_until_ready()
    assert {node.kubelet_version for node in ready.get(omni.KUBERNETES_STATUS, "c1").spec.nodes} == {"1.35.7"}


def test_both_versions_at_once_end_at_both(ready: Any) -> None:
    set_versions(ready, talos="1.13.7", kubernetes="1.36.2")
    ready.run_until_ready()
    assert ready.get(omni.KUBERNETES_UPGRADE_STATUS, "c1").spec.last_upgrade_version == "1.36.2"
    assert ready.get(omni.TALOS_UPGRADE_STATUS, "c1").spec.last_upgrade_version == "1.13.7"


def test_a_worker_added_after_an_upgrade_runs_the_new_versions(ready: Any) -> None:
    set_versions(ready, talos="1.13.7", kubernetes="1.36.2")
    ready.run_until_ready()
    ready.node("c1", "workers", ready.ids[3])
    ready.run_until_ready()
    assert ready.machine(3).talos_version == "1.13.7"
    assert dict(ready.machine(3).running_components) == {"kubelet": "1.36.2"}


def test_another_talos_version_than_the_machines_have_is_installed_in_maintenance(make_lab: Any) -> None:
    lab = make_lab([MachineSetup(installed=True) for _ in range(3)])
    lab.cluster(talos="1.13.7")
    lab.run_until_ready()
    states = [state.spec for state in lab.history(omni.CLUSTER_MACHINE_STATUS, lab.ids[1])]
    failed = [state for state in states if state.config_apply_status == 3]
    assert failed[0].last_config_error == (
        "rpc error: code = Unavailable desc = maintenance upgrade failed: "
        "failed to reboot machine after install/upgrade: error reading from server: EOF"
    )
    assert {machine.talos_version for machine in lab.machines} == {"1.13.7"}


def test_a_patch_that_is_disabled_changes_nothing(ready: Any) -> None:
    before = len(ready.list(omni.MACHINE_PENDING_UPDATES))
    ready.patch("200-c1", "machine: {sysctls: {a: '1'}}", cluster="c1", disabled="")
    ready.run(0.5)
    assert len(ready.list(omni.MACHINE_PENDING_UPDATES)) == before == 0
    assert ready.is_ready()


def test_a_changed_patch_reconfigures_and_is_then_applied(ready: Any) -> None:
    ready.patch("200-c1", "machine: {sysctls: {a: '1'}}", cluster="c1")
    began = ready.clock.elapsed
    ready.run_until_ready()
    phases = changes(state.phase for state in since(ready, began, omni.MACHINE_SET_STATUS, "c1-workers"))
    assert phases == [RECONFIGURING, SET_RUNNING]
    applied = changes(
        (state.config_up_to_date, state.config_apply_status)
        for state in since(ready, began, omni.CLUSTER_MACHINE_STATUS, ready.ids[1])
    )
    assert applied == [(False, 1), (True, 2)]
    assert ready.list(omni.MACHINE_PENDING_UPDATES) == []


def test_a_patch_for_one_machine_changes_only_that_one(ready: Any) -> None:
    began = ready.clock.elapsed
    ready.patch("400-cm", "machine: {}", cluster="c1", cluster_machine=ready.ids[1])
    ready.run_until_ready()
    assert since(ready, began, omni.CLUSTER_MACHINE_STATUS, ready.ids[1])
    assert not since(ready, began, omni.CLUSTER_MACHINE_STATUS, ready.ids[2])


def test_workers_take_a_patch_one_after_the_other_unless_more_are_allowed(ready: Any) -> None:
    def both_pending(moment: float) -> bool:
        """Whether both workers took it at the same time."""
        done = [
            at
            for at, event in ready.events
            if at > moment
            and event.resource.type == omni.CLUSTER_MACHINE_STATUS
            and event.resource.id in ready.ids[1:3]
            and event.resource.spec.config_up_to_date
        ]
        return max(done) - min(done) < 1

    began = ready.clock.elapsed
    ready.patch("200-c1", "machine: {a: 1}", cluster="c1")
    ready.run_until_ready()
    assert not both_pending(began)

    def two(spec: specs_pb2.MachineSetSpec) -> None:
        spec.update_strategy_config.rolling.max_parallelism = 2

    ready.change(omni.MACHINE_SET, "c1-workers", two)
    ready.run(1)
    began = ready.clock.elapsed
    ready.patch("200-c1", "machine: {a: 2}", cluster="c1")
    ready.run_until_ready()
    assert both_pending(began)


def test_extensions_walk_through_what_looks_like_a_revert(ready: Any) -> None:
    began = ready.clock.elapsed
    labels = {omni.LABEL_CLUSTER: "c1"}
    spec = specs_pb2.ExtensionsConfigurationSpec(extensions=["gvisor"])
    ready.store.create(Resource(omni.EXTENSIONS_CONFIGURATION, "schematic-c1", spec, labels))
    ready.run(0.05)
    assert ready.get(omni.TALOS_UPGRADE_STATUS, "c1").spec.phase == DONE
    ready.run_until_ready()
    states = since(ready, began, omni.TALOS_UPGRADE_STATUS)
    assert changes(state.phase for state in states) == [REVERTING, UPDATING_SCHEMATICS, REVERTING, DONE]
    assert {state.last_upgrade_version for state in states} == {"1.13.8"}
    assert {state.current_upgrade_version for state in states} == {""}
    assert "reverting update 3/3" in [state.status for state in states]
    status = ready.get(omni.MACHINE_STATUS, ready.ids[1]).spec
    assert list(status.schematic.extensions) == ["siderolabs/gvisor"]
    assert "siderolabs/gvisor" in status.schematic.raw

    ready.tear_down(omni.EXTENSIONS_CONFIGURATION, "schematic-c1")
    ready.run_until_ready()
    assert ready.find(omni.EXTENSIONS_CONFIGURATION, "schematic-c1") is None
    assert list(ready.get(omni.MACHINE_STATUS, ready.ids[1]).spec.schematic.extensions) == []


def test_kernel_arguments_reach_the_machine_that_they_are_for(ready: Any) -> None:
    ready.store.create(Resource(omni.KERNEL_ARGS, ready.ids[1], specs_pb2.KernelArgsSpec(args=["foo=bar"])))
    ready.run_until_ready()
    assert "foo=bar" in ready.get(omni.MACHINE_STATUS, ready.ids[1]).spec.kernel_cmdline
    assert "foo=bar" not in ready.get(omni.MACHINE_STATUS, ready.ids[2]).spec.kernel_cmdline


def test_a_locked_machine_keeps_what_it_has_and_its_set_says_so(ready: Any) -> None:
    locked = ready.ids[1]
    ready.annotate(omni.MACHINE_SET_NODE, locked, {omni.ANNOTATION_LOCKED: ""})
    set_versions(ready, talos="1.13.7")
    ready.run(120)
    assert ready.machine(0).talos_version == ready.machine(2).talos_version == "1.13.7"
    assert ready.machine(1).talos_version == "1.13.8"
    workers = ready.get(omni.MACHINE_SET_STATUS, "c1-workers").spec
    assert (workers.phase, workers.ready, workers.locked_updates) == (SET_UPGRADING, False, 1)
    status = ready.get(omni.TALOS_UPGRADE_STATUS, "c1").spec
    assert (status.step, status.status) == ("all machines are locked", "waiting for machines to be unlocked")
    assert "omni.sidero.dev/locked-update" in ready.get(omni.CLUSTER_MACHINE_STATUS, locked).labels

    ready.annotate(omni.MACHINE_SET_NODE, locked, {})
    ready.run_until_ready()
    assert ready.machine(1).talos_version == "1.13.7"


def test_a_locked_machine_holds_a_kubernetes_upgrade_up(ready: Any) -> None:
    ready.annotate(omni.MACHINE_SET_NODE, ready.ids[1], {omni.ANNOTATION_LOCKED: ""})
    set_versions(ready, kubernetes="1.36.2")
    ready.run(200)
    status = ready.get(omni.KUBERNETES_UPGRADE_STATUS, "c1").spec
    name = ready.machine(1).name
    assert (status.phase, status.status) == (1, f"waiting for a machine from [{name}] to be unlocked")
    ready.annotate(omni.MACHINE_SET_NODE, ready.ids[1], {})
    ready.run_until_ready()


def test_another_kubernetes_version_may_be_asked_for_while_a_cluster_comes_up(lab: Any) -> None:
    lab.cluster()
    lab.run(20)
    set_versions(lab, kubernetes="1.36.2")
    lab.run_until_ready()
    versions = changes(state.spec.last_upgrade_version for state in lab.history(omni.KUBERNETES_UPGRADE_STATUS, "c1"))
    assert versions == ["", "1.35.7", "1.36.2"]


def test_a_locked_cluster_holds_changes_back_and_reads_as_ready(ready: Any) -> None:
    ready.annotate(omni.CLUSTER, "c1", {omni.ANNOTATION_CLUSTER_LOCKED: ""})
    ready.patch("200-c1", "machine: {a: 1}", cluster="c1")
    labels = {omni.LABEL_CLUSTER: "c1"}
    spec = specs_pb2.ExtensionsConfigurationSpec(extensions=["gvisor"])
    ready.store.create(Resource(omni.EXTENSIONS_CONFIGURATION, "schematic-c1", spec, labels))
    ready.run(60)
    status = ready.get(omni.CLUSTER_STATUS, "c1")
    assert status.spec.ready
    assert omni.ANNOTATION_CLUSTER_LOCKED in status.annotations
    assert [item.spec.phase for item in ready.list(omni.MACHINE_SET_STATUS, "c1")] == [SET_RUNNING, SET_RUNNING]
    machine = ready.get(omni.CLUSTER_MACHINE_STATUS, ready.ids[1])
    assert not machine.spec.config_up_to_date
    assert omni.ANNOTATION_LOCKED in machine.annotations
    assert ready.get(omni.TALOS_UPGRADE_STATUS, "c1").spec.phase == UPDATING_SCHEMATICS
    assert len(ready.list(omni.MACHINE_PENDING_UPDATES, "c1")) == 3

    ready.annotate(omni.CLUSTER, "c1", {})
    ready.run_until_ready()
    assert ready.machine(1).schematic.extensions == ("siderolabs/gvisor",)


def test_health_checks_hold_an_upgrade_back_until_they_pass(ready: Any) -> None:
    ready.faults.stuck_health_checks = True
    labels = {omni.LABEL_CLUSTER: "c1"}
    ready.store.create(
        Resource(omni.KUBERNETES_HEALTH_CHECK, "cluster-c1-hc", specs_pb2.KubernetesHealthCheckSpec(job="x"), labels)
    )
    set_versions(ready, talos="1.13.7")
    ready.run(60)
    status = ready.get(omni.TALOS_UPGRADE_STATUS, "c1").spec
    assert (status.phase, status.status) == (UPGRADING, "updating")
    assert status.step == 'waiting for healthchecks to pass: "cluster-c1-hc": waiting to complete'
    assert ready.machine(0).talos_version == "1.13.8"

    ready.tear_down(omni.KUBERNETES_HEALTH_CHECK, "cluster-c1-hc")
    ready.run_until_ready()


def test_health_checks_pass_after_a_while(ready: Any) -> None:
    labels = {omni.LABEL_CLUSTER: "c1"}
    ready.store.create(
        Resource(omni.KUBERNETES_HEALTH_CHECK, "cluster-c1-hc", specs_pb2.KubernetesHealthCheckSpec(job="x"), labels)
    )
    set_versions(ready, talos="1.13.7")
    ready.run_until_ready()
