from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import grpc
import pytest

from ksail_pulumi.errors import (
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    RefusedError,
    UnreachableError,
    UnsupportedError,
)
from ksail_pulumi.omni.api import resource_pb2, specs_pb2, state_pb2
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import Client
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CONFIG_PATCH,
    MACHINE_SET_NODE,
    MACHINE_STATUS,
    RUNNING,
    TEARING_DOWN,
    Resource,
    from_wire,
    to_wire,
)


def cluster(name: str = "prod", **metadata: Any) -> Resource:
    return Resource(CLUSTER, name, specs_pb2.ClusterSpec(talos_version="1.13.8"), **metadata)


def stored(resource: Resource, version: int) -> resource_pb2.Resource:
    return to_wire(replace(resource, version=version))


class Cell:
    """One resource with a version, as a server of State would keep it."""

    def __init__(self, server: Any, resource: Resource) -> None:
        self.resource = replace(resource, version=1)
        self.before_update: Callable[[], None] = lambda: None
        server.on["Get"] = lambda request, context: state_pb2.GetResponse(resource=to_wire(self.resource))
        server.on["Update"] = self.update

    def write(self, **changes: Any) -> None:
        self.resource = replace(self.resource, version=self.resource.version + 1, **changes)

    def update(self, request: state_pb2.UpdateRequest, context: grpc.ServicerContext) -> state_pb2.UpdateResponse:
        self.before_update()
        desired = from_wire(request.new_resource)
        if desired.version != self.resource.version:
            context.abort(
                grpc.StatusCode.FAILED_PRECONDITION, r"update conflict: expected version '\x01', actual version '\t'"
            )
        if request.options.expected_phase != self.resource.phase:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "resource is not in phase running")
        self.write(labels=desired.labels, finalizers=desired.finalizers, spec=desired.spec, phase=desired.phase)
        return state_pb2.UpdateResponse(resource=to_wire(self.resource))


def test_a_create_sends_a_new_resource_and_gives_the_stored_one(server, client):
    server.on["Create"] = lambda request, context: state_pb2.CreateResponse(
        resource=stored(from_wire(request.resource), 1)
    )
    created = client.state.create(cluster(labels={"a": "b"}))
    assert created == cluster(labels={"a": "b"}, version=1)
    [received] = server.received
    metadata = received.request.resource.metadata
    assert (metadata.version, metadata.phase, metadata.owner) == ("undefined", "running", "")


def test_every_call_is_signed_for_its_own_method(server, client):
    for method in ("Update", "Create"):
        server.on[method] = lambda request, context: context.abort(grpc.StatusCode.NOT_FOUND, "none")
    for call in (client.state.start_update(cluster()), client.state.start_create(cluster())):
        with pytest.raises(NotFoundError):
            call.result()
    for received in server.received:
        assert f'"method":"/cosi.resource.State/{received.method}"' in received.metadata["x-sidero-payload"]
        assert received.metadata["x-sidero-signature"].startswith(f"siderov1 automation {client.key.fingerprint} ")


def test_find_gives_none_where_get_raises(server, client):
    server.on["Get"] = lambda request, context: context.abort(grpc.StatusCode.NOT_FOUND, "resource doesn't exist")
    assert client.state.find(CLUSTER, "prod") is None
    with pytest.raises(NotFoundError):
        client.state.get(CLUSTER, "prod")


def test_find_hides_no_other_failure(server, client):
    server.on["Get"] = lambda request, context: context.abort(grpc.StatusCode.PERMISSION_DENIED, "no access")
    with pytest.raises(PermissionDeniedError):
        client.state.find(CLUSTER, "prod")


