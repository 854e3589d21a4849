"""The server as a whole: TLS, slow and broken links, many calls at once, several servers, and how it ends."""

from __future__ import annotations

import base64
import json
import logging
import random
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from ksail_pulumi.omni.api import resource_pb2, specs_pb2, state_pb2
from ksail_pulumi.omni.resources import CONFIG_PATCH, MACHINE_STATUS, SYS_VERSION, TALOS_VERSION
from ksail_pulumi.simulator.faults import Faults, Write
from ksail_pulumi.simulator.server import Simulator
from ksail_pulumi.simulator.store import StoreError

VERSION = state_pb2.GetRequest(namespace="ephemeral", type=SYS_VERSION.name, id="current")
PATCH = specs_pb2.ConfigPatchSpec(data="machine: {sysctls: {a: b}}\n").SerializeToString()


def patch(name: str, spec: bytes = PATCH) -> state_pb2.CreateRequest:
    metadata = resource_pb2.Metadata(
        namespace="default", type=CONFIG_PATCH.name, id=name, version="undefined", phase="running"
    )
    return state_pb2.CreateRequest(
        resource=resource_pb2.Resource(metadata=metadata, spec=resource_pb2.Spec(proto_spec=spec))
    )


def create_many(caller: Any, count: int) -> float:
    """How many seconds it takes to create patches, all sent at once."""
    started = time.monotonic()
    metadata = caller.metadata("/cosi.resource.State/Create")
    calls = [caller.state.Create.future(patch(f"p{number}"), metadata=metadata) for number in range(count)]
    for call in calls:
        call.result()
    return time.monotonic() - started


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", str(key), "-out", str(certificate), "-days", "1", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def test_tls_takes_a_certificate(certificate: tuple[Path, Path], make_caller: Callable[..., Any]) -> None:
    with Simulator(machines=0, speed="manual", certificate=certificate) as omni:
        assert omni.endpoint.startswith("https://localhost:")
        trust = grpc.ssl_channel_credentials(Path(omni.ca_file).read_bytes())
        caller = make_caller(omni.endpoint, omni.service_account_key, trust)
        assert caller.call("Get", VERSION).resource.metadata.id == "current"


def test_plain_text_is_not_understood_over_tls(certificate: tuple[Path, Path], make_caller: Callable[..., Any]) -> None:
    with Simulator(machines=0, speed="manual", certificate=certificate) as omni:
        with pytest.raises(grpc.RpcError) as raised:
            make_caller(omni.endpoint, omni.service_account_key).call("Get", VERSION)
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_slow_link_delays_each_call_and_no_two_one_after_the_other(still: Simulator, caller: Any) -> None:
    caller.call("Get", VERSION)
    still.faults.round_trip = 0.5
    took = create_many(caller, 100)
    assert 0.5 <= took < 100 * 0.5 / 2  # one after the other they take 50 s


@pytest.mark.parametrize("refused", [False, True])
def test_a_slow_link_delays_answers_of_all_kinds(still: Simulator, caller: Any, refused: bool) -> None:
    caller.call("Get", VERSION)
    still.faults.round_trip = 0.2
    name = "Nopes" if refused else TALOS_VERSION.name
    for request, method in (
        (state_pb2.ListRequest(namespace="default", type=name), "List"),
        (state_pb2.WatchRequest(namespace="default", type=name), "Watch"),
    ):
        started = time.monotonic()
        stream = caller.stream(method, request)
        try:
            next(stream)
        except grpc.RpcError:
            assert refused
        assert time.monotonic() - started >= 0.2


def test_unavailable_answers_are_counted_down(still: Simulator, caller: Any) -> None:
    still.faults.unavailable = 2
    for _ in range(2):
        with pytest.raises(grpc.RpcError) as raised:
            caller.call("Get", VERSION)
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    caller.call("Get", VERSION)
    assert still.faults.unavailable == 0


