"""The store's COSI semantics: versions, phases, finalizers, owners, and what is told to whom."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime

import grpc
import pytest

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_STATUS,
    LABEL_CLUSTER,
    MACHINE_SET,
    TEARING_DOWN,
    Resource,
)
from ksail_pulumi.simulator.store import Event, Store, StoreError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store() -> Store:
    return Store(lambda: NOW)


def cluster(name: str = "a", **fields: object) -> Resource:
    return Resource(CLUSTER, name, specs_pb2.ClusterSpec(talos_version="1.13.8"), **fields)  # type: ignore[arg-type]


def test_a_created_resource_is_version_1_of_now(store: Store) -> None:
    stored = store.create(cluster(version=7))
    assert (stored.version, stored.created, stored.updated) == (1, NOW, NOW)
    assert store.find(CLUSTER, "a") == stored


def test_every_update_counts_even_one_that_changes_nothing(store: Store) -> None:
    assert store.update(store.create(cluster())).version == 2


def test_an_outdated_update_is_a_conflict_printed_as_runes(store: Store) -> None:
    first = store.create(cluster())
    latest = first
    for _ in range(8):
        latest = store.update(latest)
    with pytest.raises(StoreError) as raised:
        store.update(first)
    assert raised.value.code is grpc.StatusCode.FAILED_PRECONDITION
    assert raised.value.text == (
        "failed to update: resource Clusters.omni.sidero.dev(default/a@9) update conflict: "
        "expected version '\\x01', actual version '\\t'"
    )


@pytest.mark.parametrize(("version", "rune"), [(0, "\\x00"), (65, "A"), (39, "\\'"), (127, "\\x7f"), (233, "é")])
def test_runes_are_those_of_go(store: Store, version: int, rune: str) -> None:
    store.create(cluster())
    with pytest.raises(StoreError) as raised:
        store.update(cluster(version=version))
    assert f"expected version '{rune}'" in raised.value.text


def test_an_expected_phase_is_checked_after_the_version(store: Store) -> None:
    store.create(cluster())
    store.teardown(CLUSTER, "a")
    with pytest.raises(StoreError, match="update conflict"):
        store.update(cluster(version=1), expected_phase="running")
    with pytest.raises(StoreError, match="is not in phase running"):
        store.update(cluster(version=2), expected_phase="running")


def test_a_teardown_is_ready_without_finalizers_and_can_be_repeated(store: Store) -> None:
    store.create(cluster("a"))
    store.create(cluster("b", finalizers=("x",)))
    assert store.teardown(CLUSTER, "a") is True
    assert store.teardown(CLUSTER, "b") is False
    assert store.teardown(CLUSTER, "b") is False
    found = store.find(CLUSTER, "b")
    assert found is not None
    assert (found.phase, found.version) == (TEARING_DOWN, 2)


def test_finalizers_hold_a_resource(store: Store) -> None:
    store.create(cluster(finalizers=("A", "B")))
    with pytest.raises(
        StoreError, match=r"failed to destroy: resource .*\(default/a@1\) has pending finalizers &\[A B"
    ):
        store.destroy(CLUSTER, "a")
    store.edit(CLUSTER, "a", lambda found: replace(found, finalizers=()))
    store.destroy(CLUSTER, "a")
    assert store.find(CLUSTER, "a") is None


def test_an_owner_keeps_others_out(store: Store) -> None:
    store.create(cluster(), owner="me")
    for write in (
        lambda: store.update(cluster(version=1)),
        lambda: store.teardown(CLUSTER, "a"),
        lambda: store.destroy(CLUSTER, "a"),
        lambda: store.put(cluster()),
    ):
        with pytest.raises(StoreError, match='is owned by "me"') as raised:
            write()
        assert raised.value.code is grpc.StatusCode.PERMISSION_DENIED


def test_what_is_not_there_is_not_found(store: Store) -> None:
    for call in (
        lambda: store.get(CLUSTER.name, "default", "a"),
        lambda: store.update(cluster()),
        lambda: store.teardown(CLUSTER, "a"),
        lambda: store.destroy(CLUSTER, "a"),
    ):
        with pytest.raises(StoreError, match=r"resource Clusters.omni.sidero.dev\(default/a@undefined\) doesn't exist"):
            call()


def test_put_is_silent_where_nothing_differs_and_keeps_phase_and_finalizers(store: Store) -> None:
    events: list[Event] = []
    store.subscribe(events.append)
    status = Resource(CLUSTER_STATUS, "a", specs_pb2.ClusterStatusSpec(ready=True), owner="c", finalizers=("x",))
    store.put(status)
    store.put(replace(status, finalizers=()))
    store.teardown(CLUSTER_STATUS, "a", owner="c")
    changed = store.put(replace(status, spec=specs_pb2.ClusterStatusSpec(ready=False), finalizers=()))
    assert (changed.phase, changed.finalizers, changed.version) == (TEARING_DOWN, ("x",), 3)
    assert [event.kind for event in events] == ["created", "updated", "updated"]


def test_edit_changes_what_others_own_and_nothing_without_need(store: Store) -> None:
    store.create(cluster(), owner="me")
    assert store.edit(CLUSTER, "nope", lambda found: found) is None
    same = store.edit(CLUSTER, "a", lambda found: replace(found, labels={}))
    assert same is not None
    assert same.version == 1
    edited = store.edit(CLUSTER, "a", lambda found: replace(found, labels={"x": ""}))
    assert edited is not None
    assert (edited.version, edited.owner) == (2, "me")


def test_lists_are_sorted_and_filtered_by_labels(store: Store) -> None:
    for name, labels in (("b", {LABEL_CLUSTER: "x", "k": "1"}), ("a", {LABEL_CLUSTER: "x"}), ("c", {"k": "2"})):
        store.create(Resource(MACHINE_SET, name, specs_pb2.MachineSetSpec(), labels))
    ids = lambda labels=None: [item.id for item in store.list(MACHINE_SET, labels)]  # noqa: E731
    assert ids() == ["a", "b", "c"]
    assert ids({LABEL_CLUSTER: "x"}) == ["a", "b"]
    assert ids({"k": None}) == ["b", "c"]
    assert ids({LABEL_CLUSTER: "x", "k": "1"}) == ["b"]
    assert ids({LABEL_CLUSTER: "none"}) == []


def test_what_is_only_asked_for_is_not_kept(store: Store) -> None:
    for number in range(100):
        store.members(CLUSTER.name, f"nowhere-{number}")
        store.snapshot(CLUSTER.name, f"nowhere-{number}")
    assert store.list(CLUSTER) == []
    assert not store._collections


def test_the_cluster_index_follows_labels(store: Store) -> None:
    stored = store.create(Resource(MACHINE_SET, "a", specs_pb2.MachineSetSpec(), {LABEL_CLUSTER: "x"}))
    store.update(replace(stored, labels={LABEL_CLUSTER: "y"}))
    assert store.list(MACHINE_SET, {LABEL_CLUSTER: "x"}) == []
    assert [item.id for item in store.list(MACHINE_SET, {LABEL_CLUSTER: "y"})] == ["a"]
    store.destroy(MACHINE_SET, "a")
    assert store.list(MACHINE_SET, {LABEL_CLUSTER: "y"}) == []


def test_subscribers_see_all_changes_in_order_until_they_leave(store: Store) -> None:
    events: list[Event] = []
    leave = store.subscribe(events.append)

    def write(prefix: str) -> None:
        for number in range(200):
            store.create(cluster(f"{prefix}{number}"))

    writers = [threading.Thread(target=write, args=(prefix,)) for prefix in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    leave()
    leave()
    store.create(cluster("late"))
    sequences = [event.sequence for event in events]
    assert sequences == list(range(sequences[0], sequences[0] + 600))
