"""How free machines are shared out among the sets of a cluster."""

from __future__ import annotations

from itertools import combinations, product
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from ksail_pulumi.plan.sharing import Kind, share_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SETS = 3
KINDS = st.sets(st.integers(0, SETS - 1)).map(lambda made: tuple(sorted(made)))
MACHINES = st.lists(KINDS, max_size=7).map(lambda made: {f"m{number}": kind for number, kind in enumerate(made)})
SHORT = st.lists(st.integers(0, 3), min_size=SETS, max_size=SETS)


def all_choices(short: Sequence[int], kinds: Mapping[str, Kind]) -> Iterator[list[set[str]]]:
    """Every choice that serves all sets."""
    options = [
        [set(each) for each in combinations([machine for machine, kind in kinds.items() if index in kind], number)]
        for index, number in enumerate(short)
    ]
    for choice in product(*options):
        if len(set().union(*choice)) == sum(short):
            yield list(choice)


@given(SHORT, MACHINES)
def test_the_first_choice_that_serves_all_sets_is_taken(short: list[int], kinds: dict[str, Kind]) -> None:
    """First: the first set has the machines that the fewest sets can take, in the order of their IDs; then the next."""
    place = {machine: (len(kind), machine) for machine, kind in kinds.items()}
    choices = [[sorted(place[each] for each in members) for members in each] for each in all_choices(short, kinds)]
    shared = share_out(short, kinds)

    if choices:
        assert [sorted(place[each] for each in members) for members in shared] == min(choices)
    else:
        assert sum(map(len, shared)) < sum(short)


@given(SHORT, MACHINES)
def test_no_machine_goes_to_two_sets_or_to_one_that_cannot_take_it(short: list[int], kinds: dict[str, Kind]) -> None:
    shared = share_out(short, kinds)

    chosen = [machine for members in shared for machine in members]
    assert len(chosen) == len(set(chosen))
    assert all(index in kinds[machine] for index, members in enumerate(shared) for machine in members)


def test_a_later_set_gets_the_only_machines_that_it_can_take() -> None:
    """A chain: the first set must leave a machine to the second, which leaves one to the third."""
    kinds: dict[str, Kind] = {"a": (0, 1), "b": (0, 1, 2), "c": (1, 2)}

    assert share_out([1, 1, 1], kinds) == [["a"], ["c"], ["b"]]
    assert share_out([2, 0, 1], kinds) == [["a", "b"], [], ["c"]]
