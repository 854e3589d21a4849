"""Which machines a cluster consists of."""

from __future__ import annotations

import random
import time

import pytest

from ksail_pulumi.errors import InputError, NotEnoughMachinesError
from ksail_pulumi.model.parse import ClusterSpec
from ksail_pulumi.model.versions import Versions
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.machines import Assignment, assign_machines, current_assignment, version_conflict

from .builders import MARK, VERSIONS, cluster_spec, machine, machine_id, node, pool

CONTROL_PLANE, WORKERS = "prod-control-planes", "prod-workers"


def assign(
    spec: ClusterSpec,
    statuses: list[Resource],
    nodes: list[Resource] | None = None,
    taken: tuple[str, ...] = (),
    versions: Versions = VERSIONS,
) -> dict[str, list[int]]:
    """The machines of each set by their numbers."""
    assignment = assign_machines(
        spec, statuses, nodes or [], versions=versions, taken=dict.fromkeys(taken, "cluster blue"), mark=MARK
    )
    return {set_id: [int(each[:8]) for each in members] for set_id, members in assignment.sets.items()}


def test_free_machines_are_taken_in_the_order_of_their_ids_control_plane_first() -> None:
    statuses = pool(6)
    random.Random(1).shuffle(statuses)

    chosen = assign(cluster_spec(controlPlane={"count": 3}, workers=2), statuses)

    assert chosen == {CONTROL_PLANE: [1, 2, 3], WORKERS: [4, 5]}


def test_named_machines_are_taken_as_they_are_and_by_nobody_else() -> None:
    spec = cluster_spec(controlPlane={"count": 1}, workers=[{"machines": [machine_id(2), machine_id(1)]}])

    assert assign(spec, pool(3)) == {CONTROL_PLANE: [3], WORKERS: [2, 1]}


def test_sets_of_a_class_have_no_machines_here() -> None:
    spec = cluster_spec(workers=[{"machineClass": {"name": "big", "size": 2}}])

    assert assign(spec, pool(3)) == {CONTROL_PLANE: [1]}


def test_a_cluster_keeps_the_machines_it_has_and_takes_only_what_is_missing() -> None:
    nodes = [node(5, CONTROL_PLANE, age=2), node(4, WORKERS, age=1)]
    statuses = [machine(number, cluster="prod" if number in (4, 5) else "") for number in range(1, 7)]

    assert assign(cluster_spec(workers=3), statuses, nodes) == {CONTROL_PLANE: [5], WORKERS: [4, 1, 2]}


def test_two_clusters_of_one_run_never_choose_the_same_machine() -> None:
    statuses = pool(6)
    first = assign_machines(cluster_spec(workers=2), statuses, [], versions=VERSIONS)
    blue = dict.fromkeys(first.machines, "cluster blue")
    second = assign_machines(cluster_spec(workers=2), statuses, [], versions=VERSIONS, taken=blue)

    assert not set(first.machines) & set(second.machines)


def test_the_last_to_come_leaves_first() -> None:
    nodes = [node(1, CONTROL_PLANE), node(2, WORKERS, age=30), node(3, WORKERS, age=10), node(4, WORKERS, age=20)]
    statuses = [machine(number, cluster="prod") for number in range(1, 5)]

    assert assign(cluster_spec(workers=2), statuses, nodes)[WORKERS] == [2, 4]


def test_unreachable_machines_leave_before_newer_ones_and_locked_ones_never() -> None:
    nodes = [node(1, CONTROL_PLANE), node(2, WORKERS, age=30), node(3, WORKERS, age=1, locked=True), node(4, WORKERS)]
    statuses = [machine(number, cluster="prod", without=["connected"] * (number == 2)) for number in range(1, 5)]

    assert assign(cluster_spec(workers=2), statuses, nodes)[WORKERS] == [3, 4]
    assert assign(cluster_spec(workers=1), statuses, nodes)[WORKERS] == [3]
    with pytest.raises(InputError) as caught:
        assign(cluster_spec(workers=[{"count": 0}]), statuses, nodes)
    assert caught.value.field == "workers[0].count"
    assert machine_id(3) in caught.value.reason


