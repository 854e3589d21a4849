"""Changing a cluster in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ksail_pulumi.errors import CancelledError, ForeignClusterError, InputError, LifecycleError, WaitTimeoutError
from ksail_pulumi.lifecycle.outputs import ClusterOutputs
from ksail_pulumi.model.versions import parse_version
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    ANNOTATION_CLUSTER_LOCKED,
    CLUSTER,
    CLUSTER_MACHINE,
    CONFIG_PATCH,
    KUBERNETES_UPGRADE_STATUS,
    LABEL_CLUSTER,
    LABEL_MACHINE_SET,
    LINK,
    MACHINE_CLASS,
    MACHINE_SET,
    MACHINE_SET_NODE,
    MACHINE_STATUS,
    TALOS_UPGRADE_STATUS,
    TALOS_VERSION,
    Resource,
)
from ksail_pulumi.omni.watch import Query
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.plan.versions import resolve_versions
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab

Needs = Callable[[int], list[str]]


def patch(value: str) -> dict[str, object]:
    return {"name": "sysctl", "inline": {"machine": {"sysctls": {"net.core.somaxconn": value}}}}


def test_scaling_keeps_the_machines_there_are_and_frees_the_others(lab: Lab, needs: Needs) -> None:
    needs(4)
    first = lab.create(workers=1)
    up = lab.update(first, workers=3)
    assert {node["id"] for node in first.nodes} < {node["id"] for node in up.nodes}
    assert len(up.nodes) == 4
    assert up.ready
    down = lab.update(up, workers=1)
    assert down.ready
    left = {node["id"] for node in up.nodes} - {node["id"] for node in down.nodes}
    assert len(left) == 2
    assert left <= lab.available()
    assert not left & lab.of(CLUSTER_MACHINE).keys()
    assert not left & lab.of(MACHINE_STATUS).keys()
    assert down.cluster_uuid == first.cluster_uuid


def test_the_control_plane_grows_and_shrinks_in_place(lab: Lab, needs: Needs) -> None:
    needs(3)
    one = lab.create()
    three = lab.update(one, controlPlane={"count": 3})
    assert {node["role"] for node in three.nodes} == {"controlplane"}
    assert len(three.nodes) == 3
    again = lab.update(three, controlPlane={"count": 1})
    assert again.ready
    assert {node["id"] for node in again.nodes} < {node["id"] for node in three.nodes}
    assert {node["id"] for node in three.nodes} - {node["id"] for node in again.nodes} <= lab.available()


def test_nothing_is_written_where_nothing_differs(lab: Lab, needs: Needs, simulator: Simulator) -> None:
    needs(1)
    outputs = lab.create(patches=[patch("1024")], labels={"env": "test"})
    written = len(simulator.store.audit)
    again = lab.update(outputs, patches=[patch("1024")], labels={"env": "test"})
    assert simulator.store.audit[written:] == []
    assert again.to_wire() == outputs.to_wire()


def older_versions(lab: Lab) -> tuple[str, str, str, str]:
    """A Talos and a Kubernetes version, each with the one that it can be upgraded to."""
    catalog = lab.client.state.list(TALOS_VERSION)
    newest = resolve_versions(None, None, catalog)
    talos = parse_version(newest.talos)
    kubernetes = parse_version(newest.kubernetes)
    assert talos is not None
    assert kubernetes is not None
    usable = {each.spec.version: set(each.spec.compatible_kubernetes_versions) for each in catalog}
    before = max(
        (parsed, text)
        for text in usable
        if (parsed := parse_version(text))
        and parsed.line == talos.line
        and parsed < talos
        and newest.kubernetes in usable[text]
    )[1]
    older = max(
        (parsed, text)
        for text in usable[before] & usable[newest.talos]
        if (parsed := parse_version(text)) and parsed.line == kubernetes.line and parsed < kubernetes
    )[1]
    return before, newest.talos, older, newest.kubernetes


def test_an_upgrade_has_ended_when_update_returns(lab: Lab, needs: Needs) -> None:
    needs(2)
    talos_from, talos_to, kubernetes_from, kubernetes_to = older_versions(lab)
    old = lab.create(workers=1, talosVersion=talos_from, kubernetesVersion=kubernetes_from)
    kubernetes = lab.update(old, workers=1, talosVersion=talos_from, kubernetesVersion=kubernetes_to)
    status = lab.client.state.get(KUBERNETES_UPGRADE_STATUS, lab.name)
    assert status.spec.last_upgrade_version == kubernetes_to
    assert kubernetes.ready
    talos = lab.update(kubernetes, workers=1, talosVersion=talos_to, kubernetesVersion=kubernetes_to)
    assert lab.client.state.get(TALOS_UPGRADE_STATUS, lab.name).spec.last_upgrade_version == talos_to
    assert {machine.spec.talos_version for machine in lab.of(MACHINE_STATUS).values()} == {f"v{talos_to}"}
    assert talos.inputs["talosVersion"] == talos_to
    assert any(f"waiting for Talos {talos_to}" in line for line in lab.told)


@pytest.mark.parametrize("wait_for", ["running", "ready"])
def test_kernel_arguments_and_extensions_are_applied_when_update_returns(lab: Lab, needs: Needs, wait_for: str) -> None:
    needs(2)
    outputs = lab.create(workers=1, waitFor=wait_for)
    changed = {"kernelArgs": ["quiet=1"], "systemExtensions": ["siderolabs/gvisor"]}
    lab.update(outputs, workers=1, waitFor=wait_for, **changed)
    schematics = [status.spec.schematic for status in lab.of(MACHINE_STATUS).values()]
    assert [list(schematic.extensions) for schematic in schematics] == 2 * [["siderolabs/gvisor"]]
    assert all("quiet=1" in schematic.kernel_args for schematic in schematics)


def test_versions_that_are_left_out_stay(lab: Lab, needs: Needs) -> None:
    needs(2)
    talos_from, _, kubernetes_from, _ = older_versions(lab)
    old = lab.create(talosVersion=talos_from, kubernetesVersion=kubernetes_from, waitFor="none")
    new = lab.update(old, workers=1, waitFor="none")
    assert (new.inputs["talosVersion"], new.inputs["kubernetesVersion"]) == (talos_from, kubernetes_from)
    assert lab.client.state.get(CLUSTER, lab.name).spec.talos_version == talos_from


def test_patches_and_labels_change_in_place_and_what_others_set_stays(lab: Lab, needs: Needs) -> None:
    needs(1)
    old = lab.create(patches=[patch("1024")], labels={"env": "test", "team": "a"}, waitFor="none")

    def by_hand(cluster: Resource) -> Resource:
        return replace(cluster, labels={**cluster.labels, "cost-centre": "7"})

    lab.client.state.modify(CLUSTER, lab.name, by_hand)
    lab.update(old, patches=[patch("2048")], labels={"env": "prod"}, waitFor="none")
    labels = lab.client.state.get(CLUSTER, lab.name).labels
    assert (labels["env"], labels["cost-centre"]) == ("prod", "7")
    assert "team" not in labels
    ours = [each for each in lab.of(CONFIG_PATCH).values() if lab.mark.owns(each)]
    assert len(ours) == 1
    assert "2048" in ours[0].spec.data


def test_a_patch_that_is_no_longer_asked_for_goes_and_one_of_others_stays(lab: Lab, needs: Needs) -> None:
    needs(1)
    old = lab.create(patches=[patch("1024")], waitFor="none")
    ours = next(each for each in lab.of(CONFIG_PATCH).values() if lab.mark.owns(each))
    foreign = Resource(CONFIG_PATCH, f"500-{lab.name}-by-hand", ours.spec, {LABEL_CLUSTER: lab.name})
    lab.client.state.create(foreign)
    lab.update(old, waitFor="none")
    assert ours.id not in lab.of(CONFIG_PATCH)
    assert foreign.id in lab.of(CONFIG_PATCH)


def test_a_machine_can_move_to_another_set(lab: Lab, needs: Needs) -> None:
    one, two = needs(2)[:2]
    old = lab.create(controlPlane={"machines": [one]}, workers=[{"name": "a", "machines": [two]}])
    new = lab.update(old, controlPlane={"machines": [one]}, workers=[{"name": "b", "machines": [two]}])
    assert new.ready
    assert lab.machines("b") == {two}
    assert f"{lab.name}-a" not in lab.of(MACHINE_SET)


def interrupted(lab: Lab, simulator: Simulator, old: ClusterOutputs, **inputs: Any) -> ClusterOutputs:
    """The outputs of an update whose leaving machines could not be reset in time; they can be, after that."""
    workers = [node["id"] for node in old.nodes if node["role"] == "worker"]
    for worker in workers:
        simulator.faults.unreachable.add(worker)
    with pytest.raises(WaitTimeoutError) as raised:
        lab.update(old, session=lab.session(seconds=5), **inputs)
    for worker in workers:
        simulator.faults.unreachable.discard(worker)
    assert isinstance(raised.value.outputs, ClusterOutputs)
    return raised.value.outputs


def test_a_machine_that_an_earlier_attempt_began_to_take_out_is_not_waited_for(lab: Lab, simulator: Simulator) -> None:
    old = interrupted(lab, simulator, lab.create(workers=2), workers=1)
    new = lab.update(old, workers=1)
    assert new.ready
    assert len(new.nodes) == 2


def test_a_named_machine_that_is_still_leaving_comes_back_once_it_has_left(lab: Lab, simulator: Simulator) -> None:
    one, two, three = sorted(machine.id for machine in simulator.machines)[:3]
    control_plane = {"machines": [one]}
    before, after = [{"machines": [two, three]}], [{"machines": [two]}]
    whole = lab.create(controlPlane=control_plane, workers=before)
    old = interrupted(lab, simulator, whole, controlPlane=control_plane, workers=after)
    new = lab.update(old, controlPlane=control_plane, workers=before)
    assert new.ready
    assert lab.machines("workers") == {two, three}


def test_a_set_that_is_still_going_comes_back_once_it_is_gone(lab: Lab, simulator: Simulator) -> None:
    old = interrupted(lab, simulator, lab.create(workers=2), workers=0)
    new = lab.update(old, workers=2)
    assert new.ready
    assert len(lab.machines("workers")) == 2


def test_a_machine_that_omni_chose_for_a_class_cannot_be_named_elsewhere(lab: Lab, simulator: Simulator) -> None:
    machine_class = specs_pb2.MachineClassSpec(match_labels=["omni.sidero.dev/connected"])
    lab.client.state.create(Resource(MACHINE_CLASS, lab.name, machine_class))
    pool = {"name": "pool", "machineClass": {"name": lab.name, "size": 2}}
    old = lab.create(workers=[pool])
    machine = min(lab.machines("pool"))
    written = len(simulator.store.audit)
    with pytest.raises(InputError, match=rf"workers\[1\].machines\[0\]: machine .*{machine}.* is in {lab.name}-pool"):
        lab.update(old, workers=[pool, {"name": "named", "machines": [machine]}])
    assert simulator.store.audit[written:] == []


def test_a_set_of_a_machine_class_shrinks_until_its_machines_are_free(lab: Lab, needs: Needs) -> None:
    needs(4)
    machine_class = Resource(
        MACHINE_CLASS, lab.name, specs_pb2.MachineClassSpec(match_labels=["omni.sidero.dev/connected"])
    )
    lab.client.state.create(machine_class)
    workers = {"name": "pool", "machineClass": {"name": lab.name, "size": 3}}
    try:
        old = lab.create(workers=[workers])
        assert len(lab.machines("pool")) == 3
        found = lab.read(old)
        assert found is not None
        assert found.inputs == old.inputs
        workers["machineClass"] = {"name": lab.name, "size": 1}
        new = lab.update(old, workers=[workers])
        left = {node["id"] for node in old.nodes} - {node["id"] for node in new.nodes}
        assert len(left) == 2
        assert left <= lab.available()
        assert not left & lab.of(CLUSTER_MACHINE).keys()
    finally:
        lab.delete()
        lab.client.state.teardown(MACHINE_CLASS, lab.name)


@pytest.mark.parametrize("adopt", [False, True])
def test_without_a_wait_the_outputs_are_those_of_the_next_read(lab: Lab, needs: Needs, adopt: bool) -> None:
    needs(2)
    old = lab.create(workers=1)
    inputs = {"workers": 1, "waitFor": "none"}
    new = lab.create(adopt=True, **inputs) if adopt else lab.update(old, labels={"env": "test"}, **inputs)
    found = lab.read(new)
    assert found is not None
    assert (new.phase, new.nodes) == (found.phase, found.nodes) == ("RUNNING", old.nodes)
    assert not new.ready  # nobody has waited for that


def test_a_write_of_somebody_else_in_between_is_merged_with_ours(lab: Lab, needs: Needs) -> None:
    needs(1)
    old = lab.create(labels={"env": "test"}, waitFor="none")

    def interfere(line: str) -> None:
        if line.startswith("changing cluster"):
            lab.client.state.modify(
                CLUSTER, lab.name, lambda cluster: replace(cluster, labels={**cluster.labels, "late": "yes"})
            )

    lab.on_progress = interfere
    lab.update(old, labels={"env": "prod"}, waitFor="none")
    labels = lab.client.state.get(CLUSTER, lab.name).labels
    assert (labels["env"], labels["late"]) == ("prod", "yes")


def test_a_cluster_that_is_gone_is_not_made_again_unasked(lab: Lab, needs: Needs) -> None:
    needs(1)
    outputs = lab.create(waitFor="none")
    lab.delete()
    with pytest.raises(LifecycleError, match="pulumi refresh") as raised:
        lab.update(outputs)
    assert raised.value.outputs is None


def test_a_cluster_that_somebody_else_took_over_is_left_alone(lab: Lab, needs: Needs) -> None:
    needs(1)
    outputs = lab.create(waitFor="none")
    other = OwnershipMark("org/test/prod/other")

    def take_over(cluster: Resource) -> Resource:
        return replace(cluster, annotations={**cluster.annotations, **other.annotations()})

    lab.client.state.modify(CLUSTER, lab.name, take_over)
    with pytest.raises(ForeignClusterError, match="org/test/prod/other"):
        lab.update(outputs, workers=1)
    with pytest.raises(ForeignClusterError, match="does not delete it"):
        lab.delete()


def test_a_locked_cluster_is_neither_changed_nor_unlocked(lab: Lab, needs: Needs) -> None:
    needs(1)
    outputs = lab.create(waitFor="running")

    def lock(cluster: Resource) -> Resource:
        return replace(cluster, annotations={**cluster.annotations, ANNOTATION_CLUSTER_LOCKED: ""})

    def unlock(cluster: Resource) -> Resource:
        return replace(
            cluster,
            annotations={key: text for key, text in cluster.annotations.items() if key != ANNOTATION_CLUSTER_LOCKED},
        )

    lab.client.state.modify(CLUSTER, lab.name, lock)
    try:
        with pytest.raises(LifecycleError, match="is locked") as raised:
            lab.update(outputs, labels={"env": "prod"}, waitFor="running")
        assert raised.value.outputs is None
        with pytest.raises(LifecycleError, match="is locked and cannot be deleted"):
            lab.delete()
        assert ANNOTATION_CLUSTER_LOCKED in lab.client.state.get(CLUSTER, lab.name).annotations
    finally:
        lab.client.state.modify(CLUSTER, lab.name, unlock)


def test_a_renamed_patch_is_another_and_one_with_an_id_of_its_own_moves(lab: Lab, needs: Needs) -> None:
    needs(2)
    first = lab.create(workers=1, patches=[patch("1")], waitFor="none")
    renamed = lab.update(first, workers=1, patches=[{**patch("1"), "name": "other"}], waitFor="none")
    assert lab.of(CONFIG_PATCH).keys() == {f"200-cluster-{lab.name}-other"}
    own = {**patch("1"), "idOverride": f"{lab.name}-own"}
    in_set = lab.update(renamed, workers=[{"count": 1, "patches": [own]}], waitFor="none")
    assert lab.of(CONFIG_PATCH)[f"{lab.name}-own"].labels[LABEL_MACHINE_SET] == f"{lab.name}-workers"
    everywhere = lab.update(in_set, workers=1, patches=[own], waitFor="none")
    assert LABEL_MACHINE_SET not in lab.of(CONFIG_PATCH)[f"{lab.name}-own"].labels
    read = lab.read(everywhere)
    assert read is not None
    assert read.inputs == everywhere.inputs


def test_an_interrupt_between_two_writes_leaves_something_to_go_on_with(lab: Lab, needs: Needs) -> None:
    needs(2)
    lab.on_progress = lambda line: lab.cancelled.set() if "machine sets" in line else None
    with pytest.raises(CancelledError, match="changes already written to Omni are kept") as raised:
        lab.create(workers=1)
    assert not lab.of(MACHINE_SET_NODE)
    lab.on_progress = None
    lab.cancelled.clear()
    assert lab.update(raised.value.outputs, workers=1).ready


def test_a_machine_that_omni_cannot_wipe_does_not_leave_unasked(lab: Lab, needs: Needs, simulator: Simulator) -> None:
    needs(2)
    old = lab.create(workers=1)
    worker = old.nodes[1]["id"]
    lab.cut_off(worker, simulator)
    with pytest.raises(InputError, match=r"onUpdate\.disconnectedMachines: machines that leave") as raised:
        lab.update(old)
    assert worker in str(raised.value)
    assert raised.value.outputs is None
    assert lab.machines("workers") == {worker}
    lab.update(old, workers=1, labels={"a": "b"}, waitFor="none")  # it stays, so nothing is in the way


def test_a_machine_that_omni_cannot_wipe_is_waited_for_or_removed_as_asked(
    lab: Lab, needs: Needs, simulator: Simulator
) -> None:
    needs(3)
    old = lab.create(workers=2)
    first, second = sorted(lab.machines("workers"))
    lab.cut_off(first, simulator)
    with pytest.raises(WaitTimeoutError) as raised:
        lab.update(old, workers=1, onUpdate={"disconnectedMachines": "wait"}, session=lab.session(seconds=5))
    assert lab.client.state.find(LINK, first) is not None

    stuck = raised.value.outputs
    assert stuck is not None
    new = lab.update(stuck, workers=1, onUpdate={"disconnectedMachines": "remove"})
    assert lab.machines("workers") == {second}
    assert lab.client.state.find(LINK, first) is None
    assert len(new.nodes) == 2


def test_a_dead_machine_of_a_class_leaves_as_asked_when_its_set_shrinks(
    lab: Lab, needs: Needs, simulator: Simulator
) -> None:
    needs(4)
    machine_class = specs_pb2.MachineClassSpec(match_labels=["omni.sidero.dev/connected"])
    lab.client.state.create(Resource(MACHINE_CLASS, lab.name, machine_class))

    def pool(size: int) -> dict[str, Any]:
        return {"workers": [{"name": "pool", "machineClass": {"name": lab.name, "size": size}}]}

    old = lab.create(**pool(3))
    dead = sorted(lab.machines("pool"))[-1]
    lab.cut_off(dead, simulator)
    with pytest.raises(InputError, match=r"onUpdate\.disconnectedMachines: machines that leave") as raised:
        lab.update(old, **pool(2))
    assert dead in str(raised.value)
    assert len(lab.machines("pool")) == 3

    removing = {"onUpdate": {"disconnectedMachines": "remove"}}
    lab.update(old, **pool(3), **removing, labels={"a": "b"}, waitFor="none")
    assert lab.client.state.find(LINK, dead) is not None  # it stays
    new = lab.update(old, **pool(2), **removing)
    assert dead not in lab.machines("pool")
    assert len(new.nodes) == 3
    assert lab.client.state.find(LINK, dead) is None


def test_another_machine_takes_the_place_of_one_that_is_dead(lab: Lab, needs: Needs, simulator: Simulator) -> None:
    one, two, three = needs(3)[:3]
    old = lab.create(controlPlane={"machines": [one]}, workers=[{"name": "a", "machines": [two]}])
    lab.cut_off(two, simulator)
    removing = {"disconnectedMachines": "remove"}
    new = lab.update(
        old, controlPlane={"machines": [one]}, workers=[{"name": "a", "machines": [three]}], onUpdate=removing
    )
    assert [node["id"] for node in new.nodes] == [one, three]
    assert lab.client.state.find(LINK, two) is None


def test_a_dead_machine_that_stays_in_the_cluster_is_never_removed(
    lab: Lab, needs: Needs, simulator: Simulator
) -> None:
    one, two, three = needs(3)[:3]
    old = lab.create(controlPlane={"machines": [one]}, workers=[{"name": "a", "machines": [two, three]}])
    lab.cut_off(two, simulator)
    lab.update(
        old,
        controlPlane={"machines": [one]},
        workers=[{"name": "a", "machines": [two]}],
        onUpdate={"disconnectedMachines": "remove"},
        waitFor="none",
    )
    assert lab.client.state.find(LINK, two) is not None
    assert lab.client.state.find(LINK, three) is not None


def test_a_dead_machine_that_leaves_a_set_of_somebody_else_is_never_removed(
    lab: Lab, needs: Needs, simulator: Simulator
) -> None:
    needs(3)
    old = lab.create(workers=1)
    machine = sorted(lab.available())[0]
    labels = {LABEL_CLUSTER: lab.name, "omni.sidero.dev/role-worker": ""}
    theirs = f"{lab.name}-theirs"
    lab.client.state.create(Resource(MACHINE_SET, theirs, specs_pb2.MachineSetSpec(update_strategy=1), labels))
    node = Resource(MACHINE_SET_NODE, machine, specs_pb2.MachineSetNodeSpec(), {**labels, LABEL_MACHINE_SET: theirs})
    lab.client.state.create(node)
    with lab.client.state.watch(Query(MACHINE_STATUS, id=machine)) as watch:
        while (event := watch.next(timeout=60)) is not None and event.resource is not None:
            if event.resource.cluster == lab.name:
                break
    lab.cut_off(machine, simulator)
    lab.client.state.teardown(MACHINE_SET_NODE, machine)
    removing = {"disconnectedMachines": "remove"}
    lab.update(old, workers=1, labels={"a": "b"}, onUpdate=removing, waitFor="none")
    assert lab.client.state.find(LINK, machine) is not None
