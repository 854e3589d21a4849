"""Pulumi's own provider process, started and driven over gRPC as the engine does, with an engine that listens."""

import asyncio
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from concurrent import futures

import grpc
from google.protobuf import empty_pb2
from google.rpc import status_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc

ROOT = pathlib.Path(__file__).parent.parent
HELPERS = ROOT / "tests/provider"
URN = "urn:pulumi:dev::shop::pulumi-python:dynamic/ksail:OmniCluster::west"
PATIENCE = 60
"""Seconds after which a test stops waiting for something that should have happened long ago."""


class Engine(engine_pb2_grpc.EngineServicer):
    """Pulumi's engine, as much of it as a provider talks to."""

    def __init__(self):
        self.lines = []
        self.changed = threading.Condition()
        self.server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
        engine_pb2_grpc.add_EngineServicer_to_server(self, self.server)
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def Log(self, request, context):  # noqa: N802 - gRPC names it
        with self.changed:
            self.lines.append(request)
            self.changed.notify_all()
        return empty_pb2.Empty()

    def wait_for_line(self, count=1):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.lines) >= count, PATIENCE)

    def wait_for(self, wanted):
        with self.changed:
            assert self.changed.wait_for(lambda: any(map(wanted, self.lines)), PATIENCE)

    def texts(self, severity=None):
        wanted = None if severity is None else engine_pb2.LogSeverity.Value(severity)
        return [line.message for line in self.lines if wanted in (None, line.severity)]

    def clear(self):
        self.lines.clear()


class Failed(Exception):  # noqa: N818
    """A call that failed: its code, what grpc says, and the rich status of the trailer (None without one)."""

    def __init__(self, error):
        self.code, self.details = error.code(), error.details()
        trailer = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
        self.status = None if trailer is None else status_pb2.Status.FromString(trailer)
        super().__init__(self.details)

    @property
    def message(self):
        """What the engine shows: like grpc-go, it believes the trailer if that names the same code."""
        if self.status is not None and self.status.code == self.code.value[0]:
            return self.status.message
        return self.details

    @property
    def init_failed(self):
        detail = provider_pb2.ErrorResourceInitFailed()
        assert self.status is not None, self.details
        assert self.status.details[0].Unpack(detail)
        return detail


class Process:
    """Pulumi's provider process with one dynamic provider in it."""

    def __init__(self, process, provider, log):
        self.process = process
        self.provider = provider
        self.log = log
        port = self.process.stdout.readline().decode().strip()
        assert port.isdigit(), log.read_text()
        limits = [("grpc.max_metadata_size", 16 << 20), ("grpc.absolute_max_metadata_size", 16 << 20)]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=limits)
        self.stub = provider_pb2_grpc.ResourceProviderStub(self.channel)

    def struct(self, properties):
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(rpc.serialize_properties({**properties, "__provider": self.provider}, {}))
        finally:
            loop.close()

    def configure(self, config):
        loop = asyncio.new_event_loop()
        args = loop.run_until_complete(rpc.serialize_properties(dict(config), {}))
        loop.close()
        self.stub.Configure(provider_pb2.ConfigureRequest(args=args))

    def start(self, method, request):
        """Begin a call; `.result()` answers or raises `grpc.RpcError`."""
        return getattr(self.stub, method).future(request, timeout=PATIENCE * 4)

    def call(self, method, request):
        return finish(self.start(method, request))

    def create_request(self, properties, *, urn=URN, timeout=0.0):
        return provider_pb2.CreateRequest(urn=urn, properties=self.struct(properties), timeout=timeout)

    def create(self, properties, **others):
        answer = self.call("Create", self.create_request(properties, **others))
        return answer.id, properties_of(answer.properties)

    def plain(self, struct):
        """The properties of a saved resource as the engine hands them back."""
        return _plain({key: value for key, value in rpc.deserialize_properties(struct).items() if key != "__provider"})

    def check(self, news, olds=None, *, urn=URN):
        olds = self.struct(olds) if olds is not None else None
        answer = self.call("Check", provider_pb2.CheckRequest(urn=urn, olds=olds, news=self.struct(news)))
        return properties_of(answer.inputs), dict(map(_failure, answer.failures))

    def diff(self, id_, olds, news, *, urn=URN):
        request = provider_pb2.DiffRequest(id=id_, urn=urn, olds=self.struct(olds), news=self.struct(news))
        return self.call("Diff", request)

    def update(self, id_, olds, news, *, urn=URN, timeout=0.0):
        request = provider_pb2.UpdateRequest(
            id=id_, urn=urn, olds=self.struct(olds), news=self.struct(news), timeout=timeout
        )
        return properties_of(self.call("Update", request).properties)

    def read(self, id_, properties, *, urn=URN):
        answer = self.call("Read", provider_pb2.ReadRequest(id=id_, urn=urn, properties=self.struct(properties)))
        return answer.id, properties_of(answer.properties), properties_of(answer.inputs)

    def delete(self, id_, properties, *, urn=URN, timeout=0.0):
        request = provider_pb2.DeleteRequest(id=id_, urn=urn, properties=self.struct(properties), timeout=timeout)
        self.call("Delete", request)

    def cancel(self):
        self.stub.Cancel(empty_pb2.Empty(), timeout=PATIENCE)

    def wait_for_log(self, text):
        until = time.monotonic() + PATIENCE
        while text not in self.log.read_text():
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)

    def close(self):
        self.channel.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def _failure(failure):
    """A failure's field and reason. The field of an input itself stands in the reason: the engine prints its value."""
    field, colon, reason = failure.reason.partition(": ")
    if not failure.property and colon and " " not in field:
        return field, reason
    return failure.property, failure.reason


