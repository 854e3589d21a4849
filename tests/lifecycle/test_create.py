"""Creating a cluster: from nothing, after a crash, against others, and when it does not work out."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable

import pytest

from ksail_pulumi.errors import (
    CancelledError,
    ForeignClusterError,
    InputError,
    LifecycleError,
    NotEnoughMachinesError,
    RefusedError,
)
from ksail_pulumi.lifecycle import lease
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.delete import delete
from ksail_pulumi.lifecycle.outputs import ClusterOutputs, reached
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    ANNOTATION_CLUSTER_LOCKED,
    CLUSTER,
    CLUSTER_MACHINE_STATUS,
    CLUSTER_STATUS,
    CONFIG_PATCH,
    CONTROL_PLANE_STATUS,
    KUBERNETES_UPGRADE_STATUS,
    LABEL_CLUSTER,
    LABEL_CLUSTER_MACHINE,
    LABEL_CONTROL_PLANE,
    LABEL_MACHINE_SET,
    LABEL_WORKER,
    MACHINE_SET,
    MACHINE_SET_NODE,
    TALOS_VERSION,
    Resource,
)
from ksail_pulumi.omni.watch import Query
from ksail_pulumi.plan.locks import without_lock
from ksail_pulumi.plan.ownership import Creation, OwnershipMark
from ksail_pulumi.plan.versions import resolve_versions
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab

SYSCTL = {"name": "sysctl", "inline": {"machine": {"sysctls": {"net.ipv4.ip_forward": "1"}}}}
Needs = Callable[[int], list[str]]


def test_a_new_cluster_is_ready_when_create_returns(lab: Lab, needs: Needs) -> None:
    needs(3)
    outputs = lab.create(controlPlane={"count": 1}, workers=2, patches=[SYSCTL])
    assert outputs.ready
    assert outputs.phase == "RUNNING"
    assert outputs.cluster_uuid
    assert [node["role"] for node in outputs.nodes] == ["controlplane", "worker", "worker"]
    assert {node["stage"] for node in outputs.nodes} == {"RUNNING"}
    assert all(node["hostname"] for node in outputs.nodes)
    cluster = lab.client.state.get(CLUSTER, lab.name)
    assert lab.mark.owns(cluster)
    assert outputs.inputs["talosVersion"] == cluster.spec.talos_version
    assert outputs.inputs["kubernetesVersion"] == cluster.spec.kubernetes_version
    assert lab.client.state.get(KUBERNETES_UPGRADE_STATUS, lab.name).spec.last_upgrade_version == (
        cluster.spec.kubernetes_version
    )
    assert all(status.spec.ready for status in lab.of(CLUSTER_MACHINE_STATUS).values())
    assert any("machines" in line for line in lab.told)
    found = lab.read(outputs)
    assert found is not None
    assert found.inputs == outputs.inputs


def test_versions_that_are_left_out_are_the_newest_that_omni_supports(lab: Lab, needs: Needs) -> None:
    needs(1)
    outputs = lab.create(waitFor="none")
    talos = lab.client.state.get(TALOS_VERSION, outputs.inputs["talosVersion"])
    assert not talos.spec.deprecated
    assert outputs.inputs["kubernetesVersion"] in talos.spec.compatible_kubernetes_versions


def test_everything_that_was_asked_for_is_written_where_it_belongs(lab: Lab, needs: Needs) -> None:
    one, two, three = needs(3)[:3]
    outputs = lab.create(
        controlPlane={"machines": [one], "patches": [SYSCTL]},
        workers=[{"machines": [two]}, {"name": "gpu", "machines": [three], "patches": [SYSCTL], "labels": {"a": "b"}}],
        machines={three: {"patches": [SYSCTL], "labels": {"rack": "7"}}},
        patches=[SYSCTL],
        labels={"env": "test"},
        annotations={"contact": "ops"},
    )
    name = lab.name
    assert lab.machines("control-planes") == {one}
    assert lab.machines("workers") == {two}
    assert lab.machines("gpu") == {three}
    patches = lab.of(CONFIG_PATCH)
    expected: dict[str, dict[str, str]] = {
        f"200-cluster-{name}-sysctl": {},
        f"400-{name}-control-planes-sysctl": {LABEL_MACHINE_SET: f"{name}-control-planes"},
        f"400-{name}-gpu-sysctl": {LABEL_MACHINE_SET: f"{name}-gpu"},
        f"400-cm-{three}-sysctl": {LABEL_CLUSTER_MACHINE: three},
    }
    for patch, target in expected.items():
        assert target.items() <= patches[patch].labels.items()
    assert lab.of(MACHINE_SET)[f"{name}-gpu"].labels["a"] == "b"
    assert lab.of(MACHINE_SET_NODE)[three].labels["rack"] == "7"
    cluster = lab.client.state.get(CLUSTER, name)
    assert cluster.labels["env"] == "test"
    assert cluster.annotations["contact"] == "ops"
    found = lab.read(outputs)
    assert found is not None
    assert found.inputs == outputs.inputs


def test_a_second_create_goes_on_with_the_first_and_writes_only_what_is_missing(
    lab: Lab, needs: Needs, simulator: Simulator
) -> None:
    """As after a crash of the first: Omni has a part of the cluster, the state knows nothing of it."""
    needs(3)
    lab.cancelled.clear()
    lab.on_progress = lambda line: lab.cancelled.set() if "machine set" in line else None
    with pytest.raises(CancelledError) as raised:
        lab.create(workers=2)
    assert raised.value.outputs.name == lab.name
    assert not lab.of(MACHINE_SET_NODE)
    lab.on_progress = None
    lab.cancelled.clear()
    written = len(simulator.store.audit)
    assert lab.create(workers=2).ready
    assert [entry.type for entry in simulator.store.audit[written:]] == [
        CLUSTER.name,  # the creation is taken over
        *[MACHINE_SET_NODE.name] * 3,
        CLUSTER.name,  # this attempt has ended
        CLUSTER.name,  # the state has it
    ]


def test_a_cluster_of_somebody_else_is_refused_and_left_as_it_is(lab: Lab) -> None:
    foreign = Resource(CLUSTER, lab.name, specs_pb2.ClusterSpec(**any_versions(lab)))
    before = lab.client.state.create(foreign)
    with pytest.raises(ForeignClusterError, match=f"import_='{lab.name}'") as raised:
        lab.create()
    assert raised.value.outputs is None
    assert lab.client.state.get(CLUSTER, lab.name).annotations == before.annotations
    assert not lab.of(MACHINE_SET)


def test_a_cluster_of_somebody_else_can_be_taken_over(lab: Lab, needs: Needs) -> None:
    needs(2)
    other = Lab(lab.client, lab.name)
    made = other.create(workers=1, labels={"env": "test"})
    outputs = lab.create(workers=1, adopt=True)
    assert lab.mark.owns(lab.client.state.get(CLUSTER, lab.name))
    assert {node["id"] for node in outputs.nodes} == {node["id"] for node in made.nodes}
    assert outputs.cluster_uuid == made.cluster_uuid
    assert lab.client.state.get(CLUSTER, lab.name).labels["env"] == "test"


def test_taking_over_what_does_not_exist_is_refused(lab: Lab) -> None:
    with pytest.raises(LifecycleError, match="does not exist"):
        lab.create(adopt=True)
    assert lab.client.state.find(CLUSTER, lab.name) is None


def test_too_few_machines_are_found_out_before_anything_is_written(lab: Lab) -> None:
    with pytest.raises(NotEnoughMachinesError, match="not enough available machines in Omni") as raised:
        lab.create(workers=100_000)
    assert raised.value.outputs is None
    assert lab.client.state.find(CLUSTER, lab.name) is None


def test_a_version_that_omni_does_not_know_is_found_out_before_anything_is_written(lab: Lab) -> None:
    with pytest.raises(InputError, match="talosVersion"):
        lab.create(talosVersion="1.2.3")
    assert lab.client.state.find(CLUSTER, lab.name) is None


def test_two_clusters_that_choose_at_once_share_no_machine(simulator: Simulator, omni: object) -> None:
    labs = [Lab(omni, f"twin-{secrets.token_hex(3)}") for _ in range(2)]  # type: ignore[arg-type]
    outputs: list[ClusterOutputs] = []
    threads = [threading.Thread(target=lambda lab=lab: outputs.append(lab.create(workers=2))) for lab in labs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used = [node["id"] for output in outputs for node in output.nodes]
    assert len(used) == len(set(used)) == 6
    assert not any("in the meantime" in line for lab in labs for line in lab.told), "Omni never had to refuse one"


def test_a_machine_that_another_stack_takes_meanwhile_is_replaced(lab: Lab, needs: Needs) -> None:
    """The other stack is another process, so only Omni's refusal tells."""
    free = needs(4)
    thief = f"{lab.name}-thief"
    first = sorted(free)[0]

    def steal(line: str) -> None:
        if line.startswith("adding cluster"):
            take(lab, thief, first)

    lab.on_progress = steal
    try:
        outputs = lab.create(workers=1)
        assert outputs.ready
        assert first not in {node["id"] for node in outputs.nodes}
        assert any("took" in line and first in line for line in lab.told)
    finally:
        lab.on_progress = None
        delete(thief, lab.session())


