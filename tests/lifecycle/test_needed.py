"""What is read of an account: nothing that grows with the machines of other clusters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace

import pytest

from ksail_pulumi.errors import NotEnoughMachinesError, OmniError
from ksail_pulumi.lifecycle.account import Reading
from ksail_pulumi.lifecycle.needed import COMMON, FREE_MACHINES, Needed
from ksail_pulumi.lifecycle.snapshot import UNCHANGED, take_snapshot
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import Client, connect
from ksail_pulumi.omni.resources import LABEL_CLUSTER, MACHINE_STATUS
from ksail_pulumi.plan.reservations import Earlier
from ksail_pulumi.plan.snapshot import Snapshot
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab

FREE = 3
MANY = 80


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """An Omni with three free machines, a cluster of one, and one of four."""
    with Simulator(machines=FREE + 5) as omni:
        found = connect(Connection(omni.endpoint, omni.service_account_key))
        Lab(found, "small").create()
        Lab(found, "large").create(workers=3)
        yield found
        found.close()


def read(client: Client, *earlier: str, replaced: tuple[str, ...] = (), **inputs: object) -> Snapshot:
    spec = parse_cluster({"name": "west", **inputs})
    first = [Earlier(parse_cluster({"name": name})) for name in earlier]
    return take_snapshot(client, "west", Needed.by(spec, first, replaced))


def test_a_set_with_a_count_needs_the_free_machines(client: Client) -> None:
    found = read(client, workers=5)

    assert len(found.statuses) == FREE
    assert (found.nodes, found.clusters) == ([], [])


def test_named_machines_are_read_alone_with_their_nodes(client: Client) -> None:
    (taken, *_) = sorted(each.id for each in client.state.list(MACHINE_STATUS) if each.cluster == "large")

    found = read(client, controlPlane={"machines": [taken]})

    assert [each.id for each in found.statuses] == [each.id for each in found.nodes] == [taken]


def test_a_class_needs_no_machines(client: Client) -> None:
    found = read(client, controlPlane={"machineClass": {"name": "big", "size": 1}})

    assert (found.statuses, found.nodes) == ([], [])


def test_of_clusters_that_choose_first_the_nodes_are_read_and_of_replaced_ones_the_machines_too(client: Client) -> None:
    first = read(client, "large", "missing", workers=3)
    assert [each.id for each in first.clusters] == ["large"]
    assert {each.cluster for each in first.nodes} == {"large"}
    assert {each.cluster for each in first.statuses} == {""}

    replaced = read(client, replaced=("large",))
    assert {each.cluster for each in replaced.statuses} == {"", "large"}
    assert replaced.machines_of("large")


def test_without_enough_free_machines_all_are_counted(client: Client) -> None:
    lab = Lab(client, "west")
    with pytest.raises(NotEnoughMachinesError, match=r"need 9, got 3 .*allocated to cluster large") as caught:
        lab.create(workers=8)
    assert "1 allocated to cluster small" in str(caught.value)


@pytest.fixture
def roomy() -> Iterator[tuple[Simulator, Client]]:
    """An Omni with many free machines, and a client of it."""
    with Simulator(machines=MANY) as omni:
        found = connect(Connection(omni.endpoint, omni.service_account_key))
        yield omni, found
        found.close()


def checked(client: Client, labels: Mapping[str, Mapping[str, str | None]] = UNCHANGED, **inputs: object) -> list[str]:
    """The machines that a check reads."""
    spec = parse_cluster({"name": "west", **inputs})
    found = take_snapshot(client, "west", Needed.by(spec), reading=Reading(), labels=labels)
    return [each.id for each in found.statuses]


def test_a_check_reads_of_many_free_machines_the_first_ones(roomy: tuple[Simulator, Client]) -> None:
    _, client = roomy
    machines = sorted(each.id for each in client.state.list(MACHINE_STATUS))

    assert checked(client, workers=2) == machines[:32]
    assert checked(client, workers=40) == machines[:64]


def test_a_check_for_hundreds_of_machines_reads_them_in_groups() -> None:
    with (
        Simulator(machines=1030, speed="manual") as omni,
        closing(connect(Connection(omni.endpoint, omni.service_account_key))) as client,
    ):
        machines = sorted(each.id for each in client.state.list(MACHINE_STATUS))

        assert checked(client, workers=600) == machines[:1024]


def test_a_check_reads_the_machines_that_will_match_a_selector(roomy: tuple[Simulator, Client]) -> None:
    _, client = roomy
    last = max(each.id for each in client.state.list(MACHINE_STATUS))
    inputs = {"controlPlane": {"count": 1, "selector": "rack = 7"}}

    assert last not in checked(client, **inputs)
    assert last in checked(client, {last: {"rack": "7"}}, **inputs)


def test_a_check_reads_all_free_machines_if_labels_and_statuses_differ() -> None:
    # On the manual clock: else the simulator's controller of machines writes the labels again.
    with (
        Simulator(machines=MANY, speed="manual") as omni,
        closing(connect(Connection(omni.endpoint, omni.service_account_key))) as client,
    ):
        first, *others = sorted(each.id for each in client.state.list(MACHINE_STATUS))
        taken = {LABEL_CLUSTER: "east"}
        omni.store.edit(MACHINE_STATUS, first, lambda status: replace(status, labels=taken))

        assert checked(client, workers=2) == others


def test_a_check_of_a_cluster_that_has_its_machines_reads_no_free_ones(roomy: tuple[Simulator, Client]) -> None:
    _, client = roomy
    lab = Lab(client, "west")
    lab.create(workers=1)

    assert len(checked(client, workers=1)) == 2
    assert len(checked(client, workers=2)) == 2 + 32


def test_those_who_ask_while_a_list_is_read_share_the_next_reading(roomy: tuple[Simulator, Client]) -> None:
    _, client = roomy
    first, second, third = (Reading(joining=COMMON) for _ in range(3))
    for reading in (first, second, third):
        reading.send(client, [FREE_MACHINES])
    shared = third.result(client, FREE_MACHINES)  # reads the first one, too

    assert second.result(client, FREE_MACHINES) is shared
    assert first.result(client, FREE_MACHINES) is not shared
    later = Reading(joining=COMMON)
    assert later.ask(client, FREE_MACHINES) is not shared
    assert len(shared) == MANY


def test_an_error_is_not_shared_by_those_who_ask_together(roomy: tuple[Simulator, Client]) -> None:
    omni, client = roomy
    readings = [Reading(joining=COMMON) for _ in range(3)]
    omni.faults.unavailable = 1000
    for reading in readings:
        reading.send(client, [FREE_MACHINES])
    with pytest.raises(OmniError):
        readings[0].result(client, FREE_MACHINES)
    omni.faults.unavailable = 0
    assert all(len(reading.result(client, FREE_MACHINES)) == MANY for reading in readings)
