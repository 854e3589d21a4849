"""What goes wrong between here and Omni, and in the machines, while a cluster comes up."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import grpc
import pytest

from ksail_pulumi.errors import ClusterFailedError, UnreachableError, WaitTimeoutError
from ksail_pulumi.omni.resources import ANNOTATION_LOCKED, CLUSTER, CLUSTER_MACHINE_STATUS, MACHINE_SET_NODE, Resource
from ksail_pulumi.simulator.faults import Write
from ksail_pulumi.simulator.server import Simulator
from ksail_pulumi.simulator.store import StoreError

from .conftest import Lab


def test_a_machine_that_never_joins_is_named_when_time_is_up(lab: Lab, simulator: Simulator) -> None:
    lost = sorted(machine.id for machine in simulator.machines)[1]
    simulator.faults.never_join.add(lost)
    with pytest.raises(WaitTimeoutError, match="is not ready after 8s: ") as raised:
        lab.create(workers=2, session=lab.session(seconds=8))
    text = str(raised.value)
    assert lost in text
    assert text.count("machine ") >= 1
    outputs = raised.value.outputs
    assert not outputs.ready
    assert len(outputs.nodes) == 3
    simulator.faults.never_join.discard(lost)
    assert lab.update(outputs, workers=2).ready


def test_a_configuration_that_is_refused_for_good_ends_the_wait(lab: Lab, simulator: Simulator) -> None:
    outputs = lab.create()
    machine = outputs.nodes[0]["id"]
    simulator.faults.reject_config.add(machine)
    patch = {"name": "sysctl", "inline": {"machine": {"sysctls": {"a": "1"}}}}
    with pytest.raises(
        ClusterFailedError, match=rf"machine \S+ \({machine}\) does not accept its configuration"
    ) as raised:
        lab.update(outputs, patches=[patch], session=lab.session(grace=1))
    assert "Fix the config patch" in str(raised.value)
    assert raised.value.outputs.name == lab.name


def test_a_failure_that_passes_is_no_failure(lab: Lab, simulator: Simulator) -> None:
    outputs = lab.create()
    machine = outputs.nodes[0]["id"]
    simulator.faults.reject_config.add(machine)

    def heal(line: str) -> None:
        if "applying" in line:
            simulator.faults.reject_config.discard(machine)

    lab.on_progress = heal
    patch = {"name": "sysctl", "inline": {"machine": {"sysctls": {"a": "1"}}}}
    assert lab.update(outputs, patches=[patch], session=lab.session(grace=20)).ready


def test_calls_that_find_no_server_are_repeated_and_write_nothing_twice(lab: Lab, simulator: Simulator) -> None:
    simulator.faults.unavailable = 3
    assert lab.create(workers=2).ready
    written = Counter((entry.verb, entry.type, entry.id) for entry in simulator.store.audit)
    del written["update", CLUSTER.name, lab.name]  # the mark of the creation, at its end and after it
    assert set(written.values()) == {1}
    assert sum(kind == MACHINE_SET_NODE.name for _, kind, _ in written) == 3


def test_watches_that_break_all_the_time_lose_nothing(lab: Lab, simulator: Simulator) -> None:
    lab.on_progress = lambda _: simulator.faults.break_watches()
    assert lab.create(workers=2).ready
    lab.delete()


def test_a_locked_machine_that_holds_an_update_back_ends_the_wait_with_its_name(lab: Lab, simulator: Simulator) -> None:
    outputs = lab.create(workers=2)
    worker = outputs.nodes[1]["id"]

    def lock(node: Resource) -> Resource:
        return replace(node, annotations={**node.annotations, ANNOTATION_LOCKED: ""})

    lab.client.state.modify(MACHINE_SET_NODE, worker, lock)
    patch = {"name": "sysctl", "inline": {"machine": {"sysctls": {"a": "1"}}}}
    with pytest.raises(
        ClusterFailedError, match=rf"machine \S+ \({worker}\) is locked: its update waits until it is unlocked"
    ) as raised:
        lab.update(outputs, workers=2, patches=[patch], session=lab.session(grace=0.5))
    assert "Unlock" in str(raised.value)
    assert ANNOTATION_LOCKED in lab.of(MACHINE_SET_NODE)[worker].annotations
    running = set(lab.of(CLUSTER_MACHINE_STATUS)) - {worker}
    assert all(lab.of(CLUSTER_MACHINE_STATUS)[machine].spec.config_up_to_date for machine in running)


def test_a_cluster_that_omni_created_without_an_answer_is_in_the_outputs(lab: Lab, simulator: Simulator) -> None:
    def cut_off(moment: str, write: Write) -> None:
        if (moment, write.verb, write.id) == ("after", "Create", lab.name):
            raise StoreError(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")

    simulator.faults.on_write(cut_off)
    with pytest.raises(UnreachableError) as raised:
        lab.create()
    assert raised.value.outputs.creation
    assert lab.update(raised.value.outputs).ready
    lab.delete()