def test_a_named_machine_of_another_cluster_is_refused_before_anything_is_written(lab: Lab, needs: Needs) -> None:
    machine = needs(1)[0]
    thief = f"{lab.name}-thief"
    take(lab, thief, machine)
    try:
        with pytest.raises(InputError, match=rf"controlPlane.machines\[0\]: .*is in cluster '{thief}'") as raised:
            lab.create(controlPlane={"machines": [machine]})
        assert raised.value.outputs is None
        assert lab.client.state.find(CLUSTER, lab.name) is None
    finally:
        delete(thief, lab.session())


def test_a_named_machine_that_another_stack_takes_meanwhile_has_no_replacement(lab: Lab, needs: Needs) -> None:
    machine = needs(1)[0]
    thief = f"{lab.name}-thief"
    lab.on_progress = lambda line: take(lab, thief, machine) if line.startswith("adding cluster") else None
    try:
        with pytest.raises(InputError, match=f"is in cluster '{thief}'") as raised:
            lab.create(controlPlane={"machines": [machine]})
        assert raised.value.outputs.name == lab.name
    finally:
        delete(thief, lab.session())


def take(lab: Lab, thief: str, machine: str) -> None:
    """Put a machine into a cluster of its own, past this package."""
    state = lab.client.state
    state.create(Resource(CLUSTER, thief, specs_pb2.ClusterSpec(**any_versions(lab))))
    role = {LABEL_CLUSTER: thief, LABEL_CONTROL_PLANE: ""}
    state.create(Resource(MACHINE_SET, f"{thief}-control-planes", specs_pb2.MachineSetSpec(update_strategy=1), role))
    node = role | {LABEL_MACHINE_SET: f"{thief}-control-planes"}
    state.create(Resource(MACHINE_SET_NODE, machine, specs_pb2.MachineSetNodeSpec(), node))


