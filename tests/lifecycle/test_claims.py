"""No machine is promised twice to clusters of one process."""

from __future__ import annotations

import threading

import pytest

from ksail_pulumi.lifecycle.claims import Pool, pool_of
from ksail_pulumi.plan.machines import Assignment

FREE = ["m1", "m2", "m3", "m4"]


def first(count: int):
    def assign(taken: frozenset[str]) -> Assignment:
        return Assignment({"set": tuple([machine for machine in FREE if machine not in taken][:count])})

    return assign


def test_two_claims_at_once_never_get_the_same_machine() -> None:
    pool = Pool()
    with pool.claim() as one, pool.claim() as two:
        assert one.choose(first(2)).machines == ("m1", "m2")
        assert two.choose(first(2)).machines == ("m3", "m4")


def test_choosing_again_may_keep_ones_own_machines() -> None:
    pool = Pool()
    with pool.claim() as one:
        one.choose(first(2))
        assert one.choose(first(3)).machines == ("m1", "m2", "m3")


def test_a_pool_read_before_a_claim_ended_still_shows_its_machines_as_free() -> None:
    pool = Pool()
    with pool.claim() as late:
        with pool.claim() as early:
            early.choose(first(2))
        assert late.choose(first(2)).machines == ("m3", "m4")
        late.reads_now()
        assert late.choose(first(2)).machines == ("m1", "m2")


def test_a_claim_that_failed_gives_its_machines_back() -> None:
    pool = Pool()

    def fail() -> None:
        with pool.claim() as failing:
            failing.choose(first(2))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with pool.claim() as next_one:
        assert next_one.choose(first(2)).machines == ("m1", "m2")


def test_many_threads_get_disjoint_machines() -> None:
    pool = Pool()
    machines = [f"m{number}" for number in range(64)]
    gate = threading.Barrier(16)
    chosen: list[tuple[str, ...]] = []

    def assign(taken: frozenset[str]) -> Assignment:
        return Assignment({"set": tuple([machine for machine in machines if machine not in taken][:4])})

    def work() -> None:
        with pool.claim() as claim:
            gate.wait()
            chosen.append(claim.choose(assign).machines)
            gate.wait()

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(machine for group in chosen for machine in group) == sorted(machines)


def test_one_pool_for_each_endpoint() -> None:
    assert pool_of("https://a:443") is pool_of("https://a:443")
    assert pool_of("https://a:443") is not pool_of("https://b:443")
