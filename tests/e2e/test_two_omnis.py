"""A state belongs to one Omni: a cluster of the same name and mark in another one is not the stack's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.lease import finish_creation
from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.resources import MACHINE_CLASS, MACHINE_LABELS
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.simulator.server import Simulator
from tests.e2e import server
from tests.e2e.life import lookout
from tests.e2e.programs import WITH_TEXT

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
    """A client of the other Omni."""
    client = connect(Connection(other.endpoint, other.service_account_key))
    yield client
    client.close()


@pytest.fixture
def twin(other_omni: Client) -> None:
    """A cluster in the other Omni with the name and the mark of the one that the tests make here."""
    mark = OwnershipMark("organization/test/dev/main")
    made = create(parse_cluster({"name": "main"}), mark, Session(other_omni, Deadline.after(120)))
    finish_creation(other_omni, "main", made.creation)


@pytest.mark.sweep
@pytest.mark.usefixtures("twin")
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
        assert f"cluster 'main' was last seen in Omni at {simulator.endpoint} and" in told
        assert f"and does not exist in Omni at {other.endpoint}" in told
        assert "set `omni:endpoint` or OMNI_ENDPOINT back to the former endpoint" in told
    assert (server.uuids(omni), server.uuids(other_omni)) == (here, there)
    assert len(other.store.audit) == audit
    assert project.uuids() == here

    assert project.destroy().changes == {"deleted": 2}  # the children went before
    assert (server.uuids(omni), server.uuids(other_omni)) == ({}, there)


def moves_there(project: Project, other: Simulator) -> None:
    """Have the program ask for the cluster in the other Omni."""
    project.environment["OTHER_KEY"] = other.service_account_key
    project.clusters({"main": {"endpoint": other.endpoint, "service_account_key_env_var": "OTHER_KEY"}})


@pytest.mark.sweep
def test_only_an_endpoint_in_the_program_moves_a_cluster(
    project: Project, simulator: Simulator, omni: Client, other: Simulator, other_omni: Client
) -> None:
    """As with a ksail.yaml that has an endpoint, where OMNI_ENDPOINT is set on one machine and not on another."""
    project.init()
    project.clusters({"main": {"endpoint": simulator.endpoint}})
    project.up()
    before = server.uuids(omni)

    project.clusters({"main": {}})
    elsewhere = {"OMNI_ENDPOINT": other.endpoint, "OMNI_SERVICE_ACCOUNT_KEY": other.service_account_key}
    for verb in (project.preview, project.up):
        told = verb(environment=elsewhere, fails=True).told["main"]
        assert (
            f"endpoint: cluster 'main' is in Omni at {simulator.endpoint}, and this is Omni at {other.endpoint}" in told
        )
    assert project.up().changes == {"unchanged": 5}
    assert project.up(environment=elsewhere).changes == {"unchanged": 5}
    assert (server.uuids(omni), server.uuids(other_omni)) == (before, {})
    assert project.uuids() == before


@pytest.mark.sweep
def test_an_endpoint_of_another_omni_replaces_the_cluster_by_one_there(
    project: Project, simulator: Simulator, omni: Client, other: Simulator, other_omni: Client
) -> None:
    project.init()
    project.clusters({"main": {"endpoint": simulator.endpoint}})
    project.up()
    (machine,) = server.machines(omni, "main")
    moves_there(project, other)
    preview = project.preview()
    gone = f"cluster main in Omni at {simulator.endpoint} is deleted first, and its machines are wiped: "
    assert gone in preview.told["main"]
    assert machine in preview.told["main"]
    up = project.up()
    assert up.changes == {"replaced": 4, "unchanged": 1}, up.output
    assert server.uuids(omni) == {}
    server.is_as_stored(project, other_omni)
    assert project.up().changes == {"unchanged": 5}


@pytest.mark.sweep
@pytest.mark.usefixtures("twin")
def test_an_endpoint_of_another_omni_that_has_such_a_cluster_is_refused_before_anything_is_deleted(
    project: Project, simulator: Simulator, omni: Client, other: Simulator, other_omni: Client
) -> None:
    project.init()
    project.clusters({"main": {"endpoint": simulator.endpoint}})
    project.up()
    here, there = server.uuids(omni), server.uuids(other_omni)
    moves_there(project, other)
    for refused in (project.preview(fails=True), project.up(fails=True)):
        assert "cluster 'main' already exists in Omni (since " in refused.told["main"]
    assert (server.uuids(omni), server.uuids(other_omni)) == (here, there)
    assert project.uuids() == here


@pytest.mark.sweep
def test_an_endpoint_that_cannot_be_asked_replaces_nothing(
    project: Project, simulator: Simulator, omni: Client
) -> None:
    project.init()
    project.clusters({"main": {"endpoint": simulator.endpoint}})
    project.up()
    before = server.uuids(omni)
    with lookout() as (endpoint, knocks):
        project.clusters({"main": {"endpoint": endpoint}})
        for verb in (project.preview, project.up):
            assert f"error: cannot connect to Omni at {endpoint}" in verb(fails=True).told["main"]
    assert knocks
    assert server.uuids(omni) == before == project.uuids()


@pytest.mark.sweep
def test_an_endpoint_that_is_not_known_yet_is_warned_of_and_another_name_of_the_same_omni_replaces_nothing(
    project: Project, simulator: Simulator, omni: Client
) -> None:
    def ask(endpoint: str) -> None:
        project.clusters({"text": {"text": endpoint, "replaced": False}, "main": {"endpoint": "{text}"}})

    project.program(WITH_TEXT)
    project.init()
    ask(simulator.endpoint)
    project.up()
    before = server.uuids(omni)
    ask(simulator.endpoint.replace("127.0.0.1", "localhost"))
    warning = (
        "endpoint is not known yet. If it changes, the cluster is replaced: it is deleted, and its machines are wiped"
    )
    assert warning in project.preview().told["main"]
    up = project.up()
    assert up.changes == {"updated": 2, "unchanged": 4}, up.output
    assert server.uuids(omni) == before
    assert project.uuids()["main"] == before["main"]


OWN_RESOURCES = """\
import json
from pathlib import Path

