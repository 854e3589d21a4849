"""The code in the documents is right: Python passes mypy, YAML is read by our readers, commands and options exist."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from ksail_pulumi.cli import app
from ksail_pulumi.formats.either import load_either
from ksail_pulumi.provider.plugin.schema import schema
from tests.tools.blocks import Block, blocks, commands
from tools.documents import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

ELSEWHERE = {
    ("docs/languages.md", "typescript"): "tests/tools/test_languages_document.py",
    ("docs/languages.md", "go"): "tests/tools/test_languages_document.py",
}
"""Blocks in other languages: the document and the language, and the test that runs or checks them."""

IMPORTS = """\
import sys
from pathlib import Path

import pulumi
import pulumi_kubernetes
from pulumi import automation as auto

import ksail_pulumi
from ksail_pulumi import *
"""
"""What the blocks of a page may use without an import. A block may also use what an earlier one has defined."""

CONSOLE = ("console", "sh")
SETTINGS = {"OMNI_ENDPOINT", "OMNI_SERVICE_ACCOUNT_KEY", "OMNI_CA_FILE", "KUBECONFIG", "PULUMI_PARALLEL"}
SETTINGS |= {"OMNI_EU_KEY", "OMNI_US_KEY"}  # the names that the example two-omnis has chosen
OTHERS = {
    ".": "",
    "cd": "",
    "curl": "",
    "gh": "secret|variable",
    "git": "clone",
    "kubectl": "get|config",
    "mkdir": "",
    "omnictl": "cluster|get|serviceaccount",
    "pip": "install",
    "pipx": "install",
    "python": "",
    "python3": "",
    "terraform": "state",
    "umask": "",
}
"""Commands of others, with their subcommands that the documents use."""

PROJECT = {"name", "description", "runtime", "plugins", "packages", "config", "resources", "outputs", "variables"}
"""The fields of a Pulumi.yaml."""

SCHEMA = schema()

TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_block_is_tested() -> None:
    tested = {"python", "yaml", *CONSOLE}
    untested = [str(block) for block in blocks() if block.language not in tested and not _elsewhere(block)]
    assert untested == []


def test_the_python_blocks_pass_mypy(tmp_path: Path) -> None:
    pages: dict[Path, str] = {}
    for block in blocks("python"):
        file = tmp_path / re.sub(r"\W", "_", str(block.document.with_suffix("")))
        before = pages.get(file.with_suffix(".py"), IMPORTS)
        pages[file.with_suffix(".py")] = f"{before}\n# {block}\n{textwrap.dedent(block.text)}"
    assert len(pages) > 5
    for file, text in pages.items():
        file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--allow-untyped-defs", "--no-warn-unreachable", *pages],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_a_yaml_block_is_read(block: Block, tmp_path: Path) -> None:
    if (names := _names(block)) & {"runtime", "resources"}:
        assert names <= PROJECT
        assert list(_unknown_inputs(yaml.safe_load(block.text))) == []
        return
    file = tmp_path / "cluster.yaml"
    file.write_text(textwrap.dedent(block.text))
    for path in re.findall(r"file: (\S+)", block.text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("machine: {}\n")
    assert load_either(file, {}).spec


@pytest.mark.parametrize("block", blocks(*CONSOLE), ids=str)
def test_the_commands_exist(block: Block) -> None:
    found = commands(block)
    assert found
    for command in found:
        _check(command)


def test_an_unknown_input_in_pulumi_yaml_is_found() -> None:
    program = (ROOT / "examples" / "pulumi-yaml" / "Pulumi.yaml").read_text()
    assert list(_unknown_inputs(yaml.safe_load(program))) == []
    program = program.replace("workers: ${", "worker: ${").replace("inline:", "inlined:")
    assert list(_unknown_inputs(yaml.safe_load(program))) == ["worker", "inlined"]


def _unknown_inputs(program: dict[str, Any]) -> Iterator[str]:
    """The names in the resources of a program in Pulumi YAML that are no inputs."""
    for resource in program.get("resources", {}).values():
        package, *_, name = resource["type"].split(":")
        if package == SCHEMA["name"]:
            inputs = SCHEMA["resources"][f"{package}:index:{name}"]["inputProperties"]
            yield from _unknown(resource.get("properties", {}), inputs)


def _unknown(given: dict[str, Any], fields: dict[str, Any]) -> Iterator[str]:
    for name, value in given.items():
        if name not in fields:
            yield name
            continue
        shapes = fields[name].get("oneOf", [fields[name]])
        items = value if isinstance(value, list) else [value]
        inner = {
            field: shape
            for each in shapes
            for reference in re.findall(r"#/types/([\w:]+)", json.dumps(each.get("items", each)))
            for field, shape in SCHEMA["types"][reference].get("properties", {}).items()
        }
        for item in items:
            if inner and isinstance(item, dict):
                yield from _unknown(item, inner)


def _elsewhere(block: Block) -> bool:
    test = ELSEWHERE.get((str(block.document), block.language))
    return test is not None and block.document.name in (ROOT / test).read_text()


def _names(block: Block) -> set[str]:
    return {str(name) for document in yaml.safe_load_all(block.text) for name in document or {}}


def _check(command: list[str]) -> None:
    while re.fullmatch(r"[A-Z_]+=.*", command[0]):
        command = command[1:]
    program, *arguments = command
    name = Path(program).name or program
    if name == "ksail-pulumi":
        options = app._options(arguments)
        if options.program:
            _check(options.program)
    elif name == "make":
        assert set(arguments) <= TARGETS, command
    elif name == "export":
        assert arguments[0].partition("=")[0] in SETTINGS, command
    elif name == "pytest":
        assert all((ROOT / path).exists() for path in arguments if "/" in path and ":" not in path), command
    elif name != "pulumi":  # tests/e2e/test_readme.py
        assert name in OTHERS, command
        words = [each for each in arguments if not each.startswith("-")]
        assert OTHERS[name] == "" or re.fullmatch(OTHERS[name], words[0]) or "--kubeconfig" in arguments, command
