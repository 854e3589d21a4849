"""What stands on a cluster's kubeconfig, in the plan of a change of the cluster.

`OnTop` has the rule of pulumi-kubernetes 4.25: it plans its replacement where the kubeconfig is not known, unless the
cluster's identifier is known; a new kubeconfig for the same server is an update.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e import server

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from tests.e2e.project import Project

PROGRAM = """\
import json
from pathlib import Path

import pulumi
from pulumi import dynamic
from pulumi.output import Unknown

from ksail_pulumi import OmniCluster


class OnTopProvider(dynamic.ResourceProvider):
    def diff(self, id, olds, news):
        known = not isinstance(news["identifier"], Unknown)
        same = known and olds["identifier"] == news["identifier"] and bool(news["identifier"])
        unknown = isinstance(news["kubeconfig"], Unknown)
        changed = unknown or olds["kubeconfig"] != news["kubeconfig"]
        replaces = [] if same or (known and not unknown and not news["identifier"]) else ["kubeconfig"]
        return dynamic.DiffResult(changes=changed or bool(replaces), replaces=replaces)

    def create(self, props):
        return dynamic.CreateResult("top", {**props, "made": props["identifier"]})

    def update(self, id, olds, news):
        return dynamic.UpdateResult({**news, "made": olds["made"]})


class OnTop(dynamic.Resource):
    def __init__(self, name, cluster, identified):
        identifier = cluster.cluster_uuid if identified else ""
        properties = {"kubeconfig": cluster.kubeconfig, "identifier": identifier, "made": None}
        super().__init__(OnTopProvider(), name, properties)


class Platform(pulumi.ComponentResource):
    def __init__(self, name, inputs):
        super().__init__("test:index:Platform", name)
        self.cluster = OmniCluster("main", opts=pulumi.ResourceOptions(parent=self), **inputs)


asked = json.loads(Path(f"{pulumi.get_stack()}.json").read_text())
if asked.pop("component", False):
    cluster = Platform("platform", asked).cluster
elif "get" in asked:
    cluster = OmniCluster.get("main", asked["get"])
else:
    cluster = OmniCluster("main", **asked)
OnTop("plain", cluster, False)
OnTop("identified", cluster, True)
pulumi.export("uuid", cluster.cluster_uuid)
pulumi.export("kubeconfig", cluster.kubeconfig)
"""
TOP = ("pulumi-python:dynamic:Resource plain", "pulumi-python:dynamic:Resource identified")


def test_a_change_of_the_cluster_leaves_what_stands_on_it_alone(project: Project, omni: Client) -> None:
    project.init()
    project.program(PROGRAM)
    project.clusters({"labels": {"a": "b"}})  # type: ignore[dict-item]
    project.up()
    before = project.outputs(show_secrets=True)
    project.clusters({"labels": {"a": "c"}, "workers": 1})  # type: ignore[dict-item]
    assert project.preview().changes == {"update": 1, "unchanged": 6}
    assert project.up().changes == {"updated": 1, "unchanged": 6}
    assert project.outputs(show_secrets=True) == before

    # A renewal is an update for what knows the cluster by its UUID.
    project.clusters({"labels": {"a": "c"}, "workers": 1, "kubeconfig": {"user": "ci"}})  # type: ignore[dict-item]
    preview = project.preview()
    assert f"~  {TOP[1]} update" in preview.output, preview.output
    up = project.up()
    assert f"~  {TOP[1]} updated" in up.output, up.output
    assert project.outputs(show_secrets=True)["uuid"] == before["uuid"] == server.uuids(omni)["main"]


@pytest.mark.sweep
@pytest.mark.parametrize("way", ["force", "name", "component"])
def test_a_replacement_of_the_cluster_replaces_what_stands_on_it_first(
    project: Project, omni: Client, way: str
) -> None:
    project.init()
    project.program(PROGRAM)
    asked = {"component": True} if way == "component" else {}
    project.clusters(asked)  # type: ignore[arg-type]
    project.up()
    before = project.outputs(show_secrets=True)
    if way == "name":
        project.clusters({"name": "other"})  # type: ignore[dict-item]
        arguments: tuple[str, ...] = ()
    else:
        (cluster,) = (item["urn"] for item in project.resources().values() if item["urn"].endswith("::main"))
        arguments = ("--replace", cluster)
    preview = project.preview(*arguments)
    assert preview.changes["replace"] == 6, preview.output
    up = project.up(*arguments)
    assert up.changes["replaced"] == 6, up.output
    deleted = [line.split()[2] for line in up.output.splitlines() if re.search(r"^ --.* deleted", line)]
    assert max(map(deleted.index, ("plain", "identified"))) < deleted.index("main"), up.output
    after = project.outputs(show_secrets=True)
    assert [after["uuid"]] == list(server.uuids(omni).values())
    assert after["uuid"] != before["uuid"]
    assert after["kubeconfig"] != before["kubeconfig"]


@pytest.mark.sweep
def test_a_cluster_that_is_only_read_has_a_kubeconfig_on_request(project: Project, omni: Client) -> None:
    project.init()
    project.clusters({"main": {}})
    project.up()
    project.init("reader")
    project.program(PROGRAM)
    project.clusters({"get": "main"}, "reader")  # type: ignore[dict-item]
    up = project.up("--stack", "reader")
    assert "Kubeconfig main-kubeconfig created" in up.output
    assert "Talosconfig" not in up.output
    outputs = project.outputs("reader", show_secrets=True)
    assert outputs["uuid"] == server.uuids(omni)["main"]
    assert "kind: Config" in outputs["kubeconfig"]
    assert project.preview("--stack", "reader").changes == {"unchanged": 4}