def test_a_write_can_be_seen_before_and_after_it_is_made_and_kept_from_being_made(
    still: Simulator, caller: Any
) -> None:
    seen = []

    def look(moment: str, write: Write) -> None:
        found = still.store.find(CONFIG_PATCH, write.id)
        seen.append((moment, write.verb, write.id, found and found.version))
        if (moment, write.verb) == ("before", "Teardown"):
            raise StoreError(grpc.StatusCode.ABORTED, "not now")

    still.faults.on_write(look)
    made = caller.call("Create", patch("p")).resource
    caller.call("Update", state_pb2.UpdateRequest(new_resource=made))
    with pytest.raises(grpc.RpcError) as refused:
        caller.call("Create", patch("p"))
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS
    request = {"namespace": "default", "type": CONFIG_PATCH.name, "id": "p"}
    with pytest.raises(grpc.RpcError) as refused:
        caller.call("Teardown", state_pb2.TeardownRequest(**request))
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.ABORTED, "not now")
    caller.call("Get", state_pb2.GetRequest(**request))
    assert not still.store.get(CONFIG_PATCH.name, "default", "p").tearing_down
    assert seen == [
        ("before", "Create", "p", None),
        ("after", "Create", "p", 1),
        ("before", "Update", "p", 1),
        ("after", "Update", "p", 2),
        ("before", "Create", "p", 2),
        ("before", "Teardown", "p", 2),
    ]


def test_two_thousand_calls_at_once_are_all_answered(still: Simulator, caller: Any) -> None:
    create_many(caller, 2000)
    listed = caller.stream("List", state_pb2.ListRequest(namespace="default", type=CONFIG_PATCH.name))
    assert len(list(listed)) == 2000


def test_messages_of_many_megabytes_are_taken(caller: Any) -> None:
    data = "debug: true\n" + "# long\n" * 1_000_000
    caller.call("Create", patch("large", specs_pb2.ConfigPatchSpec(data=data).SerializeToString()))


