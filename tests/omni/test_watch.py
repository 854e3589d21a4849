from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from ksail_pulumi.errors import (
    AuthenticationError,
    OmniError,
    PermissionDeniedError,
    UnreachableError,
    UnsupportedError,
)
from ksail_pulumi.omni.api import specs_pb2, state_pb2
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import Client
from ksail_pulumi.omni.resources import CLUSTER, CLUSTER_STATUS, Resource, to_wire
from ksail_pulumi.omni.watch import Query, Watch

WITHIN = 60.0
END = object()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr("ksail_pulumi.omni.watch._FIRST_PAUSE", 0.01)
    monkeypatch.setattr("ksail_pulumi.omni.watch._LONGEST_PAUSE", 0.05)


def event(kind: str, name: str = "", version: int = 0, bookmark: bytes | None = None, **fields: Any) -> state_pb2.Event:
    resource = to_wire(Resource(CLUSTER, name, specs_pb2.ClusterSpec(talos_version="1.13.8"), version=version))
    return state_pb2.Event(event_type=kind, resource=resource, bookmark=bookmark, **fields)


class Script:
    """Answers each opened watch by what the test feeds it: events, a status to end with, or `END`."""

    def __init__(self, server: Any) -> None:
        self.opened: queue.Queue[tuple[state_pb2.WatchRequest, queue.Queue[Any]]] = queue.Queue()
        self.ended = threading.Event()
        server.on["Watch"] = self._answer

    def _answer(self, request: state_pb2.WatchRequest, context: grpc.ServicerContext) -> Iterator[Any]:
        feed: queue.Queue[Any] = queue.Queue()
        context.add_callback(lambda: (self.ended.set(), feed.put(END)))
        self.opened.put((request, feed))
        while (item := feed.get()) is not END:
            if isinstance(item, tuple):
                context.abort(*item)
            yield state_pb2.WatchResponse(event=item)

    def next(self) -> tuple[state_pb2.WatchRequest, queue.Queue[Any]]:
        """The next watch that is opened, already established."""
        request, feed = self.opened.get(timeout=WITHIN)
        feed.put([])
        return request, feed


@pytest.fixture
def script(server) -> Script:
    return Script(server)


def take(watch: Watch, count: int) -> list[tuple[str, str, int]]:
    taken = []
    for _ in range(count):
        found = watch.next(timeout=WITHIN)
        assert found is not None, f"no event after {taken}"
        taken.append((found.kind, *((found.resource.id, found.resource.version) if found.resource else ("", 0))))
    return taken


def test_a_type_is_told_first_as_it_is_and_then_as_it_changes(client, script):
    with client.state.watch(Query(CLUSTER, labels={"team": "x"})) as watch:
        request, feed = script.next()
        assert (request.type, request.namespace, request.api_version) == ("Clusters.omni.sidero.dev", "default", 1)
        assert not request.HasField("id")
        assert request.options.bootstrap_contents
        assert not request.options.HasField("start_from_bookmark")
        assert request.options.label_query[0].terms[0].key == "team"
        feed.put([event("CREATED", "a", 3)])
        feed.put([event("BOOTSTRAPPED", bookmark=b"1"), event("UPDATED", "a", 4, b"2")])
        feed.put([event("NOOP", bookmark=b"3"), event("DESTROYED", "a", 4, b"4")])
        assert take(watch, 4) == [
            ("created", "a", 3),
            ("bootstrapped", "", 0),
            ("updated", "a", 4),
            ("destroyed", "a", 4),
        ]


@pytest.mark.parametrize(("first", "told"), [("CREATED", "created"), ("DESTROYED", "destroyed")])
def test_one_resource_is_told_and_then_bootstrapped_also_where_it_is_missing(client, script, first, told):
    with client.state.watch(Query(CLUSTER, id="a")) as watch:
        request, feed = script.next()
        assert request.id == "a"
        assert not request.options.bootstrap_contents
        feed.put([event(first, "a", 1, b"1"), event("UPDATED", "a", 2, b"2")])
        assert take(watch, 3) == [(told, "a", 1), ("bootstrapped", "", 0), ("updated", "a", 2)]


def test_several_queries_come_in_one_stream_and_each_event_names_its_query(client, script):
    queries = [Query(CLUSTER), Query(CLUSTER_STATUS, id="a")]
    with client.state.watch(*queries) as watch:
        feeds = {}
        for _ in queries:
            request, feed = script.next()
            feeds[request.type] = feed
        feeds["ClusterStatuses.omni.sidero.dev"].put([event("DESTROYED", "a")])
        assert watch.next(WITHIN).query is queries[1]
        assert watch.next(WITHIN).query is queries[1]
        feeds["Clusters.omni.sidero.dev"].put([event("BOOTSTRAPPED")])
        assert watch.next(WITHIN).query is queries[0]


