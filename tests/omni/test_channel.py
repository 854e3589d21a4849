from __future__ import annotations

import errno
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from ksail_pulumi.errors import NotFoundError, OmniError, RefusedError, SettingsError, UnreachableError
from ksail_pulumi.omni import tls
from ksail_pulumi.omni.api import specs_pb2, state_pb2
from ksail_pulumi.omni.channel import Connection, normalise_endpoint
from ksail_pulumi.omni.client import Client, connect
from ksail_pulumi.omni.resources import CLUSTER, CONFIG_PATCH, Resource, to_wire
from ksail_pulumi.omni.status import STATUS

DATA = Path(__file__).parent / "data" / "tls"
CA = str(DATA / "ca.pem")


@pytest.fixture
def call(key_text: str) -> Callable[..., OmniError]:
    """Reads a cluster at an endpoint, and gives the error."""

    def call(endpoint: str, **options: object) -> OmniError:
        client = Client(Connection(endpoint, key_text, **options))  # type: ignore[arg-type]
        try:
            client.state.get(CLUSTER, "prod")
        except OmniError as error:
            return error
        finally:
            client.close()
        pytest.fail("the call succeeded")

    return call


def not_found(request: state_pb2.GetRequest, context: grpc.ServicerContext) -> None:
    context.abort(grpc.StatusCode.NOT_FOUND, f"resource {request.type} doesn't exist")


def found(request: state_pb2.GetRequest, context: grpc.ServicerContext) -> state_pb2.GetResponse:
    return state_pb2.GetResponse(resource=to_wire(Resource(CLUSTER, request.id, specs_pb2.ClusterSpec(), version=1)))


@pytest.fixture
def start_tls(start_server):
    """Starts a server with one of the certificates in data, and gives its port."""

    def start(name: str) -> int:
        pair = (DATA / f"{name}.key").read_bytes(), (DATA / f"{name}.pem").read_bytes()
        server = start_server(credentials=grpc.ssl_server_credentials([pair]))
        server.on["Get"] = not_found
        return server.port

    return start


@pytest.fixture
def quick_retries(monkeypatch):
    """Gives up after the first try where the failure will stay."""
    monkeypatch.setattr("ksail_pulumi.omni.channel._OPTIONS", (("grpc.enable_retries", 0),))


def test_a_ca_file_is_trusted(start_tls, call):
    assert isinstance(call(f"https://localhost:{start_tls('localhost')}", ca_file=CA), NotFoundError)


def test_the_systems_authorities_are_trusted(start_tls, call, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", CA)
    assert isinstance(call(f"https://localhost:{start_tls('localhost')}"), NotFoundError)


@pytest.mark.usefixtures("quick_retries")
def test_another_authority_is_not_trusted(start_tls, call):
    error = call(f"https://localhost:{start_tls('localhost')}", ca_file=str(DATA / "other-ca.pem"))
    assert isinstance(error, UnreachableError)
    assert "its TLS certificate is not trusted" in str(error)
    assert "OMNI_CA_FILE" in str(error)


@pytest.mark.usefixtures("quick_retries")
def test_a_certificate_for_another_name_is_not_trusted(start_tls, call):
    error = call(f"https://127.0.0.1:{start_tls('wildcard')}", ca_file=CA)
    assert isinstance(error, UnreachableError)
    assert "its TLS certificate is for another host name" in str(error)


@pytest.mark.parametrize("name", ["localhost", "wildcard", "other-ip", "self-signed"])
def test_verification_can_be_left_out_explicitly(start_tls, call, name):
    error = call(f"https://127.0.0.1:{start_tls(name)}", insecure_skip_tls_verify=True)
    assert isinstance(error, NotFoundError)


def test_without_verification_an_expired_certificate_is_explained(start_tls, call):
    error = call(f"https://127.0.0.1:{start_tls('expired')}", insecure_skip_tls_verify=True)
    assert isinstance(error, UnreachableError)
    assert "certificate has expired" in str(error)


def test_without_verification_a_server_that_is_not_there_is_explained(call, free_port):
    error = call(f"https://127.0.0.1:{free_port}", insecure_skip_tls_verify=True)
    assert isinstance(error, UnreachableError)
    assert "its certificate could not be fetched (insecureSkipTlsVerify is set)" in str(error)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing.pem", "cannot be read: No such file or directory"),
        ("", "cannot be read: Is a directory"),
        ("../state_get.json", "contains no PEM certificate"),
        ("../state_get.sig", "contains no PEM certificate"),
        ("localhost.key", "contains no PEM certificate"),
    ],
)
def test_a_ca_file_that_cannot_be_used_is_a_settings_error(key_text, path, reason):
    with pytest.raises(SettingsError, match=reason):
        Client(Connection("https://omni.example", key_text, ca_file=str(DATA / path)))


