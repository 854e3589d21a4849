from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ksail_pulumi.cli.app import main
from ksail_pulumi.formats.schema import SCHEMAS
from ksail_pulumi.formats.template.read import load_template
from ksail_pulumi.goyaml.read import parse_documents
from ksail_pulumi.model.parse import parse_cluster
from tests.formats.json_schema import mistakes

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted(
    path for path in (Path(__file__).parent / "data" / "templates").glob("*.yaml") if "-resources" not in path.name
)
KSAIL_FILES = [ROOT / "ksail.yaml", ROOT / "template" / "ksail.yaml"]

KSAIL = """\
apiVersion: ksail.io/v1alpha1
kind: Cluster
metadata: {name: shop}
spec:
  cluster:
    distribution: Talos
    provider: Omni
    distributionConfig: talos
    connection: {context: admin@shop, kubeconfig: ~/.kube/config, timeout: 5m}
    controlPlanes: 3
    workers: 2
    kubernetesVersion: v1.36.3
    csi: Disabled
    metricsServer: false
    loadBalancer: Default
    autoscaler: {node: {enabled: false}}
    talos: {controlPlanes: 3}
  provider:
    omni:
      endpoint: https://acme.omni.siderolabs.io
      endpointEnvVar: A
      serviceAccountKeyEnvVar: B
      talosVersion: v1.13.8
      kubernetesVersion: v1.36.3
      machineClass: any
      machines: []
  editor: vim
"""


@cache
def schema(name: str) -> dict[str, Any]:
    return SCHEMAS[name]()


def documents(path: Path) -> list[Any]:
    return [document.value for document in parse_documents(path.read_text(), str(path))]


def inputs() -> Iterator[dict[str, Any]]:
    yield from (load_template(path) for path in TEMPLATES)
    yield {"workers": 2}
    yield {"workers": [{"count": 2, "selector": "zone = a"}], "controlPlane": {"count": 3.0}}
    yield {"patches": [{"file": "a.yaml"}, {"name": "a", "inline": [{"machine": {}}]}, {"name": "b", "inline": "x"}]}
    yield {"manifests": [{"file": "a.yaml", "mode": "full"}], "healthChecks": [{"name": "a", "file": "b.yaml"}]}
    yield {
        "kubeconfig": {"user": "a", "groups": ["b"], "ttl": "720h", "renewBefore": "1h"},
        "talosconfig": False,
        "waitFor": "running",
        "backupBefore": ["upgrade", "delete"],
        "onUpgradeFailure": "revert",
        "onUpdate": {"disconnectedMachines": "remove"},
        "onDelete": {"disconnectedMachines": "wait"},
        "ownership": "exclusive",
        "endpoint": "https://acme.omni.siderolabs.io",
        "serviceAccountKeyEnvVar": "MY_KEY",
        "locked": None,
    }


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_templates_fit(path):
    assert [mistakes(document, schema("template")) for document in documents(path)] == [[]] * len(documents(path))


@pytest.mark.parametrize("path", KSAIL_FILES, ids=lambda path: path.parent.name)
def test_the_ksail_files_of_this_repository_fit(path):
    (document,) = documents(path)
    document["metadata"]["name"] = document["metadata"]["name"].replace("${PROJECT}", "shop")
    assert mistakes(document, schema("ksail")) == []


def test_a_ksail_file_with_many_fields_fits():
    assert mistakes(yaml.safe_load(KSAIL), schema("ksail")) == []


@pytest.mark.parametrize("wire", list(inputs()))
def test_inputs_fit(wire):
    assert mistakes(wire, schema("args")) == []


def test_inputs_that_fit_are_what_the_model_takes():
    for wire in inputs():
        if "file" not in json.dumps(wire):
            parse_cluster({"name": "shop", **wire})


def damaged(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The value with one mistake in it each time: another name for a key, or another kind of value."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*place, key), {("x" + each if each == key else each): kept for each, kept in value.items()}
            for inner, broken in damaged(item, (*place, key)):
                yield inner, {**value, key: broken}
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for inner, broken in damaged(item, (*place, index)):
                yield inner, [*value[:index], broken, *value[index + 1 :]]
    if place and not isinstance(value, dict):
        yield place, {"not": "expected"}


# What may hold anything, and mappings with keys of the user's own.
FREE = frozenset({"inline", "job", "labels", "annotations", "machines", "autoscaler", "editor", "addons"})
# Fields that are somebody else's: any value is right there.
OTHERS = frozenset({"timeout", "loadBalancer"})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("template", [document for path in TEMPLATES for document in documents(path)]),
        ("args", list(inputs())),
        ("ksail", [yaml.safe_load(KSAIL)]),
    ],
)
def test_what_is_damaged_does_not_fit(name, values):
    count = 0
    for value in values:
        for place, broken in damaged(copy.deepcopy(value)):
            inside = next((index for index, part in enumerate(place) if part in FREE), len(place))
            if inside < len(place) - 1 or (place[-1] in OTHERS and name == "ksail"):
                continue
            if isinstance(broken, dict) and place[-1] in FREE and place[-1] in str(broken):
                continue
            count += 1
            assert mistakes(broken, schema(name)), place
    assert count > 30


def test_every_field_of_ours_is_described():
    for name in SCHEMAS:
        for model, part in {"": schema(name), **schema(name)["$defs"]}.items():
            missing = [field for field, each in part.get("properties", {}).items() if "description" not in each]
            assert missing == [], f"{model or name}"


@pytest.mark.parametrize("name", list(SCHEMAS))
def test_the_command_prints_it(name, capsys):
    assert main(["schema", name]) == 0
    assert json.loads(capsys.readouterr().out) == schema(name)
