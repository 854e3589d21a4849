"""What a wait says: the progress line, and the explanation of a wait that did not end well."""

from __future__ import annotations

import pytest

from ksail_pulumi.lifecycle.waiting.diagnosis import Awaited, diagnose
from ksail_pulumi.lifecycle.waiting.goal import Goal
from ksail_pulumi.lifecycle.waiting.progress import describe, describe_deletion, duration
from ksail_pulumi.lifecycle.waiting.view import ClusterView
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource

from .replay import bootstrapped, capture, view_of

GOAL = Goal(
    "c1",
    "ready",
    {"c1-control-planes": 1, "c1-workers": 2},
    talos_version="1.13.8",
    kubernetes_version="1.35.7",
)
STAGE = specs_pb2.ClusterMachineStatusSpec.Stage


def lines(name: str, begin: str, end: str, goal: Goal) -> list[str]:
    """Every different line that a wait could have told between two steps of a recording."""
    view = ClusterView("c1")
    for event in bootstrapped(*goal.types):
        view.apply(event.query.type, event)
    told, active = [], False
    for row in capture(name):
        active |= row.step == begin
        if row.step == end:
            break
        if row.event is None:
            continue
        view.apply(row.event.query.type, row.event)
        text = describe(view, goal)
        if active and (not told or told[-1] != text):
            told.append(text)
    return told


def test_creation_is_told_from_the_first_machine_to_the_kubernetes_api() -> None:
    told = lines("create-scale-delete", "create", "scaleup", GOAL)
    assert "0/3 machines connected, waiting for the control plane" in told
    assert "3/3 machines running, control plane ready, waiting for the Kubernetes API" in told
    assert told[-1] == "3/3 machines running, control plane ready"


def test_an_upgrade_is_told_with_omnis_own_words() -> None:
    told = lines("upgrade", "talos-upgrade", "patch", GOAL)
    assert any("waiting for Talos 1.13.8 (updating machines 2/3: current machine: " in line for line in told)
    assert any("2/3 machines running, 1 rebooting" in line for line in told)


def test_scaling_down_is_told_until_the_machine_is_free() -> None:
    goal = Goal(
        "c1",
        "ready",
        {"c1-control-planes": 1, "c1-workers": 2},
        talos_version="1.13.8",
        kubernetes_version="1.35.7",
        shrinks=True,
    )
    told = lines("create-scale-delete", "scaledown", "delete", goal)
    assert any("waiting for 1 machine to be wiped and available" in line for line in told)
    assert told[-1] == "3/3 machines running, control plane ready"


def test_before_omni_has_looked_there_is_something_to_tell() -> None:
    assert describe(ClusterView("c1"), GOAL) == "0/3 machines connected, waiting for Omni to accept the cluster"


def test_deletion_is_told_with_omnis_own_count() -> None:
    view = view_of(
        ClusterView("c1"),
        (omni.CLUSTER_DESTROY_STATUS, omni.CLUSTER),
        Resource(omni.CLUSTER, "c1", specs_pb2.ClusterSpec(), phase="tearingDown"),
    )
    assert describe_deletion(view) == "deleting"
    counted = specs_pb2.DestroyStatusSpec(phase="Destroying: 2 machine sets, 3 machines")
    view_of(view, (), Resource(omni.CLUSTER_DESTROY_STATUS, "c1", counted))
    assert describe_deletion(view) == "destroying: 2 machine sets, 3 machines"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (45, "45s"), (60, "1m"), (90, "1m30s"), (3600, "1h"), (5400, "1h30m")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def machine(name: str, *labels: str, **spec: object) -> Resource:
    message = specs_pb2.ClusterMachineStatusSpec(**{"ready": True, "config_up_to_date": True} | spec)
    marks = {omni.LABEL_CLUSTER: "c1", omni.LABEL_MACHINE_SET: "c1-workers", omni.LABEL_HOSTNAME: f"talos-{name}"}
    return Resource(omni.CLUSTER_MACHINE_STATUS, name, message, marks | dict.fromkeys(labels, ""))


