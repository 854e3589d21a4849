"""Somebody changes the cluster, and a refresh names what and who."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.resources import (
    ANNOTATION_LOCKED,
    CLUSTER,
    CONFIG_PATCH,
    LABEL_CLUSTER,
    LABEL_MACHINE_SET,
    MACHINE_SET_NODE,
    Resource,
)

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.simulator.server import Simulator
    from tests.e2e.project import Project


def test_a_refresh_names_each_drifted_field_and_who_changed_it(
    project: Project, simulator: Simulator, omni: Client, free_machines: list[str]
) -> None:
    inputs = {"workers": 2, "labels": {"team": "a"}, "patches": [{"name": "time", "inline": "debug: false\n"}]}
    project.init()
    project.clusters({"main": inputs})
    project.up()
    nodes = omni.state.list(MACHINE_SET_NODE, {LABEL_CLUSTER: "main"})
    locked, gone = (node.id for node in nodes if node.labels[LABEL_MACHINE_SET] == "main-workers")
    project.clusters({"main": {**inputs, "machines": {locked: {"locked": False}}}})
    project.up()

    def lock(node: Resource) -> Resource:
        return replace(node, annotations={**node.annotations, ANNOTATION_LOCKED: ""})

    somebody = connect(Connection(simulator.endpoint, simulator.issue_key("colleague")))
    state = somebody.state
    state.modify(CLUSTER, "main", lambda found: replace(found, labels={**found.labels, "team": "b"}))
    spec = specs_pb2.ConfigPatchSpec(data="debug: true\n")
    state.modify(CONFIG_PATCH, "200-cluster-main-time", lambda found: replace(found, spec=spec))
    state.modify(MACHINE_SET_NODE, locked, lock)
    state.teardown(MACHINE_SET_NODE, gone)
    somebody.close()

    refreshed = project.refresh("--diff")
    shown = " ".join(refreshed.output.split())
    assert '~ team: "a" => "b"' in shown
    assert "- debug: false + debug: true" in shown
    assert "~ locked: false => true" in shown
    assert "~ workers : 2 => 1" in shown
    who = "colleague@serviceaccount.omni.sidero.dev"
    assert f"Omni's audit log: {who} changed patch 200-cluster-main-time on 20" in shown
    assert f"{who} removed machine {gone} on 20" in shown
