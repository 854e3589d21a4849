from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml

from ksail_pulumi.cli.app import main
from ksail_pulumi.omni.resources import CLUSTER
from ksail_pulumi.simulator.machines import MachineSetup
from ksail_pulumi.simulator.server import Simulator

from .clusters import create_shop, use

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST, SECOND, THIRD = (f"{digit}0000000-0000-4000-8000-000000000000" for digit in "abc")
KSAIL = """\
apiVersion: ksail.io/v1alpha1
kind: Cluster
metadata: {name: west}
spec:
  cluster: {distribution: Talos, provider: Omni, controlPlanes: 1}
"""
TEMPLATE = f"""\
kind: Cluster
name: NAME
kubernetes: {{version: v1.36.3}}
talos: {{version: v1.13.8}}
patches:
  - name: domain
    inline: {{machine: {{sysctls: {{kernel.domainname: Zsecret}}}}}}
---
kind: ControlPlane
machines: [{FIRST}]
"""


@pytest.fixture(scope="module")
def account() -> Iterator[Simulator]:
    """An Omni with the cluster `shop` of one machine, managed by Pulumi."""
    with Simulator(machines=[MachineSetup(FIRST), MachineSetup(SECOND), MachineSetup(THIRD)]) as omni:
        create_shop(omni, controlPlane={"machines": [FIRST]})
        yield omni


@pytest.fixture(autouse=True)
def _environment(account: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, account, "Reader")


def written(folder: Path, text: str) -> str:
    path = folder / "cluster.yaml"
    path.write_text(text)
    return str(path)


def test_a_new_cluster_of_a_ksail_yaml_is_forecast(account, tmp_path, capsys):
    assert main(["plan", written(tmp_path, KSAIL)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"west: a new cluster, in Omni at {account.endpoint}"
    assert "change   Talos 1.13.8, Kubernetes 1.36.3" in lines
    assert f"change   west-control-planes gets {SECOND}" in lines
    assert account.store.find(CLUSTER, "west") is None


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_the_changes_of_a_cluster_of_a_template_are_forecast(account, tmp_path, capsys, form, read):
    path = written(tmp_path, TEMPLATE.replace("NAME", "shop"))
    assert main(["plan", path, "--output", form]) == 0
    found = read(capsys.readouterr().out)
    assert (found["name"], found["action"], found["errors"], found["omni"]) == ("shop", "update", [], account.endpoint)
    [change] = found["changes"]
    assert change.startswith("adds patch 200-cluster-shop-domain to all machines of the cluster")


def test_a_file_that_says_what_omni_has_changes_nothing(tmp_path, capsys):
    path = tmp_path / "shop.yaml"
    assert main(["export", "shop", "--file", str(path)]) == 0
    assert main(["plan", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["no changes"]


def test_a_cluster_without_enough_machines_is_not_called_unchanged(tmp_path, capsys):
    path = tmp_path / "ksail.yaml"
    path.write_text(KSAIL.replace("controlPlanes: 1", "controlPlanes: 9"))
    assert main(["plan", str(path)]) == 0
    [line] = capsys.readouterr().out.splitlines()[1:]
    assert line.startswith("warning  not enough available machines in Omni for the requested node count: need 9, got ")


def test_a_cluster_of_someone_else_needs_an_import(monkeypatch, tmp_path, capsys):
    with Simulator(machines=[MachineSetup(FIRST)]) as omni:
        create_shop(omni, controlPlane={"machines": [FIRST]})
        omni.store.edit(CLUSTER, "shop", lambda found: replace(found, annotations={}))
        use(monkeypatch, omni)
        assert main(["plan", written(tmp_path, TEMPLATE.replace("NAME", "shop"))]) == 0
    text = capsys.readouterr().out
    assert "shop: a cluster that exists and that no Pulumi resource manages: it needs `import_`, in Omni at " in text
    assert "change   cluster shop exists and is taken over" in text


@pytest.mark.parametrize("terminal", [False, True])
def test_what_omni_would_refuse_is_an_error_without_the_values(tmp_path, monkeypatch, capsys, terminal):
    text = TEMPLATE.replace("NAME", "shop").replace("sysctls", "sysctls_")
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    assert main(["plan", written(tmp_path, text)]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "patches[0].inline: " in shown
    assert "unknown keys found" in shown
    assert "Zsecret" not in shown


def test_on_a_terminal_nothing_to_change_is_said_too(tmp_path, monkeypatch, capsys):
    path = tmp_path / "shop.yaml"
    assert main(["export", "shop", "--file", str(path)]) == 0
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["plan", str(path)]) == 0
    assert "no changes" in capsys.readouterr().out


def test_too_few_machines_are_a_warning(tmp_path, capsys):
    assert main(["plan", written(tmp_path, KSAIL.replace("controlPlanes: 1", "controlPlanes: 9"))]) == 0
    assert "warning  not enough available machines in Omni" in capsys.readouterr().out


def test_the_file_may_name_the_endpoint_and_the_variable_of_the_key(account, tmp_path, monkeypatch, capsys):
    omni = f"  provider: {{omni: {{endpoint: '{account.endpoint}', serviceAccountKeyEnvVar: MY_KEY}}}}\n"
    monkeypatch.delenv("OMNI_ENDPOINT")
    path = written(tmp_path, KSAIL + omni)
    assert main(["plan", path]) == 1
    assert "environment variable MY_KEY is not set" in capsys.readouterr().err
    monkeypatch.setenv("MY_KEY", account.issue_key("mine", role="Reader"))
    assert main(["plan", path]) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (KSAIL.replace("metadata: {name: west}\n", ""), "metadata.name: is missing"),
        (KSAIL.replace("controlPlanes", "controlPlane"), "cluster.yaml:5: spec.cluster"),
        ("kind: Cluster\nname: west\n", "cluster.yaml"),
        ("[", "cluster.yaml"),
        (TEMPLATE.replace("NAME", "{{ name }}"), "cluster.yaml:2: {{ name }} (line 2) is left in the template: render"),
        (f"{{% if x %}}\n{TEMPLATE}", "cluster.yaml:1: {% … %} (line 1) is left in the template: render"),
        (TEMPLATE.replace("NAME", "$NAME"), "cluster.yaml:2: $NAME (line 2) is left in the template: render"),
    ],
)
def test_a_file_that_is_not_valid_is_a_message(tmp_path, capsys, text, message):
    assert main(["plan", written(tmp_path, text)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("ksail-pulumi: ")
    assert message in error


def test_a_reference_in_a_patch_is_a_warning(tmp_path, capsys):
    text = TEMPLATE.replace("NAME", "shop").replace("{machine: {sysctls: {kernel.domainname: Zsecret}}}", "|")
    text = text.replace("|", "|\n      machine:\n        sysctls:\n          kernel.domainname: $HOST")
    assert main(["plan", written(tmp_path, text)]) == 0
    assert "cluster.yaml: $HOST (line 10) is passed on unchanged. If a value should" in capsys.readouterr().out


def test_a_file_that_does_not_exist_is_a_message(tmp_path, capsys):
    assert main(["plan", str(tmp_path / "none.yaml")]) == 1
    assert capsys.readouterr().err.endswith("none.yaml: file not found\n")


def test_without_an_omni_the_message_says_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("OMNI_ENDPOINT")
    assert main(["plan", written(tmp_path, KSAIL)]) == 1
    assert "omni endpoint is required" in capsys.readouterr().err