def test_a_list_asks_for_labels_with_terms_that_every_omni_knows(server, client):
    server.on["List"] = lambda request, context: [
        state_pb2.ListResponse(resource=stored(cluster(name), 3)) for name in ("a", "b")
    ]
    assert [found.id for found in client.state.list(CLUSTER, {"team": "x", "seen": None})] == ["a", "b"]
    assert client.state.list(CLUSTER)[0].version == 3
    [query] = server.received[0].request.options.label_query
    terms = [(term.key, term.op, list(term.value)) for term in query.terms]
    assert terms == [("team", resource_pb2.LabelTerm.EQUAL, ["x"]), ("seen", resource_pb2.LabelTerm.EXISTS, [])]
    assert not server.received[1].request.options.label_query


def test_a_list_that_breaks_off_is_an_error_and_not_a_short_list(server, client):
    def break_off(request: Any, context: grpc.ServicerContext) -> Any:
        yield state_pb2.ListResponse(resource=stored(cluster(), 1))
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "no more")

    server.on["List"] = break_off
    with pytest.raises(PermissionDeniedError):
        client.state.list(CLUSTER)


def test_a_list_that_breaks_after_its_first_message_is_read_again(server, client):
    breaks = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL]

    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        yield state_pb2.ListResponse(resource=stored(cluster("a"), 1))
        if breaks:
            context.abort(breaks.pop(), "the connection broke")
        yield state_pb2.ListResponse(resource=stored(cluster("b"), 1))

    server.on["List"] = answer
    assert [found.id for found in client.state.list(CLUSTER)] == ["a", "b"]
    assert len(server.received) == 3


def test_a_list_that_always_breaks_ends(server, client):
    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        yield state_pb2.ListResponse(resource=stored(cluster("a"), 1))
        context.abort(grpc.StatusCode.UNAVAILABLE, "the connection broke")

    server.on["List"] = answer
    with pytest.raises(UnreachableError, match="the connection broke"):
        client.state.list(CLUSTER)
    assert len(server.received) == 5


def created(*names: str) -> state_pb2.WatchResponse:
    nodes = [Resource(MACHINE_SET_NODE, name, specs_pb2.MachineSetNodeSpec()) for name in names]
    events = [state_pb2.Event(resource=stored(node, 1), event_type=state_pb2.CREATED) for node in nodes]
    return state_pb2.WatchResponse(event=events)


def marker(kind: state_pb2.EventType.ValueType, error: str | None = None) -> state_pb2.WatchResponse:
    return state_pb2.WatchResponse(event=[state_pb2.Event(event_type=kind, error=error)])


def test_a_list_of_a_small_type_is_the_beginning_of_an_aggregated_watch(server, client):
    ended = threading.Event()

    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        context.add_callback(ended.set)
        yield state_pb2.WatchResponse()
        yield created("b", "c")
        yield created("a")
        yield marker(state_pb2.BOOTSTRAPPED)
        yield created("later")
        ended.wait(60)

    server.on["Watch"] = answer
    found = client.state.start_list(MACHINE_SET_NODE, {"team": "x"}, without=["seen"], ids=["a", "b", "c.d"]).result()
    assert [each.id for each in found] == ["a", "b", "c"]
    assert ended.wait(60)  # the client ends the watch
    [received] = server.received
    options = received.request.options
    assert (options.bootstrap_contents, options.aggregated, received.request.api_version) == (True, True, 1)
    assert [term.key for query in options.label_query for term in query.terms] == ["team", "seen"]
    assert options.id_query.regexp == r"^(?:a|b|c\.d)$"


@pytest.mark.parametrize(
    ("kind", "ids", "rpc"),
    [
        (MACHINE_SET_NODE, None, "Watch"),
        (MACHINE_STATUS, 512, "Watch"),
        (MACHINE_STATUS, 513, "List"),
        (MACHINE_STATUS, None, "List"),
        (CLUSTER, 2, "List"),  # all that others write would come until the list is read
    ],
)
def test_a_list_comes_in_few_messages_where_those_stay_small(server, client, kind, ids, rpc):
    server.on["Watch"] = lambda request, context: [marker(state_pb2.BOOTSTRAPPED)]
    server.on["List"] = lambda request, context: []
    assert client.state.start_list(kind, ids=ids and [str(number) for number in range(ids)]).result() == []
    assert [received.method for received in server.received] == [rpc]


