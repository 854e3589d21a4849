"""When a wait believes what Omni tells: on recorded events of a real Omni, and on made-up ones."""

from __future__ import annotations

import pytest

from ksail_pulumi.lifecycle.waiting.goal import Goal, reached
from ksail_pulumi.lifecycle.waiting.settling import SETTLING_SECONDS, STALE_SECONDS, GoalCondition
from ksail_pulumi.lifecycle.waiting.view import LABEL_LOCKED_UPDATE, ClusterView
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import CLUSTER_MACHINE_STATUS, Resource
from ksail_pulumi.omni.watch import Query, WatchEvent

from .replay import Row, bootstrapped, capture

WORKER = "10031802-c798-4da7-a410-f09abb48c8d8"


def goal(workers: int = 2, talos: str = "1.13.8", kubernetes: str = "1.35.7", **more: object) -> Goal:
    sets = {"c1-control-planes": 1, "c1-workers": workers}
    return Goal("c1", "ready", sets, talos_version=talos, kubernetes_version=kubernetes, **more)


def moments(rows: list[Row], begin: str, end: str, asked: Goal) -> list[float]:
    """When, in seconds after step `begin` ended, the predicate turned true, up to step `end`."""
    view = ClusterView("c1")
    for event in bootstrapped(*asked.types):
        view.apply(event.query.type, event)
    started = next(row.at for row in rows if row.step == begin)
    before, found = False, []
    for row in rows:
        if row.step == end:
            break
        if row.event is None:
            continue
        view.apply(row.event.query.type, row.event)
        now = reached(view, asked)
        if now and not before and row.at >= started:
            found.append(row.at - started)
        before = now
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


def test_waiting_for_running_ignores_the_kubernetes_upgrade_status() -> None:
    asked = Goal("c1", "running", {"c1-control-planes": 1, "c1-workers": 2})
    found = moments(capture("create-scale-delete"), "create", "scaleup", asked)
    assert found
    assert found[-1] < 1


def machine(name: str, *, held: bool = False, up_to_date: bool = True) -> WatchEvent:
    spec = specs_pb2.ClusterMachineStatusSpec(
        ready=True, config_up_to_date=up_to_date, stage=specs_pb2.ClusterMachineStatusSpec.Stage.RUNNING
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