def test_the_systems_authorities_are_found():
    roots = tls.system_roots()
    if roots is None:
        pytest.skip("this system has no authorities")
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=roots.decode())


def test_a_file_of_the_systems_authorities_that_cannot_be_read_is_a_settings_error(key_text, monkeypatch):
    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setenv("SSL_CERT_FILE", CA)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(SettingsError, match=r"authorities '.*ca\.pem' cannot be read: Permission denied"):
        Client(Connection("https://omni.example", key_text))


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.usefixtures("quick_retries")
def test_a_refused_connection_is_explained(call, free_port):
    error = call(f"grpc://127.0.0.1:{free_port}")
    assert isinstance(error, UnreachableError)
    assert str(error) == (
        f"cannot connect to Omni at grpc://127.0.0.1:{free_port} to read Clusters.omni.sidero.dev(default/prod): "
        f"the connection was refused. Check that Omni runs there and listens on port {free_port}."
    )


@pytest.mark.usefixtures("quick_retries")
def test_an_unknown_host_name_is_explained(call, monkeypatch):
    for name in ("https_proxy", "HTTPS_PROXY", "grpc_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    error = call("https://nothing.invalid")
    assert isinstance(error, UnreachableError)
    assert "the host name nothing.invalid is not known" in str(error)
    assert "Is https://nothing.invalid:443 the right URL" in str(error)


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_tls_where_the_server_has_none_is_explained(call, server, host):
    error = call(f"https://{host}:{server.port}")
    assert isinstance(error, UnreachableError)
    assert "it does not use TLS" in str(error)
    assert f"http://{host}:{server.port}" in str(error)


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_plain_text_where_the_server_has_tls_is_explained(call, start_tls, host):
    error = call(f"http://{host}:{start_tls('localhost')}")
    assert isinstance(error, UnreachableError)
    assert f"If it uses TLS, use https://{host}:" in str(error)


@pytest.mark.parametrize(
    ("certificate", "scheme", "trust", "reason"),
    [
        ("localhost", "https", "ca", ""),
        ("localhost", "https", "other-ca", "CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate"),
        ("wildcard", "https", "ca", "Hostname Verification"),
        ("localhost", "https", "", ""),
        ("localhost", "http", "", "Socket closed"),
    ],
)
def test_a_host_of_which_only_another_address_answers_is_looked_at_once_more(
    start_tls, certificate, scheme, trust, reason
):
    endpoint = normalise_endpoint(f"{scheme}://localhost:{start_tls(certificate)}")
    trusted = tls.Trust((DATA / f"{trust}.pem").read_bytes()) if trust else None
    assert tls.look_closer(endpoint, trusted, 3.0) == reason


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_where_nobody_listens_a_closer_look_finds_that(free_port, scheme):
    endpoint = normalise_endpoint(f"{scheme}://localhost:{free_port}")
    assert tls.look_closer(endpoint, tls.Trust(None), 3.0) == "Connection refused"


@pytest.mark.parametrize("scheme", ["grpc", "https"])
def test_where_nobody_listens_calls_end_soon(key_text, free_port, scheme):
    client = Client(Connection(f"{scheme}://127.0.0.1:{free_port}", key_text))
    began = time.monotonic()
    for _ in range(20):  # gRPC's own retries would take six seconds for each
        with pytest.raises(UnreachableError, match="the connection was refused"):
            client.state.get(CLUSTER, "prod")
    client.close()
    assert time.monotonic() - began < 5


def test_a_server_that_comes_up_after_a_first_failure_is_found(key_text, free_port, start_server):
    client = Client(Connection(f"grpc://127.0.0.1:{free_port}", key_text))
    with pytest.raises(UnreachableError):
        client.state.get(CLUSTER, "prod")
    start_server(port=free_port).on["Get"] = found
    assert client.state.get(CLUSTER, "prod").id == "prod"
    client.close()


def test_many_threads_that_call_at_once_share_the_first_connection(key_text, free_port):
    client = Client(Connection(f"grpc://127.0.0.1:{free_port}", key_text))
    began = time.monotonic()

    def ask(_: int) -> str:
        with pytest.raises(UnreachableError) as raised:
            client.state.get(CLUSTER, "prod")
        return str(raised.value)

    with ThreadPoolExecutor(8) as pool:
        texts = set(pool.map(ask, range(8)))
    client.close()
    assert len(texts) == 1
    assert time.monotonic() - began < 5  # one after the other they would take eight seconds


@pytest.fixture
def mute() -> Iterator[int]:
    """The port of a server that accepts connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_server_that_does_not_answer_the_tls_handshake_is_explained(call, mute, monkeypatch, host):
    monkeypatch.setattr("ksail_pulumi.omni.link.CONNECT_SECONDS", 0.3)
    monkeypatch.setattr("ksail_pulumi.omni.link._LOOK_SECONDS", 0.3)
    error = call(f"https://{host}:{mute}")
    assert isinstance(error, UnreachableError)
    assert "it accepts connections, but does not answer the TLS handshake." in str(error)


def test_a_connection_that_had_worked_is_waited_for(key_text, start_server, monkeypatch):
    retry = {"maxAttempts": 2, "initialBackoff": "0.1s", "maxBackoff": "0.1s", "backoffMultiplier": 1}
    retry["retryableStatusCodes"] = ["UNAVAILABLE"]
    config = json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": retry}]})
    options = (("grpc.service_config", config), ("grpc.initial_reconnect_backoff_ms", 200))
    monkeypatch.setattr("ksail_pulumi.omni.channel._OPTIONS", options)
    first = start_server()
    first.on["Get"] = found
    client = Client(Connection(first.endpoint, key_text))
    client.state.get(CLUSTER, "prod")
    first.stop()
    calls = [client.state.start_find(CLUSTER, "prod") for _ in range(20)]
    again = threading.Timer(1.5, lambda: start_server(port=first.port).on.update(Get=found))
    again.start()  # by then gRPC's own retries have ended
    assert all(call.result() for call in calls)
    again.join()
    client.close()


def test_a_connection_that_had_worked_and_is_lost_is_not_a_wrong_address(key_text, start_server, monkeypatch):
    monkeypatch.setattr("ksail_pulumi.omni.channel.UNARY_DEADLINE", 1.0)
    server = start_server()
    server.on["Get"] = found
    client = Client(Connection(server.endpoint, key_text))
    client.state.get(CLUSTER, "prod")
    assert client.silent_since is None
    server.stop()
    with pytest.raises(UnreachableError) as raised:
        client.state.get(CLUSTER, "prod")
    client.close()
    assert str(raised.value) == (
        f"cannot read Clusters.omni.sidero.dev(default/prod): Omni at {server.endpoint} did not answer in time"
    )
    assert client.silent_since is not None


def test_a_client_with_an_end_ends_its_calls_then(client, server):
    over = threading.Event()
    server.on["Get"] = lambda request, context: over.wait(60)
    began = time.monotonic()
    limited = client.until(began + 0.3)
    for _ in range(3):
        with pytest.raises(UnreachableError):
            limited.until(began + 60).state.get(CLUSTER, "prod")
    over.set()
    assert time.monotonic() - began < 2


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize(
    ("code", "kind"), STATUS.items(), ids=lambda value: value.__name__ if isinstance(value, type) else value.name
)
def test_every_status_that_omni_can_answer_becomes_its_error(call, server, code, kind):
    server.on["Get"] = lambda request, context: context.abort(code, "the reason")
    error = call(server.endpoint)
    assert type(error) is kind
    assert error.method == "/cosi.resource.State/Get"
    assert error.detail == "the reason"


def test_no_answer_in_time_is_explained(call, monkeypatch, server):
    monkeypatch.setattr("ksail_pulumi.omni.channel.UNARY_DEADLINE", 0.3)
    over = threading.Event()
    server.on["Get"] = lambda request, context: over.wait(60)
    error = call(server.endpoint)
    over.set()
    assert isinstance(error, UnreachableError)
    assert "no answer in time" in str(error)


def test_there_is_one_client_for_a_connection_until_it_is_closed(key_text):
    first = connect(Connection("https://omni.example", key_text))
    assert connect(Connection("https://omni.example", key_text)) is first
    assert connect(Connection("https://other.example", key_text)) is not first
    first.close()
    second = connect(Connection("https://omni.example", key_text))
    assert second is not first
    second.close()
    connect(Connection("https://other.example", key_text)).close()


def test_many_threads_that_connect_at_once_share_one_client(key_text):
    clients: list[Client] = []
    barrier = threading.Barrier(8)

    def join() -> None:
        barrier.wait()
        clients.append(connect(Connection("https://omni.example", key_text)))

    threads = [threading.Thread(target=join) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, clients))) == 1
    clients[0].close()


def test_connecting_makes_no_call(key_text, server):
    Client(Connection(server.endpoint, key_text)).close()
    assert server.received == []


def test_a_closed_client_says_so(client):
    client.close()
    with pytest.raises(OmniError, match=r"the connection to Omni at .* is closed"):
        client.state.get(CLUSTER, "prod")


def test_a_connection_does_not_show_its_key(key_text):
    assert key_text not in repr(Connection("https://omni.example", key_text))


def test_resources_can_be_imported_without_grpc():
    code = "import sys, ksail_pulumi.omni.resources; sys.exit('grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_large_resource_arrives(server, client):
    text = "x" * (16 * 1024 * 1024)
    patch = Resource(CONFIG_PATCH, "p", specs_pb2.ConfigPatchSpec(data=text))
    server.on["Get"] = lambda request, context: state_pb2.GetResponse(resource=to_wire(patch))
    assert client.state.get(CONFIG_PATCH, "p").spec.data == text


def test_a_long_refusal_arrives_whole(server, client):
    reasons = [f"reason {number} {'x' * 100}" for number in range(500)]
    text = "failed to validate: 500 errors occurred:\n\t* " + "\n\t* ".join(reasons) + "\n\n"
    server.on["Get"] = lambda request, context: context.abort(grpc.StatusCode.INVALID_ARGUMENT, text)
    with pytest.raises(RefusedError) as caught:
        client.state.get(CLUSTER, "prod")
    assert caught.value.detail.splitlines() == reasons


def test_closing_the_client_ends_calls_under_way(server, client):
    arrived, over = threading.Event(), threading.Event()
    server.on["Get"] = lambda request, context: (arrived.set(), over.wait(60))
    call = client.state.start_find(CLUSTER, "prod")
    assert arrived.wait(60)
    client.close()
    with pytest.raises(OmniError):
        call.result()
    over.set()
