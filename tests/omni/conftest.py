from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
import pysequoia
import pytest

from ksail_pulumi.omni.api import state_pb2
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import Client

STATE = "cosi.resource.State"
METHODS = ("Get", "List", "Create", "Update", "Teardown", "Destroy", "Watch")
STREAMING = ("List", "Watch")


def service_account_key(armored: str, name: str = "automation") -> str:
    return base64.b64encode(json.dumps({"name": name, "pgp_key": armored}).encode()).decode()


@pytest.fixture(scope="session")
def private_key() -> pysequoia.Tsk:
    """A fresh OpenPGP key that is good for an hour."""
    user = "automation (linux/amd64) <automation@serviceaccount.omni.sidero.dev>"
    return pysequoia.Tsk.generate(user_id=user, validity_seconds=3600)


@pytest.fixture(scope="session")
def key_text(private_key: pysequoia.Tsk) -> str:
    return service_account_key(str(private_key))


@dataclass
class Received:
    method: str
    request: Any
    metadata: dict[str, str]


class WireServer:
    """A gRPC server that answers calls of cosi.resource.State as a test tells it to: `server.on["Get"] = function`.

    It is for what happens on the wire. How an Omni behaves is the simulator's business.
    """

    def __init__(self, port: int = 0, credentials: grpc.ServerCredentials | None = None, workers: int = 16) -> None:
        self.on: dict[str, Callable[[Any, grpc.ServicerContext], Any]] = {}
        self.received: list[Received] = []
        self._server = grpc.server(futures.ThreadPoolExecutor(workers), options=[("grpc.so_reuseport", 0)])
        handlers = {method: self._handler(method) for method in METHODS}
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(STATE, handlers)])
        if credentials:
            self.port = self._server.add_secure_port(f"127.0.0.1:{port}", credentials)
        else:
            self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    @property
    def endpoint(self) -> str:
        return f"grpc://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._server.stop(None).wait()

    def _answer(self, method: str, request: Any, context: grpc.ServicerContext) -> Any:
        metadata = {item.key: item.value for item in context.invocation_metadata()}
        self.received.append(Received(method, request, metadata))
        if method not in self.on:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"unknown method {method} for service {STATE}")
        answer = self.on[method](request, context)
        return iter(answer) if method in STREAMING else answer

    def _handler(self, method: str) -> grpc.RpcMethodHandler:
        make = grpc.unary_stream_rpc_method_handler if method in STREAMING else grpc.unary_unary_rpc_method_handler
        return make(
            partial(self._answer, method),
            request_deserializer=getattr(state_pb2, f"{method}Request").FromString,
            response_serializer=getattr(state_pb2, f"{method}Response").SerializeToString,
        )


@pytest.fixture
def server() -> Iterator[WireServer]:
    server = WireServer()
    yield server
    server.stop()


@pytest.fixture
def client(server: WireServer, key_text: str) -> Iterator[Client]:
    client = Client(Connection(server.endpoint, key_text))
    yield client
    client.close()


@pytest.fixture
def start_server() -> Iterator[Callable[..., WireServer]]:
    """Starts more servers, that are stopped at the end."""
    servers: list[WireServer] = []

    def start(**options: Any) -> WireServer:
        servers.append(WireServer(**options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
