"""The programs in examples/ and the one in the root run as they are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from pulumi.automation import CommandError, ConfigValue

from ksail_pulumi import testing
from ksail_pulumi.cli.app import main
from ksail_pulumi.omni.resources import CLUSTER, CONFIG_PATCH, MACHINE_CLASS, MACHINE_SET
from ksail_pulumi.simulator.machines import MachineSetup
from ksail_pulumi.testing import Simulator
from tests.e2e.project import PIP, ROOT, Project
from tests.sweeps import sample

if TYPE_CHECKING:
    from ksail_pulumi.testing import PulumiStacks

pytestmark = pytest.mark.usefixtures("published")

EXAMPLES = ROOT / "examples"
STAND_IN = ROOT / "tests" / "e2e" / "standins" / "pulumi_kubernetes.py"


NODES = {"quickstart": 1, "addons": 2, "from-ksail": 3, "from-template": 3, "patches-and-extensions": 3}
"""The examples with one stack that need nothing else, and their machines."""

omni, pulumi_stack = testing.omni, testing.pulumi_stack


@pytest.fixture(autouse=True)
def _commands(pulumi: dict[str, str], omni_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if omni_endpoint:
        pytest.skip("the examples choose the names and the sizes of their clusters")
    for name, value in {**pulumi, "PYTHONPATH": str(PIP.parent)}.items():
        monkeypatch.setenv(name, value)


def environment(omni: Simulator) -> dict[str, str]:
    return {"OMNI_ENDPOINT": omni.endpoint, "OMNI_SERVICE_ACCOUNT_KEY": omni.service_account_key}


def test_every_example_is_tested() -> None:
    own = {
        "apps-on-top",
        "automation-api",
        "backup-and-restore",
        "environments",
        "github-actions",
        "high-availability",
        "pulumi-yaml",
        "two-omnis",
    }
    assert {path.name for path in EXAMPLES.iterdir()} == own | NODES.keys()
    assert {path.parent.name for path in EXAMPLES.glob("*/README.md")} >= (own | NODES.keys())


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


@pytest.mark.parametrize("example", sample(NODES))
def test_an_example_with_one_stack(pulumi_stack: PulumiStacks, example: str) -> None:
    stack = pulumi_stack(EXAMPLES / example)
    assert len(stack.up().outputs["nodes"].value) == NODES[example]
    stack.preview(expect_no_changes=True)


@pytest.mark.sweep
@pytest.mark.parametrize("omni", [11], indirect=True)
def test_environments_are_stacks_of_one_program(pulumi_stack: PulumiStacks) -> None:
    stacks = [pulumi_stack(EXAMPLES / "environments", name) for name in ("dev", "staging", "prod")]
    with ThreadPoolExecutor() as together:
        outputs = [result.outputs for result in together.map(lambda stack: stack.up(), stacks)]
    nodes = [{node["id"] for node in each["nodes"].value} for each in outputs]
    assert [len(each) for each in nodes] == [2, 4, 5]
    assert len(set.union(*nodes)) == 11
    assert [each["versions"].value[0] for each in outputs] == ["1.13.8", "1.13.8", "1.13.7"]
    with pytest.raises(CommandError, match="protect"):
        stacks[-1].destroy()


POOLS = [MachineSetup(labels={"pool": pool}) for pool in (*["control-plane"] * 3, *["general"] * 3, "storage")]


@pytest.mark.sweep
@pytest.mark.parametrize("omni", [POOLS], indirect=True)
def test_high_availability_takes_the_machines_of_its_classes(omni: Simulator, pulumi_stack: PulumiStacks) -> None:
    stack = pulumi_stack(EXAMPLES / "high-availability")
    nodes = stack.up().outputs["nodes"].value
    assert Counter(node["set"] for node in nodes) == {
        "shop-control-planes": 3,
        "shop-storage": 1,
        "shop-workers": 2,
    }
    stack.set_config("workers", ConfigValue("3"))
    assert len(stack.up().outputs["nodes"].value) == 7
    stack.preview(expect_no_changes=True)
    stack.destroy()
    assert not omni.store.list(MACHINE_CLASS)


@pytest.mark.sweep
def test_a_cluster_starts_from_the_last_backup(omni: Simulator, pulumi_stack: PulumiStacks) -> None:
    stack = pulumi_stack(EXAMPLES / "backup-and-restore")
    first = stack.up().outputs["snapshot"].value
    stack.set_config("release", ConfigValue("2"))
    second = stack.up().outputs["snapshot"].value
    assert first != second
    stack.set_config("restore", ConfigValue("true"))
    assert len(stack.up().outputs["copy"].value) == 2
    restored = next(each for each in omni.store.list(MACHINE_SET) if each.id == "shop-copy-control-planes")
    assert restored.spec.bootstrap_spec.snapshot == second
    stack.preview(expect_no_changes=True)


@pytest.mark.sweep
def test_a_cluster_for_each_pull_request(omni: Simulator, pulumi_stack: PulumiStacks) -> None:
    def run(action: str, pull_request: int) -> str:
        command = [sys.executable, EXAMPLES / "automation-api", action, str(pull_request)]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout

    assert run("up", 42).endswith("shop-pr-42 has 2 machines\n")
    run("up", 43)
    assert "unchanged" in run("up", 42)
    assert [each.id for each in omni.store.list(CLUSTER)] == ["shop-pr-42", "shop-pr-43"]
    run("down", 42)
    assert [each.id for each in omni.store.list(CLUSTER)] == ["shop-pr-43"]


def steps_of(workflow: str) -> list[str]:
    """The commands of a workflow of `github-actions`, without the installation of what the tests have already."""
    text = (EXAMPLES / "github-actions/.github/workflows" / workflow).read_text()
    (job,) = yaml.safe_load(text)["jobs"].values()
    return [step["run"] for step in job["steps"] if "run" in step and "pip install" not in step["run"]]


@pytest.mark.sweep
def test_the_workflows_preview_with_the_key_of_a_reader_and_update_with_that_of_an_operator(
    tmp_path: Path, pulumi: dict[str, str], omni: Simulator
) -> None:
    project = Project.create(tmp_path, pulumi, environment(omni), EXAMPLES / "github-actions")
    project.init("prod")
    summary = tmp_path / "summary.md"
    variables = {
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_STEP_SUMMARY": str(summary),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{project.environment['PATH']}",
    }

    def run(workflow: str, role: str) -> None:
        key = {"OMNI_SERVICE_ACCOUNT_KEY": omni.issue_key(role.lower(), role=role)}
        for step in steps_of(workflow):
            command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step]
            done = subprocess.run(
                command, cwd=project.folder, env={**project.environment, **variables, **key},
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{step}\n{done.stdout}"

    run("preview.yaml", "Reader")
    assert "shop" in summary.read_text()
    assert not omni.store.list(CLUSTER)
    run("up.yaml", "Operator")
    assert [each.id for each in omni.store.list(CLUSTER)] == ["shop"]


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
