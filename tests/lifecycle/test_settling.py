"""When a wait believes what Omni tells: on recorded events of a real Omni, and on made-up ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ksail_pulumi.lifecycle.waiting.goal import Goal, WaitFor, reached
from ksail_pulumi.lifecycle.waiting.progress import describe
from ksail_pulumi.lifecycle.waiting.settling import SETTLING_SECONDS, STALE_SECONDS, GoalCondition
from ksail_pulumi.lifecycle.waiting.view import LABEL_LOCKED_UPDATE, ClusterView
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER_MACHINE_STATUS,
    CLUSTER_STATUS,
    CONTROL_PLANE_STATUS,
    LABEL_CLUSTER,
    MACHINE_SET_STATUS,
    TALOS_UPGRADE_STATUS,
    Resource,
    ResourceType,
)
from ksail_pulumi.omni.watch import Query, WatchEvent

from .replay import Row, bootstrapped, capture, view_of

WORKER = "10031802-c798-4da7-a410-f09abb48c8d8"


def goal(workers: int = 2, talos: str = "1.13.8", kubernetes: str = "1.35.7", **more: object) -> Goal:
    sets = {"c1-control-planes": 1, "c1-workers": workers}
    return Goal("c1", "ready", sets, talos_version=talos, kubernetes_version=kubernetes, **more)


def moments(rows: list[Row], begin: str, end: str, asked: Goal, before: Sequence[Resource] = ()) -> list[float]:
    """When, in seconds after step `begin` ended, the predicate turned true, up to step `end`, if any.

    `before`: resources that were there and are not recorded.
    """
    view = view_of(ClusterView("c1"), asked.types, *before)
    started = next(row.at for row in rows if row.step == begin)
    held, found = False, []
    for row in rows:
        if end and row.step == end:
            break
        if row.event is None:
            continue
        view.apply(row.event.query.type, row.event)
        now = reached(view, asked)
        if now and not held and row.at >= started:
            found.append(row.at - started)
        held = now
    return found


@pytest.mark.parametrize(
    ("name", "begin", "end", "asked", "after"),
    [
        ("create-scale-delete", "create", "scaleup", goal(), 12.7),
        ("create-scale-delete", "scaleup", "scaledown", goal(3), 0.3),
        (
            "create-scale-delete",
            "scaledown",
            "delete",
            goal(2, shrinks=True, leaving=frozenset({WORKER})),
            0.5,
        ),
        ("upgrade", "create-old", "k8s-upgrade", goal(talos="1.13.7", kubernetes="1.35.6"), 19.9),
        ("upgrade", "k8s-upgrade", "talos-upgrade", goal(talos="1.13.7"), 9.1),
        ("upgrade", "talos-upgrade", "patch", goal(), 14.6),
    ],
)
def test_predicate_turns_true_once_and_when_the_cluster_is_done(
    name: str, begin: str, end: str, asked: Goal, after: float
) -> None:
    assert moments(capture(name), begin, end, asked) == [pytest.approx(after, abs=0.15)]


def test_after_a_patch_change_the_stale_state_is_not_believed() -> None:
    rows = capture("upgrade")
    written = next(row.at for row in rows if row.step == "patch")
    asked = goal()
    view = ClusterView("c1")
    condition = GoalCondition(view, asked, last_write=written, grace=60)
    for event in bootstrapped(*asked.types):
        view.apply(event.query.type, event)
    for row in rows:
        due = condition.done_at()
        if (due is not None and written < due <= row.at) or row.step == "delete":
            break
        if row.event is not None:
            view.apply(row.event.query.type, row.event)
            condition.observe(row.at)
    assert len(moments(rows, "k8s-upgrade", "delete", asked)) == 2  # true, untrue for a moment, and true again
    assert condition.done_at() == pytest.approx(written + STALE_SECONDS)


@pytest.fixture
def healthy() -> ClusterView:
    view = ClusterView("c1")
    for event in bootstrapped(*goal().types):
        view.apply(event.query.type, event)
    for row in capture("create-scale-delete"):
        if row.step == "scaleup":
            break
        if row.event is not None:
            view.apply(row.event.query.type, row.event)
    return view


def test_predicate_must_hold_without_a_break(healthy: ClusterView) -> None:
    asked = goal()
    condition = GoalCondition(healthy, asked, last_write=None, grace=60)
    condition.observe(100.0)
    assert condition.done_at() == 100.0 + SETTLING_SECONDS
    status = healthy.all(asked.types[1])[0]
    healthy.apply(status.type, WatchEvent("destroyed", status, Query(status.type)))
    condition.observe(100.3)
    assert condition.done_at() is None
    healthy.apply(status.type, WatchEvent("created", status, Query(status.type)))
    condition.observe(100.4)
    assert condition.done_at() == pytest.approx(100.4 + SETTLING_SECONDS)


def test_done_never_counts_just_after_our_last_write(healthy: ClusterView) -> None:
    condition = GoalCondition(healthy, goal(), last_write=100.0, grace=60)
    condition.observe(100.1)
    assert condition.done_at() == 100.0 + STALE_SECONDS
    condition.observe(101.0)
    assert condition.done_at() == 100.0 + STALE_SECONDS


def test_a_copy_that_is_being_read_anew_proves_nothing(healthy: ClusterView) -> None:
    asked = goal()
    assert reached(healthy, asked)
    kind = asked.types[2]
    healthy.apply(kind, WatchEvent("resync", None, Query(kind)))
    assert not reached(healthy, asked)
    assert healthy.all(kind) == []


def test_failure_is_final_only_when_it_stands() -> None:
    rows = capture("create-scale-delete")
    view = ClusterView("c1")
    condition = GoalCondition(view, goal(), last_write=0.5, grace=60)
    failed = False
    for row in rows:
        if row.step == "scaleup":
            break
        if row.event is not None:
            view.apply(row.event.query.type, row.event)
            condition.observe(row.at)
            failed |= bool(view.failures)
    assert failed, "the recording holds the passing failure of a control plane without nodes"
    assert condition.failed_at() is None
    events = [row.event for row in rows if row.event is not None and row.event.resource is not None]
    failing = next(event for event in events if getattr(event.resource.spec, "error", ""))
    view.apply(failing.query.type, failing)
    condition.observe(100.0)
    assert condition.failed_at() == 160.0
    assert condition.final_failures(159.9) == []
    assert condition.final_failures(160.0) == [
        "machine set c1-control-planes failed: control plane machine set must have at least one node"
    ]


def test_a_broken_connection_in_the_middle_of_an_apply_is_no_failure() -> None:
    """Recorded: apply FAILED with `code = Unavailable` while the machine reboots, which takes minutes on hardware."""
    view = ClusterView("c1")
    texts = set()
    for row in capture("upgrade"):
        if row.event is not None and row.event.resource is not None:
            view.apply(row.event.query.type, row.event)
            texts.update(view.failures.values())
            if error := getattr(row.event.resource.spec, "last_config_error", ""):
                assert "code = Unavailable" in error
    assert all("configuration" not in text for text in texts)


def test_waiting_for_running_ignores_kubernetes_and_the_readiness_of_nodes() -> None:
    asked = Goal("c1", "running", {"c1-control-planes": 1, "c1-workers": 2}, talos_version="1.13.8")
    assert moments(capture("create-scale-delete"), "create", "scaleup", asked) == [pytest.approx(0.6, abs=0.15)]
    phase = specs_pb2.ClusterStatusSpec.RUNNING
    machines = specs_pb2.Machines(connected=3)
    view = view_of(
        ClusterView("c1"),
        asked.types,
        Resource(CLUSTER_STATUS, "c1", specs_pb2.ClusterStatusSpec(phase=phase, machines=machines)),
        Resource(TALOS_UPGRADE_STATUS, "c1", specs_pb2.TalosUpgradeStatusSpec(phase=2, last_upgrade_version="1.13.8")),
        *(machine(name, ready=False).resource for name in ("m1", "m2", "m3")),
    )
    assert reached(view, asked)
    assert not reached(view, replace(asked, wait_for="ready"))


@pytest.mark.parametrize("wait_for", ["ready", "running"])
def test_waiting_ends_when_extensions_are_applied(wait_for: WaitFor) -> None:
    """Recorded: such a change leaves the last upgraded version as it is, and Done stands for 60 ms after the write."""
    asked = replace(goal(kubernetes="1.36.3"), wait_for=wait_for)
    assert moments(capture("extensions"), "extensions", "", asked) == [pytest.approx(13.7, abs=0.1)]


def test_upgrades_that_are_taken_back_are_done_when_the_last_machine_runs_again() -> None:
    """Recorded: Done for 0.1 s while a control plane still had to reboot, with the right version all the time."""
    rows = [row for row in capture("revert") if row.step or row.event]
    for row in rows:
        if row.event is not None and row.event.resource is not None and row.event.resource.type == CLUSTER_STATUS:
            spec = row.event.resource.spec
            spec.controlplaneReady = spec.kubernetesAPIReady = True  # not recorded
    asked = goal(talos="1.13.7", kubernetes="1.35.6")
    machines = specs_pb2.Machines(total=2, healthy=2, connected=2, requested=2)
    running = specs_pb2.MachineSetStatusSpec(phase=specs_pb2.MachineSetPhase.Running, ready=True, machines=machines)
    before = [
        Resource(MACHINE_SET_STATUS, "c1-workers", running, {LABEL_CLUSTER: "c1"}),
        *(machine(name).resource for name in ("W1", "W2")),
        Resource(TALOS_UPGRADE_STATUS, "c1", specs_pb2.TalosUpgradeStatusSpec(phase=2, last_upgrade_version="1.13.7")),
    ]
    found = moments(rows, "kubernetes_version back to 1.35.6", "talos_version 1.13.7 -> 1.13.8", asked, before)
    assert found == [pytest.approx(69.63 - 66.0)]
    assert moments(rows, "talos_version back to 1.13.7", "", asked, before) == []  # phase Reverting stands at its end
    rows.append(Row(98.0, event=WatchEvent("updated", before[-1], Query(TALOS_UPGRADE_STATUS))))
    assert moments(rows, "talos_version back to 1.13.7", "", asked, before) == [pytest.approx(98.0 - 85.67)]


def test_a_new_cluster_on_machines_with_a_newer_talos_is_done_when_the_last_one_is_installed() -> None:
    """Recorded: the upgrade status is Done, Reverting, and Done again while a worker is still being installed."""
    asked = replace(goal(talos="1.13.7"), wait_for="running")
    machines = specs_pb2.Machines(total=3, healthy=3, connected=3, requested=3)
    phase = specs_pb2.ClusterStatusSpec.RUNNING
    running = Resource(CLUSTER_STATUS, "c1", specs_pb2.ClusterStatusSpec(phase=phase, machines=machines))
    rows = [Row(0.0, step="create"), *capture("newer-machines")]
    assert moments(rows, "create", "", asked, [running]) == [pytest.approx(4.22)]


def even(rows: list[Row]) -> ClusterView:
    asked = even_goal()
    view = view_of(ClusterView("c1"), asked.types)
    for row in rows:
        if row.event is not None:
            view.apply(row.event.query.type, row.event)
    return view


def even_goal(count: int = 2) -> Goal:
    return Goal("c1", "ready", {"c1-control-planes": count}, talos_version="1.13.8", kubernetes_version="1.36.3")


def test_a_control_plane_that_begins_with_an_even_number_is_done_although_omni_never_calls_it_ready() -> None:
    view = even(capture("even-control-planes"))
    assert not view.all(CLUSTER_STATUS)[0].spec.controlplaneReady
    assert reached(view, even_goal())
    assert "the control plane" not in describe(view, even_goal())


def test_an_even_control_plane_with_a_status_of_its_own_waits_for_it() -> None:
    view = even(capture("even-control-planes"))
    resource = Resource(CONTROL_PLANE_STATUS, "c1-control-planes", specs_pb2.ControlPlaneStatusSpec())
    view.apply(CONTROL_PLANE_STATUS, WatchEvent("created", resource, Query(CONTROL_PLANE_STATUS)))
    assert not reached(view, even_goal())


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (CLUSTER_STATUS, {"kubernetesAPIReady": False}),
        (CLUSTER_STATUS, {"ready": False}),
        (CLUSTER_MACHINE_STATUS, {"ready": False}),
        (MACHINE_SET_STATUS, {"ready": False}),
        (MACHINE_SET_STATUS, {"machines": specs_pb2.Machines(total=3, healthy=3, connected=3, requested=3)}),
    ],
)
def test_an_even_control_plane_is_done_only_with_its_machines_sets_and_api(
    kind: ResourceType, change: dict[str, Any]
) -> None:
    view = even(capture("even-control-planes"))
    found = view.all(kind)[0]
    spec = kind.spec()
    spec.CopyFrom(found.spec)
    for name, value in change.items():
        spec.ClearField(name)
        spec.MergeFrom(kind.spec(**{name: value}))
    view.apply(kind, WatchEvent("updated", replace(found, spec=spec), Query(kind)))
    assert not reached(view, even_goal())


def machine(name: str, *, held: bool = False, up_to_date: bool = True, ready: bool = True) -> WatchEvent:
    spec = specs_pb2.ClusterMachineStatusSpec(
        ready=ready, config_up_to_date=up_to_date, stage=specs_pb2.ClusterMachineStatusSpec.Stage.RUNNING
    )
    labels = {LABEL_LOCKED_UPDATE: ""} if held else {}
    return WatchEvent("updated", Resource(CLUSTER_MACHINE_STATUS, name, spec, labels), Query(CLUSTER_MACHINE_STATUS))


def test_a_locked_machine_is_a_failure_once_only_it_holds_the_update_up() -> None:
    view = ClusterView("c1")
    condition = GoalCondition(view, goal(), last_write=None, grace=60)
    for event in (machine("m1", held=True, up_to_date=False), machine("m2", up_to_date=False)):
        view.apply(CLUSTER_MACHINE_STATUS, event)
    condition.observe(100.0)
    assert condition.failed_at() is None, "the other machine is still being updated"
    view.apply(CLUSTER_MACHINE_STATUS, machine("m2"))
    condition.observe(200.0)
    assert condition.final_failures(260.0) == ["machine m1 is locked: its update waits until it is unlocked"]
    view.apply(CLUSTER_MACHINE_STATUS, machine("m1"))
    condition.observe(250.0)
    assert condition.failed_at() is None
