"""A cluster keeps its name when its resource is renamed, and no two resources have one cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e import server
from tests.e2e.programs import COMPONENTS, WITH_TEXT

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from tests.e2e.project import Project

PATCHED = {
    "workers": 1,
    "patches": [{"name": "sysctls", "inline": {"machine": {"sysctls": {"fs.file-max": "100000"}}}}],
}


@pytest.mark.sweep
def test_a_resource_renamed_with_an_alias_keeps_its_cluster_and_its_old_name_gets_no_second_one(
    project: Project, omni: Client
) -> None:
    project.init()
    project.clusters({"main": PATCHED})
    project.up()
    before = server.uuids(omni)

    renamed = {**PATCHED, "options": {"aliases": [project.urn("main")]}}
    project.clusters({"renamed": renamed})
    up = project.up()
    assert up.changes == {"updated": 1, "unchanged": 4}, up.output
    assert project.uuids() == {"renamed": before["main"]}
    assert server.uuids(omni) == before
    assert server.owners(omni, "main") == {"organization/test/dev/renamed"}

    project.clusters({"renamed": renamed, "main": {}})
    refused = project.preview(fails=True)
    assert "cluster 'main' already exists in Omni (since " in refused.told["main"]
    assert "and is managed by the Pulumi resource organization/test/dev/renamed" in refused.told["main"]
    assert "Otherwise choose another name" in refused.told["main"]


@pytest.mark.sweep
@pytest.mark.parametrize("order", [("main", "renamed"), ("renamed", "main")], ids="-".join)
def test_a_new_resource_with_the_old_name_in_the_same_run_gets_no_cluster_of_another_one(
    project: Project, omni: Client, order: tuple[str, str]
) -> None:
    project.init()
    project.clusters({"main": PATCHED})
    project.up()
    before = server.uuids(omni)
    both = {"main": PATCHED, "renamed": {**PATCHED, "options": {"aliases": [project.urn("main")]}}}
    project.clusters({name: both[name] for name in order})
    up = project.up("--continue-on-error", fails=True)
    assert "choose another name" in up.output
    assert server.uuids(omni) == before
    assert server.runs(omni, "main")
    project.clusters({"renamed": both["renamed"]})
    project.up()
    assert project.uuids() == {"renamed": before["main"]}
    assert server.uuids(omni) == before


@pytest.mark.sweep
def test_a_resource_renamed_in_the_state_keeps_its_cluster(project: Project, omni: Client) -> None:
    project.init()
    project.clusters({"main": PATCHED})
    project.up()
    before = server.uuids(omni)
    project.run("state", "rename", project.urn("main"), "other", "--yes")
    project.clusters({"other": PATCHED})
    preview = project.preview()
    assert preview.changes == {"create": 3, "delete": 3, "update": 1, "unchanged": 1}, preview.output
    up = project.up()
    assert up.changes == {"created": 3, "deleted": 3, "updated": 1, "unchanged": 1}, up.output
    assert project.uuids() == {"other": before["main"]}
    assert server.uuids(omni) == before
    assert server.owners(omni, "main") == {"organization/test/dev/other"}
    assert project.up().changes == {"unchanged": 5}
    project.destroy()
    assert server.uuids(omni) == {}


@pytest.mark.sweep
def test_two_resources_of_one_stack_cannot_have_one_cluster(project: Project, omni: Client) -> None:
    project.init()
    project.clusters({"one": {"name": "main"}, "two": {"name": "main"}})
    refused = project.preview(fails=True)
    told = " ".join(refused.told.values())
    assert "has a problem: name: the resource 'urn:pulumi:dev::test::" in told
    assert "of this stack already manages cluster 'main': choose another name" in told
    assert "Traceback" not in refused.output


@pytest.mark.sweep
def test_children_of_the_same_name_in_two_components_are_two_clusters(project: Project, omni: Client) -> None:
    project.program(COMPONENTS)
    project.init()
    project.clusters({"shop": {}, "bank": {}})
    refused = project.preview(fails=True)
    assert (
        "$pulumi-python:dynamic/ksail:OmniCluster::cluster' of this stack already manages cluster 'cluster'"
        in refused.output
    )

    project.clusters({"shop": {"name": "fruit"}, "bank": {"name": "money"}})
    up = project.up()
    assert up.changes == {"created": 11}, up.output
    for cluster, component in (("fruit", "Shop"), ("money", "Bank")):
        kind = f"test:index:{component}$pulumi-python:dynamic/ksail:OmniCluster"
        assert server.owners(omni, cluster) == {f"organization/test/dev/{kind}::cluster"}
        assert len(server.machines(omni, cluster)) == 1
    before = server.uuids(omni)
    assert project.up().changes == {"unchanged": 11}

    # The child becomes one of another component: it stays the same cluster.
    program = (
        COMPONENTS.replace("Shop(pulumi.", "Market(pulumi.").replace(":Shop", ":Market").replace("Shop(", "Market(")
    )
    alias = "aliases=[pulumi.Alias(type_='test:index:Shop')]"
    project.program(program.replace("name, None, opts)", f"name, None, pulumi.ResourceOptions({alias}))", 1))
    moved = project.up()
    assert moved.changes["updated"] == 1, moved.output
    assert server.uuids(omni) == before
    kind = "test:index:Market$pulumi-python:dynamic/ksail:OmniCluster"
    assert server.owners(omni, "fruit") == {f"organization/test/dev/{kind}::cluster"}
    assert project.destroy().changes["deleted"] == 11
    assert server.uuids(omni) == {}


@pytest.mark.sweep
def test_a_name_that_is_not_known_yet_is_warned_of_and_replaces_only_if_it_changes(
    project: Project, omni: Client
) -> None:
    def ask(text: str, name: str) -> None:
        project.clusters({"text": {"text": text, "replaced": False}, "main": {"name": name}})

    project.program(WITH_TEXT)
    project.init()
    ask("one", "{text}")
    project.up()
    before = server.uuids(omni)
    assert set(before) == {"one"}

    warning = "name is not known yet. If it changes, the cluster is replaced: it is deleted, and its machines are wiped"
    ask("two", "{text}")
    plan = str(project.folder.parent / "plan.json")
    preview = project.preview("--save-plan", plan)
    assert warning in preview.told["main"]
    # What the plan holds is not what happens now: nothing is lost by finding out.
    violated = project.up("--plan", plan, fails=True)
    assert "resource is constrained to" in violated.output, violated.output
    assert server.uuids(omni) == before
    up = project.up()
    assert up.changes == {"replaced": 4, "unchanged": 2}, up.output
    after = server.uuids(omni)
    assert set(after) == {"two"}
    assert project.uuids()["main"] == after["two"] != before["one"]
    assert server.runs(omni, "two")

    # The text changes and the name does not.
    ask("three", "two{text:.0}")
    assert warning in project.preview().told["main"]
    up = project.up()
    assert "replaced" not in up.changes, up.output
    assert server.uuids(omni) == after


@pytest.mark.sweep
def test_two_clusters_that_swap_their_names_are_refused_before_anything_is_deleted(
    project: Project, omni: Client
) -> None:
    project.init()
    project.clusters({"a": {"name": "one"}, "b": {"name": "two"}})
    project.up()
    before = server.uuids(omni)
    project.clusters({"a": {"name": "two"}, "b": {"name": "one"}})
    for refused in (project.preview(fails=True), project.up("--continue-on-error", fails=True)):
        assert "and is managed by the Pulumi resource organization/test/dev/" in refused.output
    assert server.uuids(omni) == before
    assert set(project.uuids().values()) == set(before.values())
