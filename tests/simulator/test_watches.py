"""What watches send: the samples recorded on a real Omni, resuming, label queries, and being too slow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import grpc
import pytest

from ksail_pulumi.omni.api import resource_pb2, specs_pb2, state_pb2
from ksail_pulumi.omni.resources import CLUSTER, MACHINE_SET, Resource
from ksail_pulumi.simulator import store as store_module
from ksail_pulumi.simulator.server import Simulator

Options = state_pb2.WatchOptions
CREATED, UPDATED, DESTROYED = state_pb2.CREATED, state_pb2.UPDATED, state_pb2.DESTROYED
BOOTSTRAPPED, ERRORED, NOOP = state_pb2.BOOTSTRAPPED, state_pb2.ERRORED, state_pb2.NOOP


def cluster(name: str, **labels: str) -> Resource:
    return Resource(CLUSTER, name, specs_pb2.ClusterSpec(), labels)


class Watching:
    """One open watch; `next(n)` is the next n messages, each as (kind, id, version, has bookmark) of its events."""

    def __init__(self, caller: Any, *, timeout: float | None = 10, **fields: Any) -> None:
        request = state_pb2.WatchRequest(**{"namespace": "default", "type": CLUSTER.name, "api_version": 1, **fields})
        self.stream = caller.stream("Watch", request, timeout=timeout)
        self.bookmark = b""

    def next(self, count: int) -> list[list[tuple[Any, str, str, bool]]]:
        messages = []
        for _ in range(count):
            message = next(self.stream)
            for event in message.event:
                self.bookmark = event.bookmark or self.bookmark
            messages.append(
                [
                    (
                        event.event_type,
                        event.resource.metadata.id,
                        event.resource.metadata.version,
                        bool(event.bookmark),
                    )
                    for event in message.event
                ]
            )
        return messages


@pytest.fixture
def watch(caller: Any) -> Callable[..., Watching]:
    return lambda **fields: Watching(caller, **fields)


@pytest.fixture
def refused(caller: Any) -> Callable[..., tuple[str, str]]:
    def refused(**fields: Any) -> tuple[str, str]:
        with pytest.raises(grpc.RpcError) as raised:
            Watching(caller, **fields).next(1)
        return raised.value.code().name, raised.value.details()

    return refused


@pytest.fixture
def rf1(still: Simulator) -> Resource:
    return still.store.create(cluster("rf1"))


ONE = [(CREATED, "rf1", "1", False)]
BOOT = [(BOOTSTRAPPED, "", "undefined", True)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"id": "rf1", "options": Options()}, [[], [(CREATED, "rf1", "1", True)]]),
        ({"id": "nope", "options": Options()}, [[], [(DESTROYED, "nope", "undefined", True)]]),
        ({"id": "rf1", "options": Options(aggregated=True)}, [[], [(CREATED, "rf1", "1", True)]]),
        ({"options": Options(bootstrap_contents=True)}, [[], ONE, BOOT]),
        ({"options": Options(bootstrap_contents=True, aggregated=True)}, [[], ONE + BOOT]),
        ({"options": Options(bootstrap_bookmark=True)}, [[], [(NOOP, "", "undefined", True)]]),
        ({"namespace": "zzz", "options": Options(bootstrap_contents=True)}, [[], BOOT]),
    ],
)
def test_a_watch_begins_as_recorded(
    watch: Callable[..., Watching], rf1: Resource, fields: dict[str, Any], expected: list[Any]
) -> None:
    assert watch(**fields).next(len(expected)) == expected


@pytest.mark.parametrize(
    "fields",
    [{"options": Options()}, {}, {"options": Options(bootstrap_contents=True), "api_version": 0}],
    ids=["no bootstrap", "no options", "api version 0"],
)
def test_silence_where_nothing_is_asked_for_or_understood(
    still: Simulator, watch: Callable[..., Watching], rf1: Resource, fields: dict[str, Any]
) -> None:
    watching = watch(**fields)
    asked = 2 if fields.get("api_version") == 0 else 1
    assert watching.next(asked) == [[], ONE][:asked]
    still.store.create(cluster("rf2"))
    assert watching.next(1) == [[(CREATED, "rf2", "1", True)]]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"id": "rf1", "options": Options(bootstrap_contents=True)},
            ("UNIMPLEMENTED", "bootstrap contents is not implemented for resource watch"),
        ),
        (
            {"options": Options(start_from_bookmark=b"garbage")},
            (
                "FAILED_PRECONDITION",
                'failed to watchKind "Clusters.omni.sidero.dev(default/@undefined)": invalid bookmark length: 7',
            ),
        ),
        (
            {"options": Options(start_from_bookmark=b"")},
            (
                "FAILED_PRECONDITION",
                'failed to watchKind "Clusters.omni.sidero.dev(default/@undefined)": invalid bookmark length: 0',
            ),
        ),
        (
            {"options": Options(start_from_bookmark=bytes(8), bootstrap_contents=True)},
            ("UNKNOWN", "failed to watchKind: operation startFromBookmark and bootstrapContents is not supported"),
        ),
        (
            {"options": Options(tail_events=2)},
            ("UNKNOWN", "failed to watchKind: operation tailEvents is not supported"),
        ),
    ],
)
def test_what_omni_cannot_watch_is_refused_before_the_first_message(
    refused: Callable[..., tuple[str, str]], rf1: Resource, fields: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert refused(**fields) == expected


def test_closed_and_unknown_types_cannot_be_watched(refused: Callable[..., tuple[str, str]]) -> None:
    for name in ("Nopes.omni.sidero.dev", "ClusterSecrets.omni.sidero.dev"):
        code, text = refused(type=name)
        assert code == "PERMISSION_DENIED"
        assert "no access is permitted" in text


@pytest.mark.parametrize("resource_id", [None, "rf1"])
def test_a_watch_resumes_from_a_bookmark(
    still: Simulator, watch: Callable[..., Watching], rf1: Resource, resource_id: str | None
) -> None:
    name = {} if resource_id is None else {"id": resource_id}
    first = watch(options=Options(bootstrap_contents=resource_id is None), **name)
    first.next(3 if resource_id is None else 2)
    first.stream.cancel()
    second = still.store.update(replace(rf1, labels={"a": "1"}))
    third = still.store.update(replace(second, labels={"a": "2"}))
    still.store.create(cluster("rf2"))
    resumed = watch(options=Options(start_from_bookmark=first.bookmark), **name)
    assert resumed.next(3) == [[], [(UPDATED, "rf1", "2", True)], [(UPDATED, "rf1", "3", True)]]
    again = watch(options=Options(start_from_bookmark=resumed.bookmark), **name)
    again.next(1)
    still.store.update(third)
    expected = [(UPDATED, "rf1", "4", True)] if resource_id else [(CREATED, "rf2", "1", True)]
    assert again.next(1) == [expected]


def test_a_bookmark_of_another_type_is_taken(watch: Callable[..., Watching], rf1: Resource) -> None:
    first = watch(options=Options(bootstrap_contents=True))
    first.next(3)
    resumed = watch(type=MACHINE_SET.name, options=Options(start_from_bookmark=first.bookmark))
    assert resumed.next(1) == [[]]


def test_a_bookmark_of_another_server_is_invalid(
    watch: Callable[..., Watching], refused: Callable[..., tuple[str, str]], rf1: Resource
) -> None:
    first = watch(options=Options(bootstrap_contents=True))
    first.next(3)
    strange = bytes([first.bookmark[0] ^ 0x7F, *first.bookmark[1:]])
    code, text = refused(options=Options(start_from_bookmark=strange))
    assert code == "FAILED_PRECONDITION"
    assert text.endswith("invalid bookmark")


def test_updates_carry_what_was_before(still: Simulator, caller: Any, rf1: Resource) -> None:
    watching = Watching(caller)
    watching.next(1)
    still.store.update(replace(rf1, labels={"a": "1"}))
    (event,) = next(watching.stream).event
    assert dict(event.resource.metadata.labels) == {"a": "1"}
    assert (event.old.metadata.version, dict(event.old.metadata.labels)) == ("1", {})


def test_a_label_query_makes_events_of_coming_and_going(
    still: Simulator, watch: Callable[..., Watching], rf1: Resource
) -> None:
    query = resource_pb2.LabelQuery(terms=[resource_pb2.LabelTerm(key="team", op="EQUAL", value=["a"])])
    watching = watch(options=Options(bootstrap_contents=True, label_query=[query]))
    assert watching.next(2) == [[], BOOT]
    second = still.store.update(replace(rf1, labels={"team": "a"}))
    third = still.store.update(replace(second, labels={"team": "a", "more": ""}))
    still.store.update(replace(third, labels={"team": "b"}))
    still.store.destroy(CLUSTER, "rf1")
    still.store.create(cluster("rf2", team="a"))
    assert watching.next(4) == [
        [(CREATED, "rf1", "2", True)],
        [(UPDATED, "rf1", "3", True)],
        [(DESTROYED, "rf1", "4", True)],
        [(CREATED, "rf2", "1", True)],
    ]


def test_destroyed_resources_are_told_as_they_last_were(
    still: Simulator, watch: Callable[..., Watching], rf1: Resource
) -> None:
    watching = watch(id="rf1", options=Options())
    watching.next(2)
    still.store.teardown(CLUSTER, "rf1")
    still.store.destroy(CLUSTER, "rf1")
    assert watching.next(2) == [[(UPDATED, "rf1", "2", True)], [(DESTROYED, "rf1", "2", True)]]


def test_a_watch_that_is_too_slow_is_cut_off(monkeypatch: pytest.MonkeyPatch, caller: Any, rf1: Resource) -> None:
    from ksail_pulumi.simulator.watches import Watch

    store = store_module.Store(lambda: rf1.created)
    monkeypatch.setattr(store_module, "HISTORY_PER_TYPE", 3)
    watch = Watch(store, state_pb2.WatchRequest(namespace="default", type=CLUSTER.name, api_version=1))
    for number in range(4):
        store.create(cluster(f"c{number}"))
    with pytest.raises(store_module.HistoryLostError):
        watch.news()
    (event,) = watch.overrun()
    assert event.event_type == ERRORED
    assert "buffer overrun" in event.error


def test_a_break_ends_open_watches_and_new_ones_work(
    still: Simulator, watch: Callable[..., Watching], rf1: Resource
) -> None:
    watching = watch(options=Options(bootstrap_contents=True))
    watching.next(3)
    still.faults.break_watches()
    with pytest.raises(grpc.RpcError) as raised:
        watching.next(1)
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    still.store.create(cluster("rf2"))
    resumed = watch(options=Options(start_from_bookmark=watching.bookmark))
    assert resumed.next(2) == [[], [(CREATED, "rf2", "1", True)]]


def test_hundreds_of_watches_leave_room_for_calls(still: Simulator, caller: Any, rf1: Resource) -> None:
    watches = [Watching(caller, options=Options(bootstrap_contents=True), timeout=60) for _ in range(300)]
    assert all(watching.next(3) == [[], ONE, BOOT] for watching in watches)
    caller.call("Get", state_pb2.GetRequest(namespace="default", type=CLUSTER.name, id="rf1"))
    still.store.create(cluster("rf2"))
    assert all(watching.next(1) == [[(CREATED, "rf2", "1", True)]] for watching in watches)
