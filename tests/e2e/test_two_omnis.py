"""A state belongs to one Omni: a cluster of the same name and mark in another one is not the stack's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.lease import finish_creation
from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.simulator.server import Simulator
from ksail_pulumi.spec.cluster import parse_cluster
from tests.e2e import server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.omni.client import Client
    from tests.e2e.project import Project


@pytest.fixture
def other() -> Iterator[Simulator]:
    """Another Omni."""
    with Simulator(machines=2, seed=1) as omni:
        yield omni


@pytest.fixture
def other_omni(other: Simulator) -> Iterator[Client]:
    """A client of the other Omni, which has a cluster with the name and the mark of the first one's."""
    client = connect(Connection(other.endpoint, other.service_account_key))
    made = create(
        parse_cluster({"name": "main"}),
        OwnershipMark("organization/test/dev/main"),
        Session(client, Deadline.after(120)),
    )
    finish_creation(client, "main", made.creation)
    yield client
    client.close()


def test_a_cluster_in_another_omni_is_never_touched(
    project: Project, simulator: Simulator, omni: Client, other: Simulator, other_omni: Client
) -> None:
    elsewhere = {"OMNI_ENDPOINT": other.endpoint, "OMNI_SERVICE_ACCOUNT_KEY": other.service_account_key}
    project.init()
    project.clusters({"main": {}})
    project.up()
    here, there = server.uuids(omni), server.uuids(other_omni)
    audit = len(other.store.audit)

    project.clusters({"main": {"workers": 1}})
    for verb in (project.destroy, project.refresh, project.up):
        told = verb(environment=elsewhere, fails=True).told["main"]
        assert f"cluster 'main' was last seen in Omni at {simulator.endpoint}, " in told
        assert f"and Omni at {other.endpoint} does not have it" in told
        assert "set `omni:endpoint` or OMNI_ENDPOINT to the former endpoint again" in told
    assert (server.uuids(omni), server.uuids(other_omni)) == (here, there)
    assert len(other.store.audit) == audit
    assert project.uuids() == here

    assert project.destroy().changes == {"deleted": 2}
    assert (server.uuids(omni), server.uuids(other_omni)) == ({}, there)
