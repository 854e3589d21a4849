"""A simulator that continues what an earlier one has begun."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.delete import delete
from ksail_pulumi.lifecycle.identity import Identity
from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.lifecycle.update import update
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import Client, connect
from ksail_pulumi.omni.resources import CLUSTER, CLUSTER_STATUS, CLUSTER_UUID, MACHINE_STATUS
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.simulator.clock import ManualClock
from ksail_pulumi.simulator.saved import NotSavedError, SavedOmni
from ksail_pulumi.simulator.server import Simulator
from tests.sweeps import sample

if TYPE_CHECKING:
    from ksail_pulumi.lifecycle.outputs import ClusterOutputs
    from ksail_pulumi.omni.resources import ResourceType

MARK = OwnershipMark("organization/shop/dev/west")
INPUTS = {"name": "west", "controlPlane": {"count": 3}, "workers": 1, "talosVersion": "1.13.7", "waitFor": "none"}


def client_of(omni: Simulator) -> Client:
    return connect(Connection(omni.endpoint, omni.service_account_key))


def again(omni: Simulator) -> Simulator:
    """The same Omni in a new simulator, by way of a text."""
    return Simulator(saved=SavedOmni.read(omni.save().text()))


def made(client: Client, **inputs: object) -> ClusterOutputs:
    return create(parse_cluster({**INPUTS, **inputs}), MARK, Session(client, Deadline.after(300)))


def changed(client: Client, old: ClusterOutputs, **inputs: object) -> ClusterOutputs:
    identity = Identity("west", MARK, uuid=old.cluster_uuid, omni=client.endpoint)
    spec = parse_cluster({**INPUTS, **inputs})
    return update(spec, identity, Session(client, Deadline.after(300)), old=old.to_wire())


def test_an_omni_goes_on_with_its_clusters_its_key_and_its_port() -> None:
    with Simulator(machines=6) as first:
        outputs = made(client_of(first), waitFor="ready")
        before = {each.key: each for each in first.store.list(CLUSTER) + first.store.list(MACHINE_STATUS)}
    with again(first) as second:
        assert (second.endpoint, second.service_account_key) == (first.endpoint, first.service_account_key)
        client = client_of(second)
        assert {each.key: each for each in client.state.list(CLUSTER) + client.state.list(MACHINE_STATUS)} == before
        new = changed(client, outputs, workers=2, talosVersion="1.13.8", waitFor="ready")
        assert len(new.nodes) == 5
    with again(second) as third:
        client = client_of(third)
        delete("west", Session(client, Deadline.after(300)))
        assert client.state.find(CLUSTER, "west") is None


@pytest.mark.parametrize("seconds", sample([0.5, 0.1, 1.2, 2.0]))
def test_what_was_under_way_goes_on(seconds: float) -> None:
    """A creation, an upgrade and a deletion, each cut off after some seconds."""
    with Simulator(machines=6) as omni:
        outputs = made(client_of(omni))
        time.sleep(seconds)
    with again(omni) as omni:
        outputs = changed(client_of(omni), outputs, waitFor="ready")
        changed(client_of(omni), outputs, talosVersion="1.13.8")
        time.sleep(seconds)
    with again(omni) as omni:
        client = client_of(omni)
        assert changed(client, outputs, talosVersion="1.13.8", waitFor="ready").ready
        client.state.teardown(CLUSTER, "west")
        time.sleep(seconds / 5)
    with again(omni) as omni:
        client = client_of(omni)
        delete("west", Session(client, Deadline.after(300)))
        assert len(client.state.list(MACHINE_STATUS, {"omni.sidero.dev/available": None})) == 6


@pytest.mark.parametrize("kind", [CLUSTER_UUID, CLUSTER_STATUS], ids=lambda kind: kind.name)
def test_a_deletion_that_was_between_two_of_its_steps_goes_on(kind: ResourceType) -> None:
    with Simulator(machines=6) as omni:
        made(client_of(omni))
    with Simulator(saved=omni.save(), speed="manual") as omni:
        assert isinstance(omni.clock, ManualClock)
        omni.clock.advance(600)
        client_of(omni).state.teardown(CLUSTER, "west")
        while not ((found := omni.store.find(kind, "west")) and found.tearing_down):
            omni.clock.advance(0.05)
    with again(omni) as omni:
        client = client_of(omni)
        delete("west", Session(client, Deadline.after(300)))
        assert client.state.find(CLUSTER, "west") is None


def test_another_key_is_not_kept() -> None:
    with Simulator(machines=1) as omni:
        key = omni.issue_key("reader", role="Reader")
    assert key not in omni.save().text()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2}', "\0"])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(NotSavedError):
        SavedOmni.read(text)