@pytest.mark.parametrize(
    "end",
    [
        (grpc.StatusCode.UNAVAILABLE, "restarting"),
        (grpc.StatusCode.UNKNOWN, "Stream removed"),
        (grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2"),
        (grpc.StatusCode.CANCELLED, "cancelled by the server"),
        END,
    ],
)
def test_a_broken_stream_goes_on_where_it_was_with_a_fresh_signature(server, client, script, end):
    with client.state.watch(Query(CLUSTER)) as watch:
        _, feed = script.next()
        feed.put([event("CREATED", "a", 1), event("BOOTSTRAPPED", bookmark=b"1"), event("UPDATED", "a", 2, b"2")])
        take(watch, 3)
        broken_at = int(time.time())
        feed.put(end)
        request, feed = script.next()
        assert request.options.start_from_bookmark == b"2"
        assert not request.options.bootstrap_contents
        feed.put([event("UPDATED", "a", 3, b"3")])
        assert take(watch, 1) == [("updated", "a", 3)]
    assert int(server.received[1].metadata["x-sidero-timestamp"]) >= broken_at


def test_a_stream_that_breaks_before_it_was_told_everything_starts_over(client, script):
    with client.state.watch(Query(CLUSTER)) as watch:
        _, feed = script.next()
        feed.put([event("CREATED", "a", 1)])
        take(watch, 1)
        feed.put((grpc.StatusCode.UNAVAILABLE, "restarting"))
        request, feed = script.next()
        assert request.options.bootstrap_contents
        feed.put([event("CREATED", "b", 1), event("BOOTSTRAPPED", bookmark=b"1")])
        assert take(watch, 3) == [("resync", "", 0), ("created", "b", 1), ("bootstrapped", "", 0)]


def test_a_bookmark_that_omni_has_forgotten_starts_over(client, script):
    with client.state.watch(Query(CLUSTER)) as watch:
        _, feed = script.next()
        feed.put([event("CREATED", "a", 1), event("BOOTSTRAPPED", bookmark=b"1")])
        take(watch, 2)
        feed.put((grpc.StatusCode.UNAVAILABLE, "restarting"))
        _, feed = script.opened.get(timeout=WITHIN)
        feed.put((grpc.StatusCode.FAILED_PRECONDITION, "failed to watchKind: invalid bookmark"))
        request, feed = script.next()
        assert request.options.bootstrap_contents
        assert not request.options.HasField("start_from_bookmark")
        feed.put([event("BOOTSTRAPPED", bookmark=b"9")])
        assert take(watch, 2) == [("resync", "", 0), ("bootstrapped", "", 0)]


def test_one_resource_starts_over_too(client, script):
    with client.state.watch(Query(CLUSTER, id="a")) as watch:
        _, feed = script.next()
        feed.put([event("CREATED", "a", 1)])
        take(watch, 2)
        feed.put(END)
        request, feed = script.next()
        assert (request.id, request.options.bootstrap_contents) == ("a", False)
        feed.put([event("DESTROYED", "a")])
        assert take(watch, 3) == [("resync", "", 0), ("destroyed", "a", 0), ("bootstrapped", "", 0)]


def test_an_overrun_starts_over(client, script):
    with client.state.watch(Query(CLUSTER)) as watch:
        _, feed = script.next()
        feed.put([event("BOOTSTRAPPED", bookmark=b"1"), event("ERRORED", error="buffer overrun")])
        request, feed = script.next()
        assert request.options.bootstrap_contents
        feed.put([event("BOOTSTRAPPED", bookmark=b"5")])
        assert take(watch, 3) == [("bootstrapped", "", 0), ("resync", "", 0), ("bootstrapped", "", 0)]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, AuthenticationError),
        (grpc.StatusCode.PERMISSION_DENIED, PermissionDeniedError),
        (grpc.StatusCode.UNIMPLEMENTED, UnsupportedError),
        (grpc.StatusCode.FAILED_PRECONDITION, OmniError),
        (grpc.StatusCode.INVALID_ARGUMENT, OmniError),
    ],
)
def test_a_watch_that_omni_does_not_allow_raises_once_and_is_over(server, client, code, kind):
    server.on["Watch"] = lambda request, context: context.abort(code, "no")
    watch = client.state.watch(Query(CLUSTER))
    with pytest.raises(kind, match=r"Clusters\.omni\.sidero\.dev\(default/\*\)|automation"):
        watch.next(timeout=WITHIN)
    assert watch.next(timeout=WITHIN) is None