from ksail_pulumi import MachineClass, MachineConfig

asked = json.loads(Path("dev.json").read_text())
MachineClass("big", match_labels=["size = big"], **asked["omni"])
MachineConfig("rack", machine_id=asked["machine"], labels={"zone": "b"}, **asked["omni"])
"""


@pytest.mark.sweep
def test_a_machine_class_and_the_settings_of_a_machine_move_to_another_omni(
    project: Project, simulator: Simulator, omni: Client
) -> None:
    machine = simulator.machines[0].id
    with Simulator(machines=1) as other:  # its machine has the same ID
        there = connect(Connection(other.endpoint, other.service_account_key))
        project.environment["OTHER_KEY"] = other.service_account_key
        project.program(OWN_RESOURCES)
        project.init()
        project.clusters({"machine": machine, "omni": {"endpoint": simulator.endpoint}})  # type: ignore[dict-item]
        project.up()
        moved = {"endpoint": other.endpoint, "service_account_key_env_var": "OTHER_KEY"}
        project.clusters({"machine": machine, "omni": moved})  # type: ignore[dict-item]
        preview = project.preview()
        assert preview.changes == {"replace": 2, "unchanged": 1}, preview.output
        up = project.up()
        assert up.changes == {"replaced": 2, "unchanged": 1}, up.output
        assert omni.state.find(MACHINE_CLASS, "big") is None
        assert "zone" not in omni.state.get(MACHINE_LABELS, machine).labels
        assert there.state.find(MACHINE_CLASS, "big") is not None
        assert there.state.get(MACHINE_LABELS, machine).labels == {"zone": "b"}
        project.preview("--expect-no-changes")
        there.close()
