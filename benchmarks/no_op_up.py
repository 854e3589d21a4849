"""How much longer a `pulumi up` without changes takes with an `OmniCluster` than with an empty dynamic resource."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figure import Figure
from benchmarks.lab import ROOT, omni

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS = 7
"""Taken in turn; what else runs on the machine only ever adds to one."""
BOUND = 1.10
_PROJECT = "name: {name}\nruntime: {{name: python, options: {{virtualenv: .venv}}}}\n"
_CLUSTER = "from ksail_pulumi import OmniCluster\nOmniCluster('bench', workers=2)\n"
_EMPTY = "from benchmarks.empty import Empty\nEmpty('bench')\n"


@dataclass(frozen=True)
class _Project:
    folder: Path
    environment: dict[str, str]

    def pulumi(self, *arguments: str) -> float:
        """Run a command, and give the seconds that it took."""
        began = time.perf_counter()
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"pulumi {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return time.perf_counter() - began

    def up(self) -> float:
        return self.pulumi("up", "--yes", "--skip-preview")


def _project(folder: Path, program: str, environment: dict[str, str]) -> _Project:
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(_PROJECT.format(name=folder.name))
    (folder / "__main__.py").write_text(program)
    (folder / ".venv").symlink_to(sys.prefix)
    project = _Project(folder, environment)
    project.pulumi("stack", "init", "dev")
    return project


def _command() -> dict[str, str]:
    """The environment in which there is a `pulumi`."""
    tool = [sys.executable, str(ROOT / "tools" / "obtain_pulumi.py"), "--json"]
    found = json.loads(subprocess.run(tool, stdout=subprocess.PIPE, text=True, check=False).stdout)
    if "reason" in found:
        raise RuntimeError(f"needs pulumi: {found['reason']}")
    environment: dict[str, str] = found["env"]
    return environment


def measure() -> Iterator[Figure]:
    command = _command()
    with tempfile.TemporaryDirectory() as base, omni(machines=3) as server:
        (Path(base) / "state").mkdir()
        environment = os.environ | command
        environment |= {
            "PULUMI_BACKEND_URL": f"file://{base}/state",
            "PULUMI_HOME": f"{base}/home",
            "PULUMI_CONFIG_PASSPHRASE": "bench",
            "PYTHONPATH": str(ROOT),
            "OMNI_ENDPOINT": server.endpoint,
            "OMNI_SERVICE_ACCOUNT_KEY": server.key,
        }
        cluster = _project(Path(base) / "cluster", _CLUSTER, environment)
        empty = _project(Path(base) / "empty", _EMPTY, environment)
        for project in (cluster, empty):
            project.up()
            project.up()
        runs = [(cluster.up(), empty.up()) for _ in range(RUNS)]
    ours, theirs = min(first for first, _ in runs), min(second for _, second in runs)
    yield Figure(
        "`pulumi up` without changes, beside one with an empty dynamic resource",
        ours / theirs,
        BOUND,
        "",
        f"{ours:.2f} s beside {theirs:.2f} s, the quickest of {RUNS} each, in turn",
    )
