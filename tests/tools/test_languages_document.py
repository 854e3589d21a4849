"""The programs in docs/languages.md use what the schema of the plugin has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ksail_pulumi.model.component import ComponentOptions
from ksail_pulumi.model.parse import parse_cluster, parse_part
from ksail_pulumi.provider.plugin.schema import TYPE, schema
from tests.tools.blocks import blocks as blocks_of_all

DOCUMENT = Path(__file__).parents[2] / "docs" / "languages.md"
SCHEMA = schema()
CLUSTER = SCHEMA["resources"][TYPE]
TYPES = {token.rsplit(":", 1)[1]: each for token, each in SCHEMA["types"].items()}


def blocks(language: str) -> list[str]:
    return [block.text for block in blocks_of_all(language) if block.document.name == DOCUMENT.name]


def test_the_cluster_in_yaml_is_valid() -> None:
    resources = [each for block in blocks("yaml") for each in yaml.safe_load(block).get("resources", {}).values()]
    (west,) = (each["properties"] for each in resources if each["type"] == "ksail:KSailCluster")
    options = {name: west.pop(name) for name in ("timeouts", "import") if name in west}
    parse_part(options, ComponentOptions)
    west["patches"] = [patch for patch in west["patches"] if "file" not in patch]
    assert parse_cluster({"name": "west", **west}).control_plane.count == 3


def test_the_outputs_in_yaml_exist() -> None:
    used = {name for block in blocks("yaml") for name in re.findall(r"\$\{west\.(\w+)\}", block)}
    assert used
    assert used <= set(CLUSTER["properties"])


def test_the_outputs_in_the_text_are_all() -> None:
    text = DOCUMENT.read_text().partition("The outputs are ")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", text)) == set(CLUSTER["properties"])


@pytest.mark.parametrize("language", ["typescript", "go"])
def test_the_names_in_other_languages_exist(language: str) -> None:
    (block,) = blocks(language)
    names = {re.sub(r"(Args|Array)$", "", name).removeprefix("New") for name in re.findall(r"\bksail\.(\w+)", block)}
    values = {f"{name}{value['value'].capitalize()}" for name, each in TYPES.items() for value in each.get("enum", ())}
    assert names <= {"KSailCluster", *TYPES, *values}
    assert "KSailCluster" in names
    outputs = {_decapitalized(name) for name in re.findall(r"\bwest\.(\w+)", block)}
    assert outputs <= set(CLUSTER["properties"])


def test_the_inputs_in_go_exist() -> None:
    (block,) = blocks("go")
    used = {_decapitalized(name) for name in re.findall(r"\b([A-Z]\w*): ", block)}
    assert used <= set(_all_inputs())


def test_the_inputs_in_typescript_exist() -> None:
    (block,) = blocks("typescript")
    assert set(re.findall(r"^    (\w+):", block, re.MULTILINE)) <= set(CLUSTER["inputProperties"])


def _all_inputs() -> dict[str, Any]:
    found = dict(CLUSTER["inputProperties"])
    for each in TYPES.values():
        found |= each.get("properties", {})
    return found


def _decapitalized(name: str) -> str:
    return name[:1].lower() + name[1:]