@pytest.mark.parametrize(
    ("end", "text"),
    [
        ([], "Omni ended the list before its end"),
        ([marker(state_pb2.ERRORED, "buffer overrun")], "Omni ended the list: buffer overrun"),
    ],
)
def test_a_watch_that_ends_before_all_is_said_is_an_error_and_not_a_short_list(server, client, end, text):
    server.on["Watch"] = lambda request, context: [state_pb2.WatchResponse(), created("a"), *end]
    with pytest.raises(UnreachableError, match=text):
        client.state.list(MACHINE_SET_NODE)


@pytest.mark.parametrize("messages", [0, 1, 2])
def test_a_list_in_one_message_that_breaks_is_read_again(server, client, messages):
    """Before the first message too: gRPC does not send a watch again."""
    breaks = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE]

    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        if breaks:
            yield from [state_pb2.WatchResponse(), created("a")][:messages]
            context.abort(breaks.pop(), "the connection broke")
        yield created("a", "b")
        yield marker(state_pb2.BOOTSTRAPPED)

    server.on["Watch"] = answer
    assert [found.id for found in client.state.list(MACHINE_SET_NODE)] == ["a", "b"]
    assert len(server.received) == 3


def test_an_update_expects_the_phase_running_and_the_version_that_was_read(server, client):
    Cell(server, cluster())
    updated = client.state.update(replace(client.state.get(CLUSTER, "prod"), labels={"a": "b"}))
    assert (updated.version, updated.labels) == (2, {"a": "b"})
    assert server.received[-1].request.options.expected_phase == RUNNING
    with pytest.raises(ConflictError):
        client.state.update(replace(updated, version=1))


def test_a_modify_begins_again_where_somebody_else_was_faster(server, client):
    cell = Cell(server, cluster(finalizers=("theirs",)))
    rivals = iter([{"labels": {"one": ""}}, {"labels": {"one": "", "two": ""}}])

    def rival() -> None:
        if change := next(rivals, None):
            cell.write(**change)

    cell.before_update = rival
    modified = client.state.modify(
        CLUSTER, "prod", lambda found: replace(found, labels={**found.labels, "mine": ""}, finalizers=())
    )
    assert modified.labels == {"one": "", "two": "", "mine": ""}
    assert modified.finalizers == ("theirs",)
    assert [received.method for received in server.received] == ["Get", "Update"] * 3


def test_a_modify_gives_up_when_it_never_gets_a_turn(server, client, monkeypatch):
    monkeypatch.setattr("ksail_pulumi.omni.state._MODIFY_ATTEMPTS", 3)
    cell = Cell(server, cluster())
    cell.before_update = cell.write
    shown = r"version 1, actual version 9\. Others changed it during each of 3 attempts: run the command again$"
    with pytest.raises(ConflictError, match=shown):
        client.state.modify(CLUSTER, "prod", lambda found: replace(found, labels={"mine": ""}))
    assert [received.method for received in server.received].count("Update") == 3


def test_a_modify_that_changes_nothing_writes_nothing(server, client):
    Cell(server, cluster())
    assert client.state.modify(CLUSTER, "prod", lambda found: found).version == 1
    assert [received.method for received in server.received] == ["Get"]


def test_a_modify_does_not_repeat_what_was_refused(server, client):
    Cell(server, cluster(phase=TEARING_DOWN))
    with pytest.raises(RefusedError):
        client.state.modify(CLUSTER, "prod", lambda found: replace(found, labels={"mine": ""}))
    assert [received.method for received in server.received] == ["Get", "Update"]