def test_nodes_that_others_added_are_neither_counted_nor_removed() -> None:
    nodes = [node(1, CONTROL_PLANE), node(2, WORKERS), node(3, WORKERS, mark=None)]
    statuses = [machine(number, cluster="prod" * (number < 4)) for number in range(1, 6)]

    assert assign(cluster_spec(workers=2), statuses, nodes)[WORKERS] == [2, 4]


def test_without_a_mark_all_nodes_are_the_clusters_own() -> None:
    nodes = [node(1, CONTROL_PLANE, mark=None), node(2, WORKERS, mark=None)]

    assignment = assign_machines(cluster_spec(workers=1), [], nodes, versions=VERSIONS)

    assert assignment.sets == {CONTROL_PLANE: (machine_id(1),), WORKERS: (machine_id(2),)}


def test_nodes_that_leave_or_belong_to_a_class_do_not_count() -> None:
    nodes = [
        node(1, CONTROL_PLANE),
        node(2, WORKERS, phase=omni.TEARING_DOWN),
        node(3, WORKERS, by_class=True),
        node(4, "other-workers", cluster="other"),
    ]

    assert assign(cluster_spec(workers=1), pool(5), nodes)[WORKERS] == [5]


def test_a_selector_chooses_among_free_machines() -> None:
    statuses = [machine(number, labels={"role": "gpu"} if number in (2, 4) else {}) for number in range(1, 6)]
    spec = cluster_spec(workers=[{"count": 2, "selector": "role = gpu"}])

    assert assign(spec, statuses) == {CONTROL_PLANE: [1], WORKERS: [2, 4]}


def test_the_set_with_the_least_choice_goes_first_and_others_leave_it_what_it_needs() -> None:
    statuses = [machine(1, labels={"role": "gpu"}), machine(2), machine(3)]
    spec = cluster_spec(workers=[{"count": 1, "selector": "role = gpu"}, {"name": "b", "count": 1}])

    assert assign(spec, statuses) == {CONTROL_PLANE: [2], WORKERS: [1], "prod-b": [3]}


def test_overlapping_selectors_are_both_served() -> None:
    statuses = [machine(1, labels={"a": ""}), machine(2, labels={"a": "", "b": ""}), machine(3)]
    spec = cluster_spec(
        controlPlane={"count": 1, "selector": "!a"},
        workers=[{"count": 1, "selector": "a"}, {"name": "b", "count": 1, "selector": "b"}],
    )

    assert assign(spec, statuses) == {CONTROL_PLANE: [3], WORKERS: [1], "prod-b": [2]}


def test_too_few_machines_is_told_with_the_reasons_why_the_others_do_not_count() -> None:
    statuses = [
        machine(1),
        machine(2, cluster="staging"),
        machine(3, cluster="staging"),
        machine(4, without=["connected"]),
        machine(5, without=["ready-to-use"]),
        machine(6, talos="1.14.0"),
        machine(7, talos="1.12.1", without=["installed"]),
        machine(8, labels={omni.LABEL_INVALID_STATE: ""}),
        machine(9, labels={omni.LABEL_NO_MANUAL_ALLOCATION: ""}),
        machine(10),
        machine(11, without=["reporting-events"]),
        machine(12, talos=""),
        machine(13, without=["available"]),
    ]
    nodes = [node(2, "staging-workers", cluster="staging", mark=None)]

    with pytest.raises(NotEnoughMachinesError) as caught:
        assign(cluster_spec(workers=2), statuses, nodes, taken=(machine_id(10),))

    error = caught.value
    assert (error.needed, error.available) == (3, 1)
    assert str(error).startswith(
        "not enough available machines in Omni for the requested node count: need 3, got 1 "
        "(unavailable: 2 allocated to cluster staging; "
    )
    assert set(error.excluded) == {
        "2 allocated to cluster staging",
        "1 not connected",
        "1 not ready to use",
        "1 running a newer Talos than 1.13.8",
        "1 booted from media of another Talos than 1.13.8",
        "1 in an invalid state",
        "1 reserved by their infrastructure provider",
        "1 reserved for cluster blue in this run",
        "1 not reporting events",
        "1 without a Talos version",
        "1 not available",
    }