def any_versions(lab: Lab) -> dict[str, str]:
    versions = resolve_versions(None, None, lab.client.state.list(TALOS_VERSION))
    return {"talos_version": versions.talos, "kubernetes_version": versions.kubernetes}


def test_without_waiting_create_returns_before_the_machines_are_up(lab: Lab, needs: Needs) -> None:
    needs(1)
    outputs = lab.create(waitFor="none")
    assert outputs.cluster_uuid
    assert not outputs.ready
    assert reached(outputs.to_wire())


def test_a_control_plane_that_begins_with_an_even_number_is_ready_when_create_returns(lab: Lab, needs: Needs) -> None:
    needs(3)
    outputs = lab.create(controlPlane=2)
    assert outputs.ready
    status = lab.client.state.get(CLUSTER_STATUS, lab.name).spec
    assert (status.ready, status.kubernetesAPIReady, status.controlplaneReady) == (True, True, False)
    assert lab.of(CONTROL_PLANE_STATUS) == {}
    outputs = lab.update(outputs, controlPlane=3)
    assert outputs.ready
    assert lab.client.state.get(CLUSTER_STATUS, lab.name).spec.controlplaneReady
    assert list(lab.of(CONTROL_PLANE_STATUS)) == [f"{lab.name}-control-planes"]


def test_a_control_plane_that_grows_to_an_even_number_stays_ready(lab: Lab, needs: Needs) -> None:
    needs(2)
    outputs = lab.update(lab.create(controlPlane=1), controlPlane=2)
    assert outputs.ready
    assert lab.client.state.get(CLUSTER_STATUS, lab.name).spec.controlplaneReady