def test_fields_that_this_client_does_not_know_survive_a_modify(server, client):
    spec = specs_pb2.ClusterSpec(talos_version="1.13.8")
    spec.MergeFromString(b"\xfa\x3f\x03new")
    cell = Cell(server, replace(cluster(), spec=spec))

    def upgrade(found: Resource) -> Resource:
        changed = specs_pb2.ClusterSpec()
        changed.CopyFrom(found.spec)
        changed.talos_version = "1.13.9"
        return replace(found, spec=changed)

    client.state.modify(CLUSTER, "prod", upgrade)
    assert cell.resource.spec.talos_version == "1.13.9"
    assert b"\xfa\x3f\x03new" in cell.resource.spec.SerializeToString()


def test_a_teardown_tells_whether_anything_holds_the_resource(server, client):
    server.on["Teardown"] = lambda request, context: state_pb2.TeardownResponse(destroy_ready=request.id == "free")
    assert client.state.teardown(CLUSTER, "free") is True
    assert client.state.teardown(CLUSTER, "held") is False


@pytest.mark.parametrize(("finalizers", "ready"), [((), True), (("theirs",), False)])
def test_an_omni_without_teardown_has_the_phase_set_instead(server, client, finalizers, ready):
    cell = Cell(server, cluster(finalizers=finalizers))
    assert client.state.teardown(CLUSTER, "prod") is ready
    assert (cell.resource.phase, cell.resource.finalizers) == (TEARING_DOWN, finalizers)
    assert client.state.teardown(CLUSTER, "prod") is ready
    methods = [received.method for received in server.received]
    assert methods == ["Teardown", "Get", "Update", "Teardown", "Get"]


def test_a_destroy_of_what_is_held_is_a_conflict(server, client):
    details = "failed to destroy: resource ConfigPatches.omni.sidero.dev(default/p@1) has pending finalizers &[x]"
    server.on["Destroy"] = lambda request, context: context.abort(grpc.StatusCode.FAILED_PRECONDITION, details)
    with pytest.raises(
        ConflictError, match=r"cannot destroy ConfigPatches\.omni\.sidero\.dev\(default/p\): resource .* has pending"
    ):
        client.state.destroy(CONFIG_PATCH, "p")


def test_a_destroy_gives_nothing(server, client):
    server.on["Destroy"] = lambda request, context: state_pb2.DestroyResponse()
    assert client.state.destroy(CONFIG_PATCH, "p") is None
    [received] = server.received
    assert (received.request.namespace, received.request.type, received.request.id) == (
        "default",
        "ConfigPatches.omni.sidero.dev",
        "p",
    )


def test_a_call_that_omni_does_not_know_is_unsupported(client):
    with pytest.raises(UnsupportedError, match="this version of Omni cannot destroy"):
        client.state.destroy(CLUSTER, "prod")


def test_an_omni_that_is_away_for_a_moment_is_asked_again(server, client):
    answers = iter([grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND])
    server.on["Get"] = lambda request, context: context.abort(next(answers), "away")
    with pytest.raises(NotFoundError):
        client.state.get(CLUSTER, "prod")
    assert len(server.received) == 3


def test_started_calls_are_under_way_together(start_server, key_text):
    server = start_server(workers=100)
    together = threading.Barrier(100, timeout=60)

    def create(request: state_pb2.CreateRequest, context: grpc.ServicerContext) -> state_pb2.CreateResponse:
        together.wait()  # passes only when 100 calls are in the server at the same time
        return state_pb2.CreateResponse(resource=stored(from_wire(request.resource), 1))

    server.on["Create"] = create
    client = Client(Connection(server.endpoint, key_text))
    calls = [client.state.start_create(cluster(f"c{number}")) for number in range(300)]
    assert [call.result().id for call in calls] == [f"c{number}" for number in range(300)]
    client.close()


def test_a_started_call_is_sent_without_asking_for_its_result(server, client):
    arrived = threading.Event()

    def listing(request: Any, context: grpc.ServicerContext) -> Any:
        arrived.set()
        return [state_pb2.ListResponse(resource=stored(cluster(), 1))]

    server.on["List"] = listing
    call = client.state.start_list(CLUSTER)
    assert arrived.wait(60)
    assert len(call.result()) == 1
