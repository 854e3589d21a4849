"""Pulumi's process for dynamic providers, called as the engine calls it."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import empty_pb2
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime import rpc
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc

from benchmarks.lab import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pulumi.dynamic import ResourceProvider

URN_OF = "urn:pulumi:dev::bench::pulumi-python:dynamic/ksail:OmniCluster::{}"
URN = URN_OF.format("bench")
_SECONDS = 600


class _Engine(engine_pb2_grpc.EngineServicer):
    """As much of Pulumi's engine as a provider reports its progress to."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def Log(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - gRPC's names
        self.lines.append((request.urn, request.message))
        return empty_pb2.Empty()


class Host:
    """A running provider process.

    Attributes:
        process: Its ID.
        cpu: Seconds of CPU that the process used, once it has ended.
        lines: What it has reported: the URN of a resource, and a text.
    """

    def __init__(
        self, process: int, channel: grpc.Channel, provider: ResourceProvider, lines: list[tuple[str, str]]
    ) -> None:
        self.cpu = 0.0
        self.lines = lines
        self.process = process
        self._stub = provider_pb2_grpc.ResourceProviderStub(channel)
        self._provider = serialize_provider(provider)
        self._stub.Configure(provider_pb2.ConfigureRequest(args=_struct({})))

    def check(self, olds: Mapping[str, Any], news: Mapping[str, Any], urn: str = URN) -> Any:
        request = provider_pb2.CheckRequest(urn=urn, olds=_struct(olds), news=self._inputs(news))
        answer = self._stub.Check(request, timeout=_SECONDS)
        if answer.failures:
            raise RuntimeError(f"check failed: {answer.failures}")
        return answer

    def create(self, properties: Mapping[str, Any], urn: str = URN) -> Any:
        return self.start_create(properties, urn).result()

    def read(self, properties: Any, urn: str = URN) -> Any:
        return self._stub.Read(
            provider_pb2.ReadRequest(id=properties["name"], urn=urn, properties=properties), timeout=_SECONDS
        )

    def update(self, olds: Any, news: Mapping[str, Any], urn: str = URN) -> Any:
        request = provider_pb2.UpdateRequest(id=olds["name"], urn=urn, olds=olds, news=self._inputs(news))
        return self._stub.Update(request, timeout=_SECONDS)

    def delete(self, properties: Any, urn: str = URN) -> None:
        request = provider_pb2.DeleteRequest(id=properties["name"], urn=urn, properties=properties)
        self._stub.Delete(request, timeout=_SECONDS)

    def start_create(self, properties: Mapping[str, Any], urn: str = URN) -> Any:
        request = provider_pb2.CreateRequest(urn=urn, properties=self._inputs(properties))
        return self._stub.Create.future(request, timeout=_SECONDS)

    def memory(self, field: str = "VmRSS") -> float:
        """MiB: what the process holds now, or with `VmHWM` the most that it has held at one time."""
        status = Path(f"/proc/{self.process}/status").read_text()
        found = re.search(rf"{field}:\s+(\d+) kB", status)
        if found is None:
            raise OSError("this system does not report the memory of a process")
        return int(found[1]) / 1024

    def _inputs(self, properties: Mapping[str, Any]) -> Any:
        return _struct({**properties, "__provider": self._provider})


@contextmanager
def provider_process(provider: ResourceProvider, environment: Mapping[str, str], tree: Path = ROOT) -> Iterator[Host]:
    """Start the process as the engine does, with the package of a checkout."""
    engine = grpc.server(futures.ThreadPoolExecutor(4))
    servicer = _Engine()
    engine_pb2_grpc.add_EngineServicer_to_server(servicer, engine)
    address = f"127.0.0.1:{engine.add_insecure_port('127.0.0.1:0')}"
    engine.start()
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "pulumi.dynamic", address],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": f"{tree}:{ROOT}", **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.stdout is None:
        raise AssertionError("it was asked for")
    port = process.stdout.readline().strip()
    drain = threading.Thread(target=process.stdout.read, daemon=True)
    drain.start()
    host = None
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            host = Host(process.pid, channel, provider, servicer.lines)
            yield host
    finally:
        process.kill()
        _, process.returncode, used = os.wait4(process.pid, 0)
        if host is not None:
            host.cpu = used.ru_utime + used.ru_stime
        drain.join()
        process.stdout.close()
        engine.stop(None).wait()


def _struct(properties: Mapping[str, Any]) -> Any:
    return asyncio.run(rpc.serialize_properties(dict(properties), {}))
