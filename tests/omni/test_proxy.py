"""Omni behind a proxy: one that speaks CONNECT, in this process, and that alone can reach the server."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from ksail_pulumi.errors import NotFoundError, UnreachableError
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import Client
from ksail_pulumi.omni.endpoint import normalise_endpoint
from ksail_pulumi.omni.proxy import proxy_for
from ksail_pulumi.omni.resources import CLUSTER

DATA = Path(__file__).parent / "data" / "tls"
HOST = "prod.omni.example.org"  # no name server knows it, and the certificate `wildcard` is for it
NAMES = ("grpc_proxy", "https_proxy", "http_proxy", "no_proxy", "no_grpc_proxy", "all_proxy")


class Proxy:
    """Takes CONNECT requests and joins each with one server, whatever host was asked for."""

    def __init__(self, port: int) -> None:
        self.requests: list[str] = []
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            request = b""
            while not request.endswith(b"\r\n\r\n") and (received := client.recv(1)):
                request += received
            self.requests.append(request.decode())
            server = socket.create_connection(("127.0.0.1", self._server_port))
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side was quicker
        finally:
            source.close()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def proxy(start_server) -> Iterator[Proxy]:
    pair = (DATA / "wildcard.key").read_bytes(), (DATA / "wildcard.pem").read_bytes()
    server = start_server(credentials=grpc.ssl_server_credentials([pair]))
    server.on["Get"] = lambda request, context: context.abort(grpc.StatusCode.NOT_FOUND, "none")
    proxy = Proxy(server.port)
    yield proxy
    proxy.close()


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "grpc_proxy"])
@pytest.mark.parametrize("options", [{"ca_file": str(DATA / "ca.pem")}, {"insecure_skip_tls_verify": True}])
def test_calls_go_through_the_proxy_of_the_environment(proxy, key_text, monkeypatch, variable, options):
    monkeypatch.setenv(variable, f"http://user:p%40ss@127.0.0.1:{proxy.port}")
    client = Client(Connection(f"https://{HOST}", key_text, **options))
    with pytest.raises(NotFoundError):
        client.state.get(CLUSTER, "prod")
    client.close()
    assert proxy.requests
    credentials = base64.b64encode(b"user:p@ss").decode()
    for request in proxy.requests:
        assert request.startswith(f"CONNECT {HOST}:443 HTTP/1.")
        assert f"Proxy-Authorization: Basic {credentials}" in request


def test_what_is_no_proxy_is_named_without_its_password(server, key_text, monkeypatch):
    monkeypatch.setenv("https_proxy", f"http://user:secret@127.0.0.1:{server.port}")
    client = Client(Connection(f"https://{HOST}", key_text, insecure_skip_tls_verify=True))
    with pytest.raises(UnreachableError, match="its certificate could not be fetched") as caught:
        client.state.get(CLUSTER, "prod")
    client.close()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "endpoint", "proxy"),
    [
        ({}, f"https://{HOST}", ""),
        ({"https_proxy": "proxy:3128"}, f"https://{HOST}", "http://proxy:3128"),
        ({"https_proxy": "http://proxy:3128"}, f"http://{HOST}", ""),
        ({"http_proxy": "http://proxy:3128"}, f"grpc://{HOST}", "http://proxy:3128"),
        ({"http_proxy": "http://proxy:3128"}, f"https://{HOST}", ""),
        ({"https_proxy": "http://proxy:3128"}, "https://localhost", ""),
        ({"https_proxy": "http://proxy:3128", "no_proxy": ".example.org"}, f"https://{HOST}", ""),
        ({"https_proxy": "http://proxy:3128", "NO_PROXY": f"{HOST}:443"}, f"https://{HOST}", ""),
        ({"https_proxy": "http://proxy:3128", "no_proxy": "example.com"}, f"https://{HOST}", "http://proxy:3128"),
    ],
)
def test_which_proxy_counts(monkeypatch, environment, endpoint, proxy):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(normalise_endpoint(endpoint)) == proxy
