"""The program that the README shows runs as it stands there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.simulator.server import Simulator
from tests.e2e.project import ROOT, Project

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
