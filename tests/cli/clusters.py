"""A simulated Omni with the cluster `shop`, and what the tests of commands do to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.lease import finish_creation
from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import Client, connect
from ksail_pulumi.omni.resources import CLUSTER_MACHINE_STATUS, LABEL_CONNECTED
from ksail_pulumi.omni.watch import Query
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.simulator.server import Simulator

OWNER = "org/web/dev/shop"


def client_of(omni: Simulator) -> Client:
    return connect(Connection(omni.endpoint, omni.service_account_key))


def create_shop(omni: Simulator, **inputs: Any) -> None:
    """Create the cluster as a finished `pulumi up` does."""
    client = client_of(omni)
    spec = parse_cluster({"name": "shop", **inputs})
    outputs = create(spec, OwnershipMark(OWNER), Session(client, Deadline.after(600)))
    finish_creation(client, "shop", outputs.creation)


@contextmanager
def shop(*, machines: Any = 3, faults: Any = None, **inputs: Any) -> Iterator[Simulator]:
    """An Omni with the cluster `shop`."""
    with Simulator(machines=machines, faults=faults) as omni:
        create_shop(omni, **inputs)
        yield omni


def use(monkeypatch: Any, omni: Simulator, role: str = "") -> None:
    """Let the commands of a test use this Omni, with a key of a role if one is given."""
    monkeypatch.setenv("OMNI_ENDPOINT", omni.endpoint)
    key = omni.issue_key(role.lower(), role=role) if role else omni.service_account_key
    monkeypatch.setenv("OMNI_SERVICE_ACCOUNT_KEY", key)
    for name in ("SIDERO_SERVICE_ACCOUNT_KEY", "OMNI_CA_FILE"):
        monkeypatch.delenv(name, raising=False)


def wait_until_joined(omni: Simulator, machine: str) -> None:
    """Wait until a machine is in the cluster and connected."""
    with client_of(omni).state.watch(Query(CLUSTER_MACHINE_STATUS, id=machine)) as watch:
        while (event := watch.next(timeout=60)) is not None:
            if event.kind != "destroyed" and event.resource and LABEL_CONNECTED in event.resource.labels:
                return
    raise AssertionError(f"machine {machine} has not joined the cluster")
