"""Pulumi's options with paths of properties, written with the names of Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import server

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from tests.e2e.project import Project


def cluster(size: int, ttl: str, *, cni: str = "flannel", **options: Any) -> dict[str, Any]:
    return {
        "control_plane": {"count": size},
        "workers": [{"name": "a", "count": 1, "labels": {"tier": str(size)}}],
        "kubeconfig": {"ttl": ttl},
        "addons": {"cni": cni},
        "labels": {"size": str(size)},
        "options": options,
    }


IGNORED = ["control_plane.count", "workers[0].labels", "kubeconfig", "addons"]


def test_changes_of_inputs_with_the_names_of_python_are_ignored(project: Project, omni: Client) -> None:
    project.init()
    project.clusters({"main": cluster(1, "24h", additional_secret_outputs=["cluster_uuid"])})
    project.up()
    assert "ciphertext" in project.resources()["main"]["outputs"]["clusterUuid"]

    project.clusters({"main": cluster(3, "48h", cni="none", ignore_changes=IGNORED, hide_diffs=["labels"])})
    up = project.up("--diff")
    assert up.changes == {"updated": 1, "unchanged": 4}, up.output
    assert "~ labels (hidden)" in up.output
    inputs = project.resources()["main"]["inputs"]
    assert inputs["controlPlane"] == {"count": 1}
    assert inputs["workers"] == [{"name": "a", "count": 1, "labels": {"tier": "1"}}]
    assert inputs["kubeconfigOptions"] == {"ttl": "24h"}
    assert inputs["components"] == {"cni": "flannel"}
    assert inputs["labels"] == {"size": "3"}
    assert len(server.machines(omni, "main")) == 2


@pytest.mark.sweep
def test_a_change_of_an_input_with_the_name_of_python_replaces(project: Project, omni: Client) -> None:
    project.init()
    project.clusters({"main": cluster(1, "24h")})
    project.up()
    before = server.uuids(omni)["main"]
    changed = cluster(1, "48h", replace_on_changes=["control_plane", "kubeconfig"])
    project.clusters({"main": changed})
    up = project.up()
    assert up.changes == {"replaced": 4, "unchanged": 1}, up.output
    assert server.uuids(omni)["main"] != before


def test_a_path_that_names_no_input_ends_the_program_with_a_message(project: Project) -> None:
    project.init()
    project.clusters({"main": {"options": {"ignore_changes": ["labels", "control_plane.sise"]}}})
    refused = project.preview(fails=True)
    assert "OmniCluster 'main': ignore_changes[1]: \"control_plane.sise\" names no input; known names: count, " in (
        refused.output
    )
    assert "Traceback" not in refused.output