def diagnosed(*resources: Resource) -> str:
    view = view_of(ClusterView("c1"), GOAL.types, *resources)
    return str(diagnose(view, Awaited(done=view.running)))


def test_machines_that_run_are_not_mentioned() -> None:
    assert diagnosed(machine("m1", omni.LABEL_CONNECTED, stage=STAGE.RUNNING)) == ""


def test_a_machine_that_is_cut_off_is_named_with_what_to_do() -> None:
    text = diagnosed(machine("m1", stage=STAGE.BOOTING, ready=False))
    assert "machine talos-m1 (m1), c1-workers: not connected to Omni, booting, not ready" in text
    assert "Check the power and the network" in text


def test_a_configuration_that_is_not_accepted_is_quoted() -> None:
    text = diagnosed(
        machine(
            "m1",
            omni.LABEL_CONNECTED,
            stage=STAGE.RUNNING,
            config_up_to_date=False,
            last_config_error='unknown sysctl "foo"',
        )
    )
    assert 'configuration error: unknown sysctl "foo"' in text
    assert "Fix the config patch" in text


def test_a_locked_machine_is_told_to_be_locked() -> None:
    locked = machine(
        "m1", omni.LABEL_CONNECTED, omni.PREFIX + "locked-update", stage=STAGE.RUNNING, config_up_to_date=False
    )
    text = diagnosed(locked)
    assert "its update waits until it is unlocked" in text
    assert "Unlock" in text


def test_a_machines_own_error_is_quoted() -> None:
    status = specs_pb2.MachineStatusSpec(last_error='service "etcd" is not healthy')
    text = diagnosed(
        machine("m1", omni.LABEL_CONNECTED, stage=STAGE.RUNNING, ready=False),
        Resource(omni.MACHINE_STATUS, "m1", status, {omni.LABEL_CLUSTER: "c1", omni.LABEL_CONNECTED: ""}),
    )
    assert '(service "etcd" is not healthy)' in text


def test_a_set_that_gets_too_few_machines_is_named() -> None:
    status = specs_pb2.MachineSetStatusSpec(machines=specs_pb2.Machines(requested=7, total=4))
    text = diagnosed(Resource(omni.MACHINE_SET_STATUS, "c1-workers", status, {omni.LABEL_CLUSTER: "c1"}))
    assert text == "machine set c1-workers: has 4 of 7 machines"


def test_of_many_machines_the_first_are_named_and_the_rest_counted() -> None:
    text = diagnosed(*(machine(f"m{number:04}", stage=STAGE.INSTALLING) for number in range(1000)))
    assert "and 990 more machines" in text
    assert len(text.splitlines()) < 15


def test_a_control_plane_that_is_not_ready_is_named_where_it_is_awaited() -> None:
    conditions = specs_pb2.ControlPlaneStatusSpec()
    conditions.conditions.add(type=1, status=2, reason="etcd member is a learner")
    conditions.conditions.add(type=2, status=1)
    cluster = Resource(omni.CLUSTER_STATUS, "c1", specs_pb2.ClusterStatusSpec())
    status = Resource(omni.CONTROL_PLANE_STATUS, "c1-control-planes", conditions, {omni.LABEL_CLUSTER: "c1"})
    view = view_of(ClusterView("c1"), GOAL.types, cluster, status)
    diagnosis = diagnose(view, Awaited(control_plane=True))
    assert [each.line for each in diagnosis.findings] == [
        "etcd: etcd member is a learner",
        "Kubernetes API: Omni cannot reach it",
    ]
    assert "check the logs of the control plane machines" in diagnosis.advice
    assert diagnose(view, Awaited()).findings == ()


def test_a_control_plane_without_a_status_is_named() -> None:
    view = view_of(ClusterView("c1"), GOAL.types, Resource(omni.CLUSTER_STATUS, "c1", specs_pb2.ClusterStatusSpec()))
    assert str(diagnose(view, Awaited(control_plane=True))).startswith("control plane: etcd is not ready yet\n")
