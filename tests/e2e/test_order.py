"""What is deleted and what is created first in a replacement, and what is left when the second half fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest

from ksail_pulumi.omni.resources import CLUSTER
from ksail_pulumi.simulator.store import StoreError
from tests.e2e import server

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.simulator.faults import Write
    from ksail_pulumi.simulator.server import Simulator
    from tests.e2e.project import Project

CREATE_FIRST = {"options": {"delete_before_replace": False}}


@pytest.mark.sweep
def test_a_cluster_with_a_new_name_is_made_of_the_machines_of_the_old_one_or_first_of_spare_ones(
    project: Project, simulator: Simulator, omni: Client
) -> None:
    # Five of six machines: one is spare, which is enough for `spare` and not for `full`.
    project.init()
    project.clusters({"spare": {"name": "old", **CREATE_FIRST}, "full": {"name": "before", "workers": 2}, "kept": {}})
    project.up()
    audit = len(simulator.store.audit)
    clusters = {"spare": {"name": "new", **CREATE_FIRST}, "full": {"name": "after", "workers": 2}, "kept": CREATE_FIRST}
    project.clusters(clusters)
    preview = project.preview()
    assert preview.changes == {"replace": 8, "unchanged": 5}, preview.output
    assert "warning" not in preview.output
    assert "cluster old is deleted after the new one is created, and its machines are wiped: " in preview.told["spare"]
    assert "cluster before is deleted first, and its machines are wiped: " in preview.told["full"]

    up = project.up()
    assert up.changes == {"replaced": 8, "unchanged": 5}, up.output
    done = [(entry.verb, entry.id) for entry in simulator.store.audit[audit:] if entry.type == CLUSTER.name]
    assert done.index(("create", "new")) < done.index(("teardown", "old"))
    assert done.index(("teardown", "before")) < done.index(("create", "after"))
    there = server.uuids(omni)
    assert set(there) == {"new", "after", "kept"}
    assert set(project.uuids().values()) == set(there.values())

    # The same name cannot be had twice, nor the machines of `full`: neither loses anything.
    clusters["full"] = {"name": "third", "workers": 2, **CREATE_FIRST}
    project.clusters(clusters)
    refused = project.preview("--replace", project.urn("kept"), fails=True)
    assert "A replacement under the same name needs `delete_before_replace`." in refused.told["kept"]
    failed = project.up("--replace", project.urn("kept"), "--continue-on-error", fails=True)
    assert "A replacement under the same name needs `delete_before_replace`." in failed.told["kept"]
    # What is refused ends the command, perhaps before the other one begins.
    failed = project.up("--continue-on-error", fails=True)
    assert "not enough available machines" in failed.told["full"]
    assert server.uuids(omni) == there
    assert set(project.uuids().values()) == set(there.values())
    for name in there:
        assert server.runs(omni, name)
    clusters["full"] = {"name": "after", "workers": 2}
    project.clusters(clusters)
    assert project.up().changes == {"unchanged": 13}


@pytest.mark.sweep
def test_a_replacement_whose_second_half_times_out_leaves_the_new_cluster_in_the_state(
    project: Project, simulator: Simulator, omni: Client, free_machines: list[str]
) -> None:
    project.init()
    project.clusters({"main": {"timeout": "60s"}})
    project.up()
    before = server.uuids(omni)
    simulator.faults.never_join |= set(free_machines)
    project.clusters({"main": {"timeout": "4s"}})
    failed = project.up("--replace", project.urn("main"), fails=True)
    assert "cluster main is not ready after 4s" in failed.told["main"]
    after = server.uuids(omni)
    assert after["main"] != before["main"]
    assert project.uuids() == after
    gone = project.destroy()
    assert gone.changes == {"deleted": 2}, gone.output
    assert server.uuids(omni) == {}
    assert project.resources() == {}


@pytest.mark.sweep
def test_a_replacement_whose_second_half_is_refused_leaves_nothing_in_omni_and_the_next_up_creates(
    project: Project, simulator: Simulator, omni: Client
) -> None:
    key = simulator.issue_key("short-lived")
    refused: list[Write] = []

    def end_the_key(moment: str, write: Write) -> None:
        if (moment, write.verb, write.type, refused) == ("before", "Create", CLUSTER.name, []):
            refused.append(write)
            simulator.revoke_key(key)
            raise StoreError(grpc.StatusCode.UNAUTHENTICATED, "invalid signature")

    project.init()
    project.clusters({"main": {}})
    project.up()
    simulator.faults.on_write(end_the_key)
    environment = {"OMNI_SERVICE_ACCOUNT_KEY": key}
    failed = project.up("--replace", project.urn("main"), environment=environment, fails=True)
    assert "does not accept the key of service account 'short-lived'" in failed.told["main"]
    assert server.uuids(omni) == {}
    project.up()
    server.is_as_stored(project, omni)
    assert project.up().changes == {"unchanged": 5}
    assert project.destroy().changes == {"deleted": 5}
    assert server.uuids(omni) == {}


@pytest.mark.sweep
def test_a_cluster_that_would_never_be_deleted_is_refused_in_the_program(project: Project) -> None:
    project.init()
    project.clusters({"first": {}, "second": {"options": {"deleted_with": "first"}}})
    preview = project.preview(fails=True)
    assert "the option `deleted_with` is not supported: Pulumi would not delete the cluster" in preview.output
    assert "Traceback" not in preview.output


@pytest.mark.sweep
def test_a_replacement_that_creates_first_and_times_out_has_both_clusters_until_the_next_up(
    project: Project, simulator: Simulator, omni: Client, free_machines: list[str]
) -> None:
    project.init()
    project.clusters({"main": {"name": "old", **CREATE_FIRST}})
    project.up()
    simulator.faults.never_join |= set(free_machines)
    project.clusters({"main": {"name": "new", "timeout": "4s", **CREATE_FIRST}})
    assert "cluster new is not ready after 4s" in project.up(fails=True).told["main"]
    assert set(server.uuids(omni)) == {"old", "new"}
    simulator.faults.never_join.clear()
    project.clusters({"main": {"name": "new", **CREATE_FIRST}})
    project.up()
    assert project.uuids() == {"main": server.uuids(omni)["new"]}
    assert set(server.uuids(omni)) == {"new"}
    assert server.runs(omni, "new")