def test_a_type_that_an_older_omni_does_not_have_is_reported_as_lost(server, client):
    server.on["Watch"] = lambda request, context: context.abort(grpc.StatusCode.PERMISSION_DENIED, "no access")
    with client.state.watch(Query(CLUSTER, late=True)) as watch:
        assert [watch.next(timeout=WITHIN).kind for _ in range(2)] == ["resync", "bootstrapped"]
        assert watch.trouble is None


def test_a_server_that_answers_only_errors_is_given_up_soon(server, client):
    server.on["Watch"] = lambda request, context: context.abort(grpc.StatusCode.UNKNOWN, "odd")
    with pytest.raises(OmniError, match="odd"), client.state.watch(Query(CLUSTER)) as watch:
        watch.next(timeout=WITHIN)
    assert len(server.received) == 6


def test_a_watch_lives_through_a_restart_of_the_server(start_server, key_text):
    server = start_server()
    script = Script(server)
    client = Client(Connection(server.endpoint, key_text))
    with client.state.watch(Query(CLUSTER)) as watch:
        _, feed = script.next()
        feed.put([event("BOOTSTRAPPED", bookmark=b"1")])
        take(watch, 1)
        assert watch.trouble is None
        server.stop()
        wait_until(lambda: watch.trouble is not None)
        assert isinstance(watch.trouble, UnreachableError)
        script = Script(start_server(port=server.port))
        request, feed = script.next()
        assert request.options.start_from_bookmark == b"1"
        feed.put([event("UPDATED", "a", 2, b"2")])
        assert take(watch, 1) == [("updated", "a", 2)]
        assert watch.trouble is None
    client.close()


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_server_that_stays_away_is_given_up_when_the_patience_ends(server, client):
    channel = client._channel
    server.on["Watch"] = lambda request, context: context.abort(grpc.StatusCode.UNAVAILABLE, "away")
    with pytest.raises(UnreachableError, match="cannot connect"):
        Watch(channel, [Query(CLUSTER)], patience=0.2).next(timeout=WITHIN)
    assert len(server.received) > 2


def test_the_patience_begins_anew_with_every_break(client, script):
    with Watch(client._channel, [Query(CLUSTER)], patience=2.0) as watch:
        _, feed = script.next()
        feed.put([event("BOOTSTRAPPED", bookmark=b"1")])
        take(watch, 1)
        assert watch.next(timeout=2.1) is None  # connected, and quiet for longer than the patience
        feed.put((grpc.StatusCode.UNAVAILABLE, "restarting"))
        _, feed = script.next()
        feed.put([event("UPDATED", "a", 2, b"2")])
        assert take(watch, 1) == [("updated", "a", 2)]


def test_nothing_within_the_timeout_is_none(client, script):
    with client.state.watch(Query(CLUSTER)) as watch:
        assert watch.next(timeout=0) is None
        assert watch.next(timeout=0.01) is None


def in_thread(watch: Watch) -> tuple[threading.Thread, list[Any]]:
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(watch.next()))
    thread.start()
    return thread, got


def test_closing_from_another_thread_ends_the_wait_and_the_stream(client, script):
    watch = client.state.watch(Query(CLUSTER))
    script.next()
    thread, got = in_thread(watch)
    watch.close()
    thread.join(WITHIN)
    assert got == [None]
    assert script.ended.wait(WITHIN)
    assert watch.next() is None


def test_setting_the_event_ends_the_wait(client, script):
    cancelled = threading.Event()
    with client.state.watch(Query(CLUSTER), cancelled=cancelled) as watch:
        script.next()
        thread, got = in_thread(watch)
        cancelled.set()
        thread.join(WITHIN)
        assert got == [None]


def test_closing_while_reconnecting_leaves_no_thread_behind(server, client):
    server.on["Watch"] = lambda request, context: context.abort(grpc.StatusCode.UNAVAILABLE, "away")
    watch = client.state.watch(Query(CLUSTER))
    wait_until(lambda: watch.trouble)
    watch.close()
    name = "watch Clusters.omni.sidero.dev(default/*)"
    wait_until(lambda: name not in {thread.name for thread in threading.enumerate()})


def test_closing_the_client_ends_its_watches(client, script):
    watch = client.state.watch(Query(CLUSTER))
    script.next()
    client.close()
    with pytest.raises(OmniError, match="is closed"):
        watch.next(timeout=WITHIN)
