"""Shares out free machines among the machine sets of a cluster.

The sets choose one after the other. Each takes the machines that the fewest sets can take, in the order of their IDs,
and leaves the later sets as many as these need. Nothing else decides: neither machines that are not free nor their
number. So the choice stays the same once other clusters have taken machines that it leaves, or once some of its own
have joined.
"""

from __future__ import annotations

from collections import Counter, deque
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Kind = tuple[int, ...]
"""The sets that can take a machine, as indices."""


def share_out(short: Sequence[int], kinds: Mapping[str, Kind]) -> list[list[str]]:
    """The machines that each set gets.

    Args:
        short: How many machines each set is short of. Fewer are chosen only if no choice serves all sets.
        kinds: The free machines.
    """
    left = Counter(kinds.values())
    needs = _served(short, left)
    ordered = sorted(kinds, key=lambda machine: (len(kinds[machine]), machine))
    chosen: list[list[str]] = []
    for index, need in enumerate(needs):
        later = [0] * (index + 1) + needs[index + 1 :]
        taken: list[str] = []
        candidates = [machine for machine in ordered if index in kinds[machine]]
        while len(taken) < need:
            wanted = candidates[: need - len(taken)]
            count = _allowed([kinds[machine] for machine in wanted], index, need - len(taken), later, left)
            taken += wanted[:count]
            left.subtract(kinds[machine] for machine in wanted[:count])
            if count < len(wanted):  # later sets need all that is left of the next kind
                candidates = [machine for machine in candidates[count:] if kinds[machine] != kinds[wanted[count]]]
        chosen.append(taken)
        gone = set(taken)
        ordered = [machine for machine in ordered if machine not in gone]
    return chosen


def _allowed(wanted: Sequence[Kind], index: int, need: int, later: Sequence[int], left: Mapping[Kind, int]) -> int:
    """How many of the wanted machines, from the first one on, a set can take so that all needs can still be served."""

    def served(count: int) -> bool:
        needs = list(later)
        needs[index] = need - count
        rest = Counter(left)
        rest.subtract(wanted[:count])
        return _served(needs, rest) == needs

    if served(len(wanted)):
        return len(wanted)
    low, high = 0, len(wanted)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if served(middle) else (low, middle)
    return low


def _served(needs: Sequence[int], left: Mapping[Kind, int]) -> list[int]:
    """How many machines each set can have at the same time; the earlier sets come first."""
    free = Counter(left)
    given: list[Counter[Kind]] = [Counter() for _ in needs]
    for index, need in enumerate(needs):
        while (rest := need - given[index].total()) and (path := _path(index, free, given)):
            handed_over = [(giver, kind) for (_, kind), (giver, _) in pairwise(path)]
            amount = min(rest, free[path[-1][1]], *(given[giver][kind] for giver, kind in handed_over))
            for taker, kind in path:
                given[taker][kind] += amount
            for giver, kind in handed_over:
                given[giver][kind] -= amount
            free[path[-1][1]] -= amount
    return [each.total() for each in given]


def _path(index: int, free: Mapping[Kind, int], given: Sequence[Mapping[Kind, int]]) -> list[tuple[int, Kind]]:
    """Who has to take a machine of which kind for a set to have one more: each from the next one, the last a free one.

    Empty if it cannot have one more.
    """
    seen = {index}
    paths: deque[tuple[int, list[tuple[int, Kind]]]] = deque([(index, [])])
    while paths:
        taker, before = paths.popleft()
        for kind, number in free.items():
            if taker not in kind:
                continue
            path = [*before, (taker, kind)]
            if number:
                return path
            for giver in kind:
                if giver not in seen and given[giver][kind]:
                    seen.add(giver)
                    paths.append((giver, path))
    return []
