"""The programs in examples/ and the one in the root run as they are."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from pulumi.automation import CommandError, ConfigValue

from ksail_pulumi import testing
from ksail_pulumi.cli.app import main
from ksail_pulumi.omni.resources import CLUSTER, CONFIG_PATCH
from ksail_pulumi.testing import Simulator
from tests.e2e.project import ROOT, Project
from tests.sweeps import sample

if TYPE_CHECKING:
    from pathlib import Path

    from ksail_pulumi.testing import PulumiStacks

pytestmark = pytest.mark.usefixtures("published")

EXAMPLES = ROOT / "examples"
STAND_IN = ROOT / "tests" / "e2e" / "standins" / "pulumi_kubernetes.py"


omni, pulumi_stack = testing.omni, testing.pulumi_stack


@pytest.fixture(autouse=True)
def _commands(pulumi: dict[str, str], omni_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if omni_endpoint:
        pytest.skip("the examples choose the names and the sizes of their clusters")
    for name, value in pulumi.items():
        monkeypatch.setenv(name, value)


def environment(omni: Simulator) -> dict[str, str]:
    return {"OMNI_ENDPOINT": omni.endpoint, "OMNI_SERVICE_ACCOUNT_KEY": omni.service_account_key}


def test_every_example_is_tested() -> None:
    tested = {"single-node", "patches", "addons", "apps-on-top", "dev-and-prod", "two-omnis", "pulumi-yaml"}
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


NODES = {"single-node": 1, "patches": 3, "addons": 2}


@pytest.mark.parametrize("example", sample(NODES))
def test_an_example_with_one_stack(pulumi_stack: PulumiStacks, example: str) -> None:
    stack = pulumi_stack(EXAMPLES / example)
    assert len(stack.up().outputs["nodes"].value) == NODES[example]
    stack.preview(expect_no_changes=True)


@pytest.mark.sweep
def test_two_stacks_of_one_program(pulumi_stack: PulumiStacks) -> None:
    dev, prod = (pulumi_stack(EXAMPLES / "dev-and-prod", name) for name in ("dev", "prod"))
    prod.set_config("workers", ConfigValue("1"))
    with ThreadPoolExecutor() as both:
        results = both.map(lambda stack: stack.up(), (dev, prod))
    nodes = [{node["id"] for node in result.outputs["nodes"].value} for result in results]
    assert [len(each) for each in nodes] == [2, 4]
    assert not nodes[0] & nodes[1]
    with pytest.raises(CommandError, match="protect"):
        prod.destroy()


@pytest.mark.sweep
def test_two_omnis_in_one_stack(omni: Simulator, pulumi_stack: PulumiStacks, monkeypatch: pytest.MonkeyPatch) -> None:
    with Simulator(machines=2, seed=1) as other:
        monkeypatch.setenv("OMNI_EU_KEY", omni.service_account_key)
        monkeypatch.setenv("OMNI_US_KEY", other.service_account_key)
        stack = pulumi_stack(EXAMPLES / "two-omnis")
        stack.set_config("euEndpoint", ConfigValue(omni.endpoint))
        stack.set_config("usEndpoint", ConfigValue(other.endpoint))
        stack.up()
        assert [cluster.id for cluster in omni.store.list(CLUSTER)] == ["eu"]
        assert [cluster.id for cluster in other.store.list(CLUSTER)] == ["us"]


@pytest.mark.sweep
def test_what_init_writes_runs_at_once(tmp_path: Path, pulumi_stack: PulumiStacks) -> None:
    assert main(["init", "--name", "fresh", "--workers", "1", "--output", str(tmp_path / "fresh")]) == 0
    outputs = pulumi_stack(tmp_path / "fresh").up().outputs
    assert outputs["name"].value == "fresh"
    assert sorted(outputs["nodes"].value.values()) == ["controlplane", "worker"]


@pytest.mark.sweep
def test_what_runs_in_a_cluster_follows_its_replacement_only(
    tmp_path: Path, pulumi: dict[str, str], omni: Simulator
) -> None:
    project = Project.create(tmp_path, pulumi, environment(omni), EXAMPLES / "apps-on-top")
    shutil.copy(STAND_IN, project.folder)
    project.init()
    project.up()
    project.preview("--expect-no-changes")
    project.run("config", "set", "workers", "2")
    preview = project.preview()
    assert preview.changes == {"update": 1, "unchanged": 8}, preview.output
    project.up()
    (cluster,) = (item["urn"] for item in project.resources().values() if item["urn"].endswith("::west"))
    replaced = project.up("--replace", cluster)
    assert replaced.changes == {"replaced": 7, "unchanged": 2}, replaced.output
    deleted = [line.split()[2] for line in replaced.output.splitlines() if re.search(r"^ --.* deleted", line)]
    assert max(map(deleted.index, ("shop", "settings"))) < deleted.index("west"), replaced.output
    project.destroy()


@pytest.mark.sweep
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
