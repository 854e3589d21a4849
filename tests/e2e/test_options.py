"""Pulumi's options with paths of properties, written with the names of Python, and inputs that Pulumi does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ksail_pulumi.simulator.server import Simulator
from tests.e2e import server
from tests.e2e.programs import WITH_UNKNOWNS

if TYPE_CHECKING:
    from collections.abc import Iterator

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


@pytest.fixture
def simulator(omni_endpoint: str) -> Iterator[Simulator]:
    """An Omni with a machine for each of many clusters."""
    if omni_endpoint:
        pytest.skip("takes more machines than most have")
    with Simulator(machines=16) as omni:
        yield omni


IGNORED = ["control_plane.count", "workers[0].labels", "kubeconfig", "addons"]


@pytest.mark.sweep
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


def workers(**counts: int) -> list[dict[str, Any]]:
    return [{"name": name, "count": count} for name, count in counts.items()]


def patch(value: str) -> dict[str, Any]:
    return {"patches": [{"name": "p", "inline": f"machine:\n  sysctls:\n    a.b: '{value}'\n"}]}


# By cluster: the option, the inputs before and after, and those that the state has then.
WALK: dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "every": (
        "workers[*].count",
        {"workers": workers(a=0, b=1)},
        {"workers": workers(a=1, b=0)},
        {"workers": workers(a=0, b=1)},
    ),
    "gone": ("workers[1].count", {"workers": workers(a=0, b=1)}, {"workers": workers(a=0)}, {"workers": workers(a=0)}),
    "new": (
        "workers[1].count",
        {"workers": workers(a=0)},
        {"workers": workers(a=0, b=1)},
        {"workers": workers(a=0, b=1)},
    ),
    "key": (
        "labels.a",
        {"labels": {"a": "1", "b": "1"}},
        {"labels": {"a": "2", "b": "2"}},
        {"labels": {"a": "1", "b": "2"}},
    ),
    "added": ("labels.a", {}, {"labels": {"a": "2", "b": "2"}}, {"labels": {"b": "2"}}),
    "patch": ("patches[0].inline", patch("1"), patch("2"), patch("1")),
    "version": ("talos_version", {"talos_version": "1.13.7"}, {"talos_version": "1.13.8"}, {"talosVersion": "1.13.7"}),
    "chosen": ("talos_version", {}, {"talos_version": "1.13.7"}, {}),
    "all": ("*", {"labels": {"a": "1"}}, {"labels": {"a": "2"}, "workers": 1}, {"labels": {"a": "1"}}),
    # A replacement does without the option (pulumi 3.276).
    "tainted": ("labels", {"labels": {"a": "1"}}, {"labels": {"a": "2"}}, {"labels": {"a": "2"}}),
}


@pytest.mark.sweep
def test_nested_paths_and_lists_are_ignored_as_pulumi_ignores_them(project: Project, simulator: Simulator) -> None:
    project.init()
    for index in (1, 2):
        project.clusters(
            {name: {**case[index], "options": {"ignore_changes": [case[0]]}} for name, case in WALK.items()}
        )
        up = project.up()
        if index == 1:
            project.run("state", "taint", project.urn("tainted"), "--yes")
    assert up.changes == {"updated": 4, "replaced": 4, "unchanged": 33}, up.output
    states = {name: project.resources()[name]["inputs"] for name in WALK}
    for name, case in WALK.items():
        found = {key: value for key, value in states[name].items() if not key.startswith("__") and key != "name"}
        assert found == case[3], name
    assert project.preview().changes == {"unchanged": 41}


FOLLOWING: dict[str, dict[str, Any]] = {
    "label": {"labels": {"a": {"of": "text"}}},
    "count": {"workers": {"of": "count"}},
    "version": {"kubernetes_version": {"of": "version"}},
    "patch": {"patches": [{"name": "p", "inline": {"machine": {"sysctls": {"a.b": {"of": "text"}}}}}]},
    "nested": {"workers": [{"name": "a", "count": 0, "labels": {"a": {"of": "text"}}}]},
    "list": {"workers": {"of": "list"}},
    "literal": {"wait_for": {"of": "literal"}},
}


def values(version: str, text: str, literal: str, count: int) -> dict[str, Any]:
    return {"version": version, "text": text, "literal": literal, "count": count, "list": workers(a=count)}


@pytest.mark.sweep
def test_inputs_that_follow_a_replaced_resource_are_updated_with_what_it_then_has(
    project: Project, simulator: Simulator
) -> None:
    first, second = values("1.34.8", "1", "ready", 1), values("1.35.7", "2", "running", 0)
    project.init()
    project.program(WITH_UNKNOWNS)
    project.clusters({"text": first, "clusters": FOLLOWING})
    project.up()
    project.clusters({"text": second, "clusters": FOLLOWING})
    preview = project.preview()
    assert preview.changes == {"update": 7, "replace": 1, "unchanged": 22}, preview.output
    assert project.up().changes == {"updated": 7, "replaced": 1, "unchanged": 22}
    states = project.resources()
    assert states["version"]["inputs"]["kubernetesVersion"] == "1.35.7"
    assert states["label"]["inputs"]["labels"] == {"a": "2"}
    assert states["list"]["inputs"]["workers"] == workers(a=0)
    assert project.preview().changes == {"unchanged": 30}
