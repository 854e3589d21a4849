"""Coordinates the clusters of one `pulumi up` that choose machines from the same pool.

Omni has no lock. Two clusters that read the pool at the same time see the same free machines, and both would take the
first ones. Within this process the choices are made one after the other. Between processes Omni decides: a machine can
be in one set only, and the second one chooses again.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ksail_pulumi.plan.machines import Assignment


class Claim:
    """The machines that one operation holds in a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.read_at = 0.0
        self.machines: set[str] = set()

    def reads_now(self) -> None:
        """Call this before each snapshot: machines that others take after it may look free in that snapshot."""
        self.read_at = time.monotonic()

    def choose(self, assign: Callable[[frozenset[str]], Assignment]) -> Assignment:
        """Call `assign` with the machines that are taken, and hold the ones it chooses until the claim ends."""
        return self._pool.choose(self, assign)


class Pool:
    """The machines of one Omni that operations of this process have taken, and Omni may not show yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._claims: list[Claim] = []
        self._let_go: dict[str, float] = {}

    @contextmanager
    def claim(self) -> Iterator[Claim]:
        """A claim that lasts as long as the block; at its end Omni shows the machines as taken."""
        claim = Claim(self)
        claim.reads_now()
        with self._lock:
            self._claims.append(claim)
        try:
            yield claim
        finally:
            with self._lock:
                self._claims.remove(claim)
                now = time.monotonic()
                self._let_go.update(dict.fromkeys(claim.machines, now))
                oldest = min((other.read_at for other in self._claims), default=now)
                self._let_go = {machine: when for machine, when in self._let_go.items() if when >= oldest}

    def choose(self, claim: Claim, assign: Callable[[frozenset[str]], Assignment]) -> Assignment:
        with self._lock:
            taken = {machine for machine, when in self._let_go.items() if when >= claim.read_at}
            for other in self._claims:
                if other is not claim:
                    taken |= other.machines
            assignment = assign(frozenset(taken))
            claim.machines = set(assignment.machines)
            return assignment


_pools: dict[str, Pool] = {}
_pools_lock = threading.Lock()


def pool_of(endpoint: str) -> Pool:
    """The pool behind an endpoint, one for the whole process."""
    with _pools_lock:
        return _pools.setdefault(endpoint, Pool())