def finish(call):
    try:
        return call.result()
    except grpc.RpcError as error:
        raise Failed(error) from None


def properties_of(struct):
    """Properties as plain data, secrets as `{"secret": value}`."""
    return {
        key: _plain(value) for key, value in rpc.deserialize_properties(struct, True).items() if key != "__provider"
    }


def _plain(value):
    if rpc.is_rpc_secret(value):
        return {"secret": _plain(rpc.unwrap_rpc_secret(value))}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def start_host(sdk, engine, provider, folder, *, hidden="", environment=None):
    """Pulumi's provider process, with nothing of our own environment that leads to an Omni."""
    host = ["-u", str(HELPERS / "opaque_host.py"), hidden] if hidden else ["-u", "-m", "pulumi.dynamic"]
    log = new_log(folder)
    with log.open("wb") as errors:
        command = [sdk, *host, engine.address]
        started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment_of_host(environment))
    return Process(started, provider, log)


def environment_of_host(more=None):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HELPERS), str(ROOT)]), "PULUMI_PROJECT": "shop"}
    for name in ("OMNI_ENDPOINT", "OMNI_SERVICE_ACCOUNT_KEY", "SIDERO_SERVICE_ACCOUNT_KEY", "OMNI_CA_FILE"):
        env.pop(name, None)
    return {**env, **(more or {})}


def new_log(folder):
    return folder / f"provider-{len(list(folder.iterdir()))}.log"


class Nursery:
    """Starts provider processes at a fraction of the cost: by forking one that has loaded its modules already."""

    def __init__(self, sdk=sys.executable):
        command = [sdk, "-u", str(pathlib.Path(__file__).parent / "nursery.py")]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment_of_host()
        )

    def start(self, engine, provider, folder, *, environment=None):
        log = new_log(folder)
        told = log.with_suffix(".told")
        os.mkfifo(told)
        request = {
            "environment": environment_of_host(environment),
            "told": str(told),
            "log": str(log),
            "engine": engine.address,
        }
        print(json.dumps(request), file=self._process.stdin, flush=True)
        number = int(self._process.stdout.readline())
        return Process(Forked(number, told.open("rb")), provider, log)

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


class Forked:
    """A process that the nursery has forked, with the part of `subprocess.Popen` that `Process` uses."""

    def __init__(self, number, stdout):
        self.stdout = stdout
        self._number = number
        self._ended = False

    def send_signal(self, number):
        if not self._ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._number, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout=PATIENCE):
        until = time.monotonic() + timeout
        while not self._ended:
            try:
                os.kill(self._number, 0)
            except ProcessLookupError:
                self._ended = True
            assert time.monotonic() < until
            time.sleep(0.001)


def said(failures):
    """Failures of a check as the engine shows them."""
    return "\n".join(f"{path}: {reason}" if path else reason for path, reason in failures.items())