def test_too_few_that_match_a_selector_is_told_with_the_selector() -> None:
    spec = cluster_spec(workers=[{"count": 1, "selector": "role = gpu"}])

    with pytest.raises(NotEnoughMachinesError) as caught:
        assign(spec, pool(3))

    assert str(caught.value).endswith(
        "need 2, got 1 (unavailable: 2 not matching the selector 'role = gpu' of prod-workers); make some of "
        "these available, register more machines in Omni, or request fewer"
    )


def test_an_empty_pool_needs_no_reasons() -> None:
    with pytest.raises(NotEnoughMachinesError) as caught:
        assign(cluster_spec(), [])

    assert str(caught.value) == (
        "not enough available machines in Omni for the requested node count: need 1, got 0; register more machines in "
        "Omni, or request fewer"
    )


@pytest.mark.parametrize(
    ("status", "talos", "conflict"),
    [
        (machine(1, talos="1.13.1"), "1.13.8", None),
        (machine(1, talos="1.13.9"), "1.13.8", None),
        (machine(1, talos="1.14.0"), "1.13.8", "downgrade is not allowed"),
        (machine(1, talos="1.14.0", agent=True), "1.13.8", None),
        (machine(1, talos="1.10.0"), "1.13.8", None),
        (machine(1, talos="1.10.0", without=["installed"]), "1.13.8", "must have the same major and minor version"),
        (machine(1, talos="1.13.0", without=["installed"]), "1.14.2", None),
        (machine(1, talos="1.12.0", without=["installed"]), "1.12.4", None),
        (machine(1, talos=""), "1.13.8", "has no Talos version label"),
    ],
)
def test_a_machine_joins_by_omnis_version_rules(status: Resource, talos: str, conflict: str | None) -> None:
    found = version_conflict(status, talos)

    assert (found is None) == (conflict is None)
    assert conflict is None or conflict in (found or "")


def test_the_machines_that_a_cluster_has_are_read_from_its_nodes() -> None:
    nodes = [node(2, WORKERS), node(1, WORKERS), node(3, CONTROL_PLANE), node(4, WORKERS, by_class=True), machine(9)]

    assert current_assignment("prod", nodes) == Assignment(
        {WORKERS: (machine_id(1), machine_id(2)), CONTROL_PLANE: (machine_id(3),)}
    )
    assert current_assignment("other", nodes).machines == ()
    assert current_assignment("prod", nodes).set_of(machine_id(3)) == CONTROL_PLANE
    assert current_assignment("prod", nodes).set_of(machine_id(4)) is None


def test_a_thousand_machines_take_no_longer_than_their_number_asks_for() -> None:
    def seconds(size: int) -> float:
        statuses = [machine(number, labels={"rack": str(number % 7)}) for number in range(1, size + 1)]
        spec = cluster_spec(
            controlPlane={"count": 3},
            workers=[{"name": f"w{rack}", "count": size // 8, "selector": f"rack = {rack}"} for rack in range(7)],
        )
        start = time.process_time()
        assert len(assign_machines(spec, statuses, [], versions=VERSIONS).machines) == 3 + 7 * (size // 8)
        return time.process_time() - start

    small, large = min(seconds(400) for _ in range(3)), min(seconds(4000) for _ in range(3))
    assert large < small * 40, "ten times the machines may take ten times as long, not a hundred"
