"""A replacement, whatever it is that asks for it, ends with a new cluster that runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ksail_pulumi.omni.resources import TALOS_VERSION
from ksail_pulumi.simulator.server import Simulator
from tests.e2e import server
from tests.e2e.programs import WITH_TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.omni.client import Client
    from tests.e2e.project import Project, Run

# What asks for the replacement of each cluster but `moved`, which gets the same Omni under another host name.
CLUSTERS = ("forced", "targeted", "tainted", "labelled", "triggered", "followed", "moved")


@pytest.fixture
def simulator(omni_endpoint: str) -> Iterator[Simulator]:
    """An Omni with machines for seven clusters."""
    if omni_endpoint:
        pytest.skip("takes more machines than most have")
    with Simulator(machines=10) as omni:
        yield omni


def asked(endpoint: str, machines: list[str], *, second: bool) -> dict[str, dict[str, Any]]:
    """What the program makes, at first or the second time; with listed machines, if there are any."""
    clusters: dict[str, dict[str, Any]] = {
        name: {"control_plane": {"machines": [machines[index]]}} if machines else {}
        for index, name in enumerate(CLUSTERS)
    }
    value = "second" if second else "first"
    clusters["labelled"] |= {"labels": {"value": value}, "options": {"replace_on_changes": ["labels"]}}
    clusters["triggered"] |= {"options": {"replacement_trigger": value}}
    clusters["followed"] |= {"options": {"replace_with": ["forced"]}}
    clusters["moved"] |= {"endpoint": endpoint.replace("127.0.0.1", "localhost") if second else endpoint}
    return clusters


@pytest.mark.sweep
@pytest.mark.parametrize("listed", [False, True], ids=["counted machines", "listed machines"])
def test_every_way_to_ask_for_a_replacement_gives_a_new_cluster_that_runs(
    project: Project, simulator: Simulator, omni: Client, free_machines: list[str], listed: bool
) -> None:
    machines = free_machines if listed else []
    replaced = set(CLUSTERS) - {"targeted", "moved"}
    project.init()
    project.clusters(asked(simulator.endpoint, machines, second=False))
    project.up()
    before = server.uuids(omni)
    server.is_as_stored(project, omni)
    outputs = project.outputs()
    nodes = {name: outputs[name]["nodes"] for name in CLUSTERS}

    project.run("state", "taint", project.urn("tainted"), "--yes")
    project.clusters(asked(simulator.endpoint, machines, second=True))
    preview = project.preview("--replace", project.urn("forced"))
    assert preview.changes == {"replace": 20, "update": 1, "unchanged": 8}, preview.output
    for name in replaced:
        says_what_is_wiped(preview, name, nodes[name])

    up = project.up("--replace", project.urn("forced"))
    assert up.changes == {"replaced": 20, "updated": 1, "unchanged": 8}, up.output
    after = server.uuids(omni)
    assert {name for name in CLUSTERS if after[name] != before[name]} == replaced
    server.is_as_stored(project, omni)

    target = project.up("--target-replace", project.urn("targeted"))
    assert target.changes == {"replaced": 4, "unchanged": 25}, target.output
    assert {name for name, uuid in server.uuids(omni).items() if uuid != after[name]} == {"targeted"}
    server.is_as_stored(project, omni)
    # The credentials were not targeted, and have not seen the new identity.
    assert project.up().changes == {"replaced": 2, "unchanged": 27}
    assert project.up().changes == {"unchanged": 29}


def says_what_is_wiped(run: Run, cluster: str, nodes: list[dict[str, Any]]) -> None:
    names = ", ".join(sorted(f"{node['hostname']} ({node['id']})" for node in nodes))
    assert f"is deleted first, and its machines are wiped: {names}" in run.told[cluster], run.output


@pytest.mark.sweep
def test_a_cluster_that_is_replaced_with_a_resource_of_another_kind_is_deleted_first_all_the_same(
    project: Project, omni: Client
) -> None:
    project.program(WITH_TEXT)
    project.clusters({"text": {"text": "one", "replaced": True}, "main": {"follows": True}})
    project.init()
    project.up()
    before = server.uuids(omni)
    project.clusters({"text": {"text": "two", "replaced": True}, "main": {"follows": True}})
    up = project.up()
    assert up.changes == {"replaced": 5, "unchanged": 1}, up.output
    assert before["main"] != server.uuids(omni)["main"]
    server.is_as_stored(project, omni)
    assert project.up().changes == {"unchanged": 6}


@pytest.mark.sweep
def test_a_replaced_cluster_keeps_the_name_and_the_versions_that_were_chosen_once(
    project: Project, simulator: Simulator, omni: Client
) -> None:
    project.init()
    project.clusters({"main": {}})
    project.up()
    before = server.uuids(omni)
    chosen = project.outputs()["main"]["talosVersion"]
    # The resource gets another name, and Omni newer versions: a new cluster would have both.
    project.clusters({"other": {"options": {"aliases": [project.urn("main")]}}})
    project.up()
    newer = chosen.rpartition(".")[0] + ".999"
    known = simulator.store.get(TALOS_VERSION.name, TALOS_VERSION.namespace, chosen)
    simulator.store.create(replace(known, id=newer, spec=type(known.spec)(version=newer), version=0))

    up = project.up("--replace", project.urn("other"))
    assert up.changes == {"replaced": 4, "unchanged": 1}, up.output
    after = server.uuids(omni)
    assert set(after) == {"main"}
    assert project.uuids() == {"other": after["main"]}
    assert after != before
    assert project.outputs()["other"]["talosVersion"] == chosen
    assert project.up().changes == {"unchanged": 5}


@pytest.mark.sweep
def test_a_cluster_that_was_imported_can_be_replaced_while_the_program_still_imports_it(
    project: Project, omni: Client
) -> None:
    project.init()
    project.clusters({"main": {}})
    project.up()
    before = server.uuids(omni)
    project.run("state", "delete", project.urn("main"), "--target-dependents", "--yes")
    project.clusters({"main": {"options": {"import_": "main"}}})
    project.up()
    assert server.uuids(omni) == before
    assert project.up().changes == {"unchanged": 5}
    up = project.up("--replace", project.urn("main"))
    assert up.changes == {"replaced": 4, "unchanged": 1}, up.output
    assert server.uuids(omni) != before
    server.is_as_stored(project, omni)
    assert project.up().changes == {"unchanged": 5}


@pytest.mark.sweep
def test_the_preview_of_a_replacement_says_once_what_happens_and_not_what_an_update_would_do(
    project: Project, simulator: Simulator
) -> None:
    clusters: dict[str, dict[str, Any]] = {
        "listed": {"options": {"replace_on_changes": ["talosVersion"]}},
        "triggered": {"options": {"replacement_trigger": "first"}},
        "forced": {},
        "updated": {"options": {"replace_on_changes": ["labels"]}},
    }
    older = "1.13.7"
    project.init()
    project.clusters(clusters)
    project.up()

    clusters["triggered"]["options"] = {"replacement_trigger": "second"}
    project.clusters({name: {**inputs, "talos_version": older} for name, inputs in clusters.items()})
    told = project.preview("--replace", project.urn("forced")).told
    for name in ("listed", "triggered", "forced"):
        assert told[name].count("its machines are wiped") == 1, told[name]
        assert told[name].count(older) == 1, told[name]
        assert "every machine reboots" not in told[name]
    assert f"-> {older}: every machine reboots" in told["updated"]
    assert "wiped" not in told["updated"]


def test_a_replacement_that_cannot_get_its_machines_deletes_nothing(
    project: Project, simulator: Simulator, omni: Client
) -> None:
    project.init()
    project.clusters({"main": {"options": {"replace_on_changes": ["workers"]}}})
    project.up()
    before = server.uuids(omni)

    project.clusters({"main": {"workers": 100, "options": {"replace_on_changes": ["workers"]}}})
    assert "not enough available machines" in project.preview().told["main"]
    failed = project.up(fails=True)
    assert "Cluster 'main' is not deleted for its replacement" in failed.told["main"]
    assert server.uuids(omni) == before
