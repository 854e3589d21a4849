"""The program that the README shows runs as it stands there, and `pulumi` has the commands that the documents show."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.simulator.server import Simulator
from tests.e2e.project import ROOT, Project
from tests.tools.blocks import blocks, commands

if TYPE_CHECKING:
    from pathlib import Path


def test_the_program_in_the_readme_runs(tmp_path: Path, pulumi: dict[str, str], omni_endpoint: str) -> None:
    if omni_endpoint:
        pytest.skip("the README chooses the name and the size of its cluster")
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    with Simulator(machines=5) as omni:
        settings = {"OMNI_ENDPOINT": omni.endpoint, "OMNI_SERVICE_ACCOUNT_KEY": omni.service_account_key}
        project = Project.create(tmp_path, pulumi, settings)
        (project.folder / "__main__.py").write_text(program)
        project.init()
        project.up()
        roles = [node["role"] for node in project.outputs()["nodes"]]
        assert roles == ["controlplane"] * 3 + ["worker"] * 2
        project.destroy()


GROUPS = ("config", "stack", "state", "package")
"""Commands of `pulumi` that have subcommands."""


def test_pulumi_has_the_commands_and_options_in_the_documents(pulumi: dict[str, str]) -> None:
    used: dict[tuple[str, ...], set[str]] = {}
    for command in (each for block in blocks("console", "sh") for each in commands(block) if "pulumi" in each):
        arguments = command[command.index("pulumi") + 1 :]
        words = tuple(word for word in arguments if re.fullmatch("[a-z]+", word))
        options = {word.partition("=")[0] for word in arguments if word.startswith("--")}
        used.setdefault(words[: 2 if words[0] in GROUPS else 1], set()).update(options)
    assert len(used) > 3
    for words, options in used.items():
        shown = subprocess.run(
            ["pulumi", *words, "--help"], env={**os.environ, **pulumi}, capture_output=True, text=True, check=True
        ).stdout
        (usage,) = re.findall(r"^Usage:\n  pulumi ([a-z ]*[a-z])\b", shown, re.MULTILINE)
        aliases = "".join(re.findall(r"^Aliases:\n  (.*)$", shown, re.MULTILINE))
        assert usage.count(" ") == len(words) - 1
        assert words[-1] in re.findall(r"[a-z]+", f"{usage} {aliases}")
        assert {option for option in options if not re.search(rf"{option}\b", shown)} == set(), words
