"""What is kept of many machines is enough to choose from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ksail_pulumi.errors import NotEnoughMachinesError
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.condensed import condensed, first_of_each_kind
from ksail_pulumi.plan.machines import assign_machines

from .builders import VERSIONS, cluster_spec, machine, machine_id

LABELS = st.dictionaries(st.sampled_from(["a", "b", "rack"]), st.sampled_from(["", "1", "2"]), max_size=3)
UNFIT = st.sampled_from([{}, {}, {}, {omni.LABEL_INVALID_STATE: ""}, {omni.LABEL_NO_MANUAL_ALLOCATION: ""}])
TALOS = st.sampled_from(["1.13.8", "1.13.8", "1.12.1", "1.14.0", ""])
MACHINES = st.lists(st.tuples(LABELS, UNFIT, TALOS, st.booleans(), st.booleans()), max_size=12)
SELECTORS = st.sampled_from(["", "a", "!a", "b, rack = 1", "rack in (1, 2)"])
SETS = st.lists(st.tuples(st.integers(0, 3), SELECTORS), min_size=1, max_size=3)


@given(MACHINES, SETS)
def test_the_same_machines_are_chosen_from_the_first_of_each_kind(
    made: list[tuple[dict[str, str], dict[str, str], str, bool, bool]], sets: list[tuple[int, str]]
) -> None:
    statuses = [
        machine(number, labels=labels | unfit, talos=talos, without=["installed"] * booted, agent=agent)
        for number, (labels, unfit, talos, booted, agent) in enumerate(made, start=1)
    ]
    named = [{"name": "named", "machines": [machine_id(2)]}]
    searching = [
        {"name": f"w{index}", "count": count, **({"selector": selector} if selector else {})}
        for index, (count, selector) in enumerate(sets)
    ]
    spec = cluster_spec(workers=[*searching, *named])
    keep = first_of_each_kind(1 + sum(count for count, _ in sets) + 1, {selector for _, selector in sets if selector})

    def chosen(among: list[Resource]) -> object:
        try:
            return assign_machines(spec, among, [], versions=VERSIONS).sets
        except NotEnoughMachinesError as error:
            return error.needed

    assert chosen(keep(statuses)) == chosen(condensed(statuses)) == chosen(statuses)


def test_of_thousands_only_as_many_are_kept_as_are_chosen() -> None:
    statuses = [machine(number, labels={"rack": str(number % 2)}) for number in range(1, 2001)]

    kept = first_of_each_kind(3, {"rack = 0"})(statuses)

    assert [each.id for each in kept] == [machine_id(number) for number in range(1, 7)]


def test_what_is_kept_of_a_machine_has_its_name_and_labels() -> None:
    status = machine(1, labels={"rack": "1"})

    (kept,) = condensed([status])

    assert (omni.machine_name(kept), kept.labels) == (omni.machine_name(status), status.labels)
