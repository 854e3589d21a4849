"""Pulumi's own provider process, with the newest and the lowest SDK."""

import asyncio
import functools
import os
import pathlib
import sys
from concurrent import futures

import pytest
from pulumi.dynamic.dynamic import serialize_provider

from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.provider.cluster import OmniClusterProvider
from tests.host import ROOT, Engine, Failed, Nursery, start_host

LOWEST = os.environ.get("KSAIL_PULUMI_LOWEST_PYTHON") or str(ROOT / ".venv-lowest/bin/python")


@pytest.fixture(scope="session", params=["newest", "lowest"])
def sdk(request):
    """The Python of an environment with the newest, and one with the lowest SDK that we support."""
    if request.param == "newest":
        return sys.executable
    if not pathlib.Path(LOWEST).exists():
        reason = f"no environment with the lowest supported versions at {LOWEST} (make lowest)"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return LOWEST


@pytest.fixture
def engine():
    found = Engine()
    yield found
    found.server.stop(None).wait()


@pytest.fixture(scope="session")
def nursery(sdk):
    """Forks provider processes of the SDK."""
    found = Nursery(sdk)
    yield found
    found.close()


@pytest.fixture
def start_process(sdk, nursery, engine, tmp_path):
    """Start the provider process: `start_process(provider, environment={…})`; with `hidden="frames"` a special one."""
    started = []

    def start(provider, *, hidden="", environment=None):
        if hidden:
            process = start_host(sdk, engine, provider, tmp_path, hidden=hidden, environment=environment)
        else:
            process = nursery.start(engine, provider, tmp_path, environment=environment)
        started.append(process)
        return process

    yield start
    for process in started:
        process.close()


@pytest.fixture
def start_configured(start_process, simulator):
    """Start the process with a provider that is configured for the simulator: `start_configured(provider)`."""

    def start(provider):
        process = start_process(serialize_provider(provider))
        key = simulator.service_account_key
        process.configure({"omni:endpoint": simulator.endpoint, "omni:serviceAccountKey": key})
        return process

    return start


@pytest.fixture
def client(simulator):
    """A client of the simulator of the test."""
    found = connect(Connection(simulator.endpoint, simulator.service_account_key))
    yield found
    found.close()


@pytest.fixture(scope="module")
def shared_process(sdk, tmp_path_factory):
    """The same for tests that leave the process as they found it: `shared_process(provider, hidden="frames")`."""
    engine, started = Engine(), {}
    folder = tmp_path_factory.mktemp("shared")

    def shared(provider, *, hidden=""):
        if hidden not in started:
            started[hidden] = start_host(sdk, engine, provider, folder, hidden=hidden)
            started[hidden].engine = engine
        engine.clear()
        return started[hidden]

    yield shared
    for process in started.values():
        process.close()
    engine.server.stop(None).wait()


@pytest.fixture(scope="session")
def pickled():
    """`OmniClusterProvider` as it stands in every state file."""
    return serialize_provider(OmniClusterProvider())


@pytest.fixture
def start_provider(start_process, pickled):
    """Start the process with `OmniClusterProvider`: `start_provider(environment={…})`."""
    return functools.partial(start_process, pickled)


@pytest.fixture(scope="module")
def provider(sdk, pickled, tmp_path_factory):
    """One process with `OmniClusterProvider` for a whole module; nothing around it leads to an Omni."""
    engine = Engine()
    process = start_host(sdk, engine, pickled, tmp_path_factory.mktemp("provider"))
    yield process
    process.close()
    engine.server.stop(None).wait()


@pytest.fixture(scope="session")
def loop():
    """One event loop for all: Pulumi keeps the stack, which belongs to a loop, from one program to the next.

    Its mocks want one in every thread of the pool, too, and would leave theirs open.
    """
    loops = []

    def make_loop():
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    make_loop()
    threads = futures.ThreadPoolExecutor(max_workers=4, initializer=make_loop)
    loops[0].set_default_executor(threads)
    yield loops[0]
    threads.shutdown()
    asyncio.set_event_loop(None)
    for each in loops:
        each.close()


@pytest.fixture
def failed():
    """The exception that a failed call of the provider process raises."""
    return Failed