def test_a_resource_that_is_too_large_for_etcd_is_refused_when_it_is_written(caller: Any) -> None:
    data = f"# {base64.b64encode(random.Random(1).randbytes(3_825_000)).decode()}\n"
    spec = specs_pb2.ConfigPatchSpec(data=f"{data}debug: true\n").SerializeToString()
    made = caller.call("Create", patch("small")).resource
    made.spec.proto_spec = spec
    for method, request in (
        ("Create", patch("large", spec)),
        ("Update", state_pb2.UpdateRequest(new_resource=made)),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            caller.call(method, request)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert re.fullmatch(r"trying to send message larger than max \(38\d{5} vs\. 2097152\)", refused.value.details())


def test_fields_of_a_newer_omni_survive(caller: Any) -> None:
    newer = PATCH + b"\xd2\x3e\x03new"  # field 1002, length-delimited
    caller.call("Create", patch("newer", newer))
    request = state_pb2.GetRequest(namespace="default", type=CONFIG_PATCH.name, id="newer")
    assert caller.call("Get", request).resource.spec.proto_spec == newer


def test_destroying_waits_for_finalizers(still: Simulator, caller: Any) -> None:
    wish = patch("held")
    wish.resource.metadata.finalizers.append("x")
    caller.call("Create", wish)
    torn_down = threading.Event()
    still.store.subscribe(lambda event: torn_down.set() if event.resource.tearing_down else None)
    request = state_pb2.TeardownAndDestroyRequest(namespace="default", type=CONFIG_PATCH.name, id="held")
    metadata = caller.metadata("/cosi.resource.State/TeardownAndDestroy")
    call = caller.state.TeardownAndDestroy.future(request, metadata=metadata, timeout=60)
    assert torn_down.wait(60)
    assert not call.done()
    still.store.edit(CONFIG_PATCH, "held", lambda found: replace(found, finalizers=()))
    call.result()
    assert still.store.find(CONFIG_PATCH, "held") is None


def test_destroying_ends_not_found_where_omni_itself_was_quicker(still: Simulator, caller: Any) -> None:
    wish = patch("held")
    wish.resource.metadata.finalizers.append("x")
    caller.call("Create", wish)

    def take_away(event: Any) -> None:
        if event.resource.tearing_down and event.resource.finalizers:
            still.store.edit(CONFIG_PATCH, "held", lambda found: replace(found, finalizers=()))
            still.store.destroy(CONFIG_PATCH, "held")

    still.store.subscribe(take_away)
    with pytest.raises(grpc.RpcError) as raised:
        caller.call(
            "TeardownAndDestroy",
            state_pb2.TeardownAndDestroyRequest(namespace="default", type=CONFIG_PATCH.name, id="held"),
        )
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    assert raised.value.details() == (
        "failed to destroy: resource ConfigPatches.omni.sidero.dev(default/held@undefined) doesn't exist"
    )


def test_a_port_that_is_taken_is_an_error(still: Simulator) -> None:
    port = int(still.endpoint.rpartition(":")[2])
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
        Simulator(machines=0, speed="manual", port=port).start()


def test_several_simulators_run_beside_each_other(make_caller: Callable[..., Any]) -> None:
    with (
        Simulator(machines=1, speed="manual", seed=1) as first,
        Simulator(machines=2, speed="manual", seed=2, faults=Faults(round_trip=0.01)) as second,
    ):
        request = state_pb2.ListRequest(namespace="default", type=MACHINE_STATUS.name)
        for omni, count in ((first, 1), (second, 2)):
            caller = make_caller(omni.endpoint, omni.service_account_key)
            assert len(list(caller.stream("List", request))) == count
        ids = [{machine.id for machine in omni.machines} for omni in (first, second)]
        assert not ids[0] & ids[1]


def test_stopping_ends_open_calls_and_leaves_nothing_behind(
    make_caller: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    before = set(threading.enumerate())
    with caplog.at_level(logging.DEBUG, logger="grpc"), Simulator(machines=3) as omni:
        caller = make_caller(omni.endpoint, omni.service_account_key)
        streams = [
            caller.stream("Watch", state_pb2.WatchRequest(namespace="default", type=CONFIG_PATCH.name), timeout=None)
            for _ in range(20)
        ]
        for stream in streams:
            next(stream)
        started = time.monotonic()
    assert time.monotonic() - started < 30  # a watch ends by itself never
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("simulator")]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    for stream in streams:
        with pytest.raises((StopIteration, grpc.RpcError)):
            next(stream)


def test_a_stopped_simulator_answers_nothing(make_caller: Callable[..., Any]) -> None:
    with Simulator(machines=0, speed="manual") as omni:
        caller = make_caller(omni.endpoint, omni.service_account_key)
    with pytest.raises(grpc.RpcError) as raised:
        caller.call("Get", VERSION)
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_simulator_is_started_only_once(make_caller: Callable[..., Any]) -> None:
    omni = Simulator(machines=0, speed="manual")
    with omni, pytest.raises(RuntimeError, match="only once"):
        omni.start()
    with pytest.raises(RuntimeError, match="only once"):
        omni.start()
    omni.faults.break_watches()  # reaches nobody any more
    port = int(omni.endpoint.rpartition(":")[2])
    with Simulator(machines=0, speed="manual", port=port) as next_one:
        assert make_caller(next_one.endpoint, next_one.service_account_key).call("Get", VERSION)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_there_is_not_is_an_error(port: int) -> None:
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: there is no such port"):
        Simulator(machines=0, speed="manual", port=port).start()


def test_no_secret_is_shown(still: Simulator, caller: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        caller.call("Get", VERSION)
        with pytest.raises(grpc.RpcError):
            caller.call("Get", state_pb2.GetRequest(namespace="default", type="Nopes", id="a"))
    shown = caplog.text + repr(still._verifier._accounts) + repr(vars(still._services))
    secret = json.loads(base64.b64decode(still.service_account_key))["pgp_key"]
    assert still.service_account_key not in shown
    assert "PRIVATE KEY" not in shown
    assert secret[200:260] not in shown


@pytest.mark.parametrize("op", ["EQUAL", "LT", "LTE_NUMERIC"])
def test_a_label_query_without_a_value_is_invalid(caller: Any, op: str) -> None:
    request = state_pb2.ListRequest(namespace="default", type=CONFIG_PATCH.name)
    request.options.label_query.add().terms.add(key="w", op=op)
    with pytest.raises(grpc.RpcError) as raised:
        list(caller.stream("List", request))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_write_without_a_resource_is_invalid(caller: Any) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        caller.call("Create", state_pb2.CreateRequest())
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
