"""What the tests run on: a simulated Omni, or with `--omni-endpoint` a real one."""

from __future__ import annotations

import gc
import os
import secrets
import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests.scheduling import order

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.simulator.server import Simulator

ENDPOINT_OPTION = "--omni-endpoint"
CLEAN_UP_SECONDS = 300.0

# A slow machine is no failure; and what Hypothesis finds by luck is for a developer, not for an unrelated change.
settings.register_profile(
    "sample",
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.register_profile("sweeps", settings.get_profile("sample"), max_examples=300)
settings.load_profile("sample")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        ENDPOINT_OPTION,
        default="",
        help="run on this Omni instead of the simulator (key: OMNI_SERVICE_ACCOUNT_KEY, CA file: OMNI_CA_FILE)",
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    from tests.scheduling import Scheduling

    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep thousands of tests out of each garbage collection: they stay until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that take longest first: a worker that takes one last keeps all others waiting."""
    items.sort(key=lambda item: order(item.nodeid))


@pytest.fixture(scope="session")
def omni_endpoint(request: pytest.FixtureRequest) -> str:
    """The real Omni to run on, empty for the simulator."""
    return str(request.config.getoption(ENDPOINT_OPTION))


@pytest.fixture
def simulator(omni_endpoint: str) -> Iterator[Simulator]:
    """A simulated Omni with six machines, for tests that need its levers (faults, clock, audit log)."""
    if omni_endpoint:
        pytest.skip("needs levers that only the simulator has")
    from ksail_pulumi.simulator.server import Simulator

    with Simulator(machines=6, speed="fast") as omni:
        yield omni


@pytest.fixture
def omni(omni_endpoint: str, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client of the Omni that the tests run on, whichever it is."""
    from ksail_pulumi.omni.channel import Connection
    from ksail_pulumi.omni.client import connect

    if omni_endpoint:
        key = os.environ.get("OMNI_SERVICE_ACCOUNT_KEY", "")
        if not key:
            pytest.fail(f"{ENDPOINT_OPTION} needs the environment variable OMNI_SERVICE_ACCOUNT_KEY")
        connection = Connection(omni_endpoint, key, ca_file=os.environ.get("OMNI_CA_FILE", ""))
    else:
        simulated: Simulator = request.getfixturevalue("simulator")
        connection = Connection(simulated.endpoint, simulated.service_account_key)
    client = connect(connection)
    yield client
    client.close()


@pytest.fixture
def cluster_name(omni: Client, omni_endpoint: str) -> Iterator[str]:
    """A name that no other cluster has; what the test leaves under it is removed."""
    from ksail_pulumi.errors import NotFoundError
    from ksail_pulumi.omni.resources import CLUSTER
    from ksail_pulumi.omni.watch import Query

    name = f"test-{secrets.token_hex(4)}"
    yield name
    if not omni_endpoint:
        return  # the simulator goes as a whole
    try:
        omni.state.teardown(CLUSTER, name)
    except NotFoundError:
        return
    with omni.state.watch(Query(CLUSTER, id=name)) as watch:
        deadline = time.monotonic() + CLEAN_UP_SECONDS
        while time.monotonic() < deadline:
            event = watch.next(timeout=1.0)
            if event is not None and event.kind == "destroyed":
                return
    pytest.fail(f"the cluster {name} is still there {CLEAN_UP_SECONDS:.0f} s after the test")


@pytest.fixture
def free_machines(omni: Client) -> list[str]:
    """IDs of the machines that can be put into a cluster, in Omni's order."""
    from ksail_pulumi.omni.resources import (
        LABEL_AVAILABLE,
        LABEL_CONNECTED,
        LABEL_READY_TO_USE,
        LABEL_REPORTING_EVENTS,
        MACHINE_STATUS,
    )

    wanted = dict.fromkeys((LABEL_AVAILABLE, LABEL_CONNECTED, LABEL_READY_TO_USE, LABEL_REPORTING_EVENTS))
    machines = [status.id for status in omni.state.list(MACHINE_STATUS, wanted)]
    if not machines:
        pytest.skip("no machine of this Omni is free")
    return machines
