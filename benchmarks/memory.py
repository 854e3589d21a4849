"""How much memory Pulumi's provider process takes for a cluster of 1,000 machines."""

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

from benchmarks.empty import EmptyProvider
from benchmarks.figure import Figure
from benchmarks.lab import ROOT, omni
from ksail_pulumi.provider.cluster import OmniClusterProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

MACHINES = 1000
BOUND = 120.0


class _Engine(engine_pb2_grpc.EngineServicer):
    """As much of Pulumi's engine as a provider tells its progress to."""

    def Log(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - gRPC's names
        return empty_pb2.Empty()


@contextmanager
def _provider_process(environment: dict[str, str]) -> Iterator[tuple[int, provider_pb2_grpc.ResourceProviderStub]]:
    """Pulumi's process for dynamic providers, as the engine starts it: its ID, and how to call it."""
    engine = grpc.server(futures.ThreadPoolExecutor(4))
    engine_pb2_grpc.add_EngineServicer_to_server(_Engine(), engine)
    address = f"127.0.0.1:{engine.add_insecure_port('127.0.0.1:0')}"
    engine.start()
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "pulumi.dynamic", address],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.stdout is None:
        raise AssertionError("it was asked for")
    port = process.stdout.readline().strip()
    drain = threading.Thread(target=process.stdout.read, daemon=True)
    drain.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield process.pid, provider_pb2_grpc.ResourceProviderStub(channel)
    finally:
        process.kill()
        process.wait()
        drain.join()
        process.stdout.close()
        engine.stop(None).wait()


def _peak(pid: int) -> float:
    """The most memory (MiB) that a process has held at one time."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    if found is None:
        raise OSError("this system does not tell the peak memory of a process")
    return int(found[1]) / 1024


def _peak_of_create(provider: Any, properties: dict[str, Any], environment: dict[str, str]) -> float:
    with _provider_process(environment) as (pid, stub):
        inputs = _struct({**properties, "__provider": serialize_provider(provider)})
        stub.Configure(provider_pb2.ConfigureRequest(args=_struct({})))
        urn = "urn:pulumi:dev::bench::pulumi-python:dynamic/ksail:OmniCluster::bench"
        stub.Create(provider_pb2.CreateRequest(urn=urn, properties=inputs), timeout=600)
        return _peak(pid)


def _struct(properties: dict[str, Any]) -> Any:
    return asyncio.run(rpc.serialize_properties(properties, {}))


def measure() -> Iterator[Figure]:
    empty = _peak_of_create(EmptyProvider(), {}, {})
    with omni(machines=MACHINES) as server:
        cluster = _peak_of_create(
            OmniClusterProvider(),
            {"name": "bench", "controlPlane": {"count": 3}, "workers": MACHINES - 3, "__owner": "o/p/s/bench"},
            {"OMNI_ENDPOINT": server.endpoint, "OMNI_SERVICE_ACCOUNT_KEY": server.key},
        )
    yield Figure(
        f"provider process that created {MACHINES} machines, at its peak",
        cluster,
        BOUND,
        "MiB",
        f"{cluster / empty:.2f} of the {empty:.0f} MiB of one with an empty dynamic provider",
    )