def test_waiting_for_running_does_not_wait_for_kubernetes(lab: Lab, needs: Needs) -> None:
    needs(1)
    outputs = lab.create(waitFor="running")
    assert outputs.phase == "RUNNING"
    assert reached(outputs.to_wire())


def test_a_patch_that_omni_refuses_leaves_something_to_go_on_with(lab: Lab, needs: Needs) -> None:
    needs(1)
    bad = {"name": "bad", "inline": {"machine": {"sysctls_": {}}}}
    with pytest.raises(RefusedError, match="unknown keys") as raised:
        lab.create(patches=[bad])
    outputs = raised.value.outputs
    assert outputs.name == lab.name
    assert not outputs.ready
    assert lab.update(outputs, patches=[SYSCTL]).ready


def test_several_refusals_of_one_step_are_told_together(lab: Lab, needs: Needs) -> None:
    needs(1)
    bad = [{"name": f"bad{number}", "inline": {"machine": {"sysctls_": {}}}} for number in range(3)]
    with pytest.raises(RefusedError) as raised:
        lab.create(patches=bad)
    assert str(raised.value).count("unknown keys") == 3


def test_an_interrupt_ends_the_wait_at_once_and_keeps_what_is_there(lab: Lab, needs: Needs) -> None:
    needs(1)

    def interrupt(line: str) -> None:
        if "machines" in line:
            lab.cancelled.set()

    lab.on_progress = interrupt
    with pytest.raises(CancelledError) as raised:
        lab.create()
    outputs = raised.value.outputs
    assert outputs.name == lab.name
    assert not reached(outputs.to_wire())
    lab.on_progress = None
    lab.cancelled.clear()
    assert lab.update(outputs).ready


def test_the_old_cluster_of_the_same_name_is_waited_for(lab: Lab, needs: Needs) -> None:
    needs(1)
    first = lab.create()
    lab.client.state.teardown(CLUSTER, lab.name)
    second = lab.create()
    assert second.ready
    assert second.cluster_uuid != first.cluster_uuid


def test_two_owners_racing_for_one_name_do_not_mix(lab: Lab, needs: Needs) -> None:
    needs(2)
    other = OwnershipMark("org/test/prod/other")

    def overtake(line: str) -> None:
        if line.startswith("adding cluster") and lab.client.state.find(CLUSTER, lab.name) is None:
            lab.on_progress = None
            create(lab.spec(waitFor="none"), other, lab.session())

    lab.on_progress = overtake
    with pytest.raises(ForeignClusterError, match="in the meantime") as raised:
        lab.create()
    assert raised.value.outputs is None
    assert other.owns(lab.client.state.get(CLUSTER, lab.name))
    assert LABEL_WORKER not in lab.of(MACHINE_SET)[f"{lab.name}-control-planes"].labels


def test_the_mark_of_a_creation_is_renewed_and_says_when_the_attempt_has_ended(
    lab: Lab, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.1)
    simulator.faults.never_join.add(0)
    marks: list[Creation] = []

    def look() -> None:
        with lab.client.state.watch(Query(CLUSTER, id=lab.name)) as watch:
            while len({mark.at for mark in marks}) < 2:
                event = watch.next(timeout=60)
                if event is not None and event.resource is not None and (found := Creation.of(event.resource)):
                    marks.append(found)
        lab.cancelled.set()

    looking = threading.Thread(target=look)
    looking.start()
    with pytest.raises(CancelledError) as raised:
        lab.create(controlPlane={"count": 3})
    looking.join()
    last = Creation.of(lab.client.state.get(CLUSTER, lab.name))
    assert last is not None
    assert {mark.run for mark in marks} == {last.run} == {raised.value.outputs.creation}
    assert ([mark.done for mark in marks], last.done) == ([False] * len(marks), True)


def test_a_locked_cluster_carries_no_mark_of_its_creation(lab: Lab) -> None:
    """Omni would not let it be taken off."""
    lab.create(locked=True)
    cluster = lab.client.state.get(CLUSTER, lab.name)
    assert ANNOTATION_CLUSTER_LOCKED in cluster.annotations
    assert Creation.of(cluster) is None
    lab.client.state.modify(CLUSTER, lab.name, without_lock)
