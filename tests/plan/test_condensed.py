"""What is kept of many machines is enough to choose from."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ksail_pulumi.errors import NotEnoughMachinesError
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.condensed import Kinds, condensed, labelled
from ksail_pulumi.plan.machines import assign_machines

from .builders import VERSIONS, cluster_spec, machine, machine_id

LABELS = st.dictionaries(st.sampled_from(["a", "b", "rack"]), st.sampled_from(["", "1", "2"]), max_size=3)
UNFIT = st.sampled_from([{}, {}, {}, {omni.LABEL_INVALID_STATE: ""}, {omni.LABEL_NO_MANUAL_ALLOCATION: ""}])
TALOS = st.sampled_from(["1.13.8", "1.13.8", "1.12.1", "1.14.0", ""])
EARLIER = {"relabelled": {"rack": "1"}, "upgraded": {omni.LABEL_TALOS_VERSION: "v1.13.8"}}
STATES = st.sampled_from(["", "", "", "leaving", "allocated", *EARLIER])
MACHINES = st.lists(st.tuples(LABELS, UNFIT, TALOS, st.booleans(), st.booleans(), STATES), max_size=12)
SELECTORS = st.sampled_from(["", "a", "!a", "b, rack = 1", "rack in (1, 2)"])
SETS = st.lists(st.tuples(st.integers(0, 3), SELECTORS), min_size=1, max_size=3)


def changed(status: Resource, state: str) -> Resource:
    """A machine in a state that its `MachineStatusLabels` do not show, or not yet."""
    if state == "leaving":
        return replace(status, phase=omni.TEARING_DOWN)
    if state == "allocated":
        status.spec.cluster = "east"
    return replace(status, annotations=EARLIER[state]) if state in EARLIER else status


def read_by_labels(kinds: Kinds, statuses: list[Resource]) -> list[Resource]:
    """What is read after the labels: the candidates, or all if a status is not as its labels say."""
    labels = [
        replace(
            each,
            type=omni.MACHINE_STATUS_LABELS,
            spec=None,
            phase=omni.RUNNING,
            labels={**each.labels, **each.annotations},
        )
        for each in statuses
    ]
    candidates = kinds.candidates(labelled(labels), {VERSIONS.talos})
    ids = {each.id for each in candidates}
    read = condensed(each for each in statuses if each.id in ids)
    return read if kinds.confirmed(candidates, read) else condensed(statuses)


@given(MACHINES, SETS)
def test_the_same_machines_are_chosen_from_what_is_kept_and_from_the_candidates(
    made: list[tuple[dict[str, str], dict[str, str], str, bool, bool, str]], sets: list[tuple[int, str]]
) -> None:
    statuses = [
        changed(machine(number, labels=labels | unfit, talos=talos, without=["installed"] * booted, agent=agent), state)
        for number, (labels, unfit, talos, booted, agent, state) in enumerate(made, start=1)
    ]
    named = [{"name": "named", "machines": [machine_id(2)]}]
    searching = [
        {"name": f"w{index}", "count": count, **({"selector": selector} if selector else {})}
        for index, (count, selector) in enumerate(sets)
    ]
    spec = cluster_spec(workers=[*searching, *named])
    kinds = Kinds(1 + sum(count for count, _ in sets) + 1, {selector for _, selector in sets if selector})

    def chosen(among: list[Resource]) -> object:
        try:
            return assign_machines(spec, among, [], versions=VERSIONS).sets
        except NotEnoughMachinesError as error:
            return error.needed

    assert chosen(condensed(statuses)) == chosen(statuses)
    assert chosen(read_by_labels(kinds, statuses)) == chosen(statuses)


def test_what_is_kept_of_a_machine_has_its_name_and_labels() -> None:
    status = machine(1, labels={"rack": "1"})

    (kept,) = condensed([status])

    assert (omni.machine_name(kept), kept.labels) == (omni.machine_name(status), status.labels)


def test_of_thousands_only_those_are_read_that_can_be_chosen_by_their_labels() -> None:
    racks = [machine(number, labels={"rack": str(number % 2)}) for number in range(1, 2001)]
    newer = [machine(number, labels={"rack": "2"}, talos="1.14.0") for number in range(2001, 2011)]
    kinds = Kinds(3, {"rack = 0"})

    read = kinds.candidates(racks + newer, {VERSIONS.talos})

    # Those with a newer Talos may be in agent mode, which labels do not show.
    assert [each.id for each in read] == [machine_id(number) for number in (*range(1, 7), *range(2001, 2011))]
