"""The programs in examples/ and the one in the root run as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.cli.app import main
from ksail_pulumi.omni.resources import CLUSTER, CONFIG_PATCH
from ksail_pulumi.simulator.server import Simulator
from tests.e2e.project import ROOT, Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLES = ROOT / "examples"


@pytest.fixture
def omni(omni_endpoint: str) -> Iterator[Simulator]:
    """An Omni of the size that the examples ask for."""
    if omni_endpoint:
        pytest.skip("the examples choose the names and the sizes of their clusters")
    with Simulator(machines=6) as omni:
        yield omni


def environment(omni: Simulator) -> dict[str, str]:
    return {"OMNI_ENDPOINT": omni.endpoint, "OMNI_SERVICE_ACCOUNT_KEY": omni.service_account_key}


def test_every_example_is_tested() -> None:
    tested = {"single-node", "patches", "addons", "dev-and-prod", "two-omnis"}
    assert {path.name for path in EXAMPLES.iterdir()} == tested


def test_the_root_project_brings_up_the_cluster_of_its_ksail_yaml(
    tmp_path: Path, pulumi: dict[str, str], omni: Simulator
) -> None:
    project = Project.create(tmp_path, pulumi, environment(omni), ROOT)
    project.init()
    preview = project.preview()
    assert preview.changes == {"create": 5}, preview.output
    assert "warning" not in preview.output
    project.up()
    outputs = project.outputs()
    assert (outputs["name"], outputs["phase"], outputs["kubeconfig"]) == ("my-omni-cluster", "RUNNING", "[secret]")
    assert sorted(outputs["nodes"].values()) == ["controlplane", "worker", "worker"]
    patches = {patch.id: patch.spec.data for patch in omni.store.list(CONFIG_PATCH)}
    written = {path.read_text() for path in (ROOT / "talos").rglob("*.yaml")}
    assert written <= set(patches.values())


def test_the_root_project_can_be_previewed_without_credentials(tmp_path: Path, pulumi: dict[str, str]) -> None:
    project = Project.create(tmp_path, pulumi, {}, ROOT)
    project.init()
    preview = project.preview()
    assert preview.changes == {"create": 5}
    assert "omni endpoint is required: " in preview.output
    assert "still contains the placeholder <account>" in preview.output


@pytest.mark.parametrize(("example", "nodes"), [("single-node", 1), ("patches", 3), ("addons", 2)])
def test_an_example_with_one_stack(
    tmp_path: Path, pulumi: dict[str, str], omni: Simulator, example: str, nodes: int
) -> None:
    project = Project.create(tmp_path, pulumi, environment(omni), EXAMPLES / example)
    project.init()
    project.up()
    assert len(project.outputs()["nodes"]) == nodes
    project.preview("--expect-no-changes")


def test_two_stacks_of_one_program(tmp_path: Path, pulumi: dict[str, str], omni: Simulator) -> None:
    project = Project.create(tmp_path, pulumi, environment(omni), EXAMPLES / "dev-and-prod")
    for stack in ("dev", "prod"):
        project.init(stack)
    project.run("config", "set", "workers", "1", "--stack", "prod")
    project.run_in(("dev", "prod"), "up", "--yes", "--skip-preview")
    nodes = {stack: {node["id"] for node in project.outputs(stack)["nodes"]} for stack in ("dev", "prod")}
    assert (len(nodes["dev"]), len(nodes["prod"])) == (2, 4)
    assert not nodes["dev"] & nodes["prod"]
    protected = project.destroy("--stack", "prod", fails=True)
    assert "protect" in protected.output


def test_two_omnis_in_one_stack(tmp_path: Path, pulumi: dict[str, str], omni: Simulator) -> None:
    with Simulator(machines=2, seed=1) as other:
        keys = {"OMNI_EU_KEY": omni.service_account_key, "OMNI_US_KEY": other.service_account_key}
        project = Project.create(tmp_path, pulumi, {}, EXAMPLES / "two-omnis")
        project.init()
        project.run("config", "set", "euEndpoint", omni.endpoint)
        project.run("config", "set", "usEndpoint", other.endpoint)
        project.up(environment=keys)
        assert [cluster.id for cluster in omni.store.list(CLUSTER)] == ["eu"]
        assert [cluster.id for cluster in other.store.list(CLUSTER)] == ["us"]


def test_what_init_writes_runs_at_once(tmp_path: Path, pulumi: dict[str, str], omni: Simulator) -> None:
    source = tmp_path / "source"
    assert main(["init", "--name", "fresh", "--workers", "1", "--output", str(source)]) == 0
    project = Project.create(tmp_path, pulumi, environment(omni), source)
    project.init()
    project.up()
    outputs = project.outputs()
    assert (outputs["name"], sorted(outputs["nodes"].values())) == ("fresh", ["controlplane", "worker"])


def test_pulumi_new_makes_a_project_from_the_template(tmp_path: Path, pulumi: dict[str, str], omni: Simulator) -> None:
    project = Project.create(tmp_path, pulumi, environment(omni))
    folder = tmp_path / "shop"
    folder.mkdir()
    project.folder = folder
    project.run("new", str(ROOT / "template"), "--generate-only", "--yes", "--name", "shop")
    assert "name: shop" in (folder / "ksail.yaml").read_text()
    project.init()
    preview = project.preview()
    assert preview.changes == {"create": 5}, preview.output
