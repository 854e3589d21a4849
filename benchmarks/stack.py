"""Stacks for `pulumi`, with clusters or with as many empty dynamic resources, and what a command on them takes."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.lab import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PROJECT = "name: {name}\nruntime: {{name: python, options: {{virtualenv: .venv}}}}\n"

CLUSTERS = """\
from ksail_pulumi import OmniCluster
for number in range({clusters}):
    OmniCluster(f"c{{number}}", workers={workers}, {inputs})
"""

EMPTY = """\
from benchmarks.empty import empty_cluster
for number in range({clusters}):
    empty_cluster(f"c{{number}}")
"""
"""As many empty dynamic resources as clusters register, which depend on each other like these."""


@dataclass(frozen=True)
class Used:
    """What a command took.

    Attributes:
        seconds: Until it ended.
        cpu: Seconds of CPU of pulumi, the program and the provider processes.
    """

    seconds: float
    cpu: float


@dataclass(frozen=True)
class Stack:
    """A project with a stack.

    Attributes:
        folder: Its folder.
        environment: The environment variables of its commands.
    """

    folder: Path
    environment: Mapping[str, str]

    def pulumi(self, *arguments: str) -> Used:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise RuntimeError(f"pulumi {' '.join(arguments)}: {done.stdout}{done.stderr}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Used(time.perf_counter() - began, cpu)

    def up(self, *arguments: str, preview: bool = False) -> Used:
        return self.pulumi("up", "--yes", *([] if preview else ["--skip-preview"]), *arguments)

    def destroy(self) -> Used:
        return self.pulumi("destroy", "--yes", "--skip-preview", "--parallel", "64")


class Stacks:
    """A folder for stacks that share a backend."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._environment = {
            **_command(),
            "PULUMI_BACKEND_URL": f"file://{base}/state",
            "PULUMI_HOME": f"{base}/home",
            "PULUMI_CONFIG_PASSPHRASE": "bench",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)
        (base / "state").mkdir()

    def new(self, name: str, program: str, environment: Mapping[str, str], tree: Path = ROOT) -> Stack:
        """A stack of a program, with the package of a checkout."""
        folder = self._base / name
        folder.mkdir()
        (folder / "Pulumi.yaml").write_text(_PROJECT.format(name=name))
        (folder / "__main__.py").write_text(program)
        (folder / ".venv").symlink_to(sys.prefix)
        stack = Stack(folder, {**self._environment, "PYTHONPATH": f"{tree}:{ROOT}", **environment})
        stack.pulumi("stack", "init", "dev")
        return stack


@contextmanager
def stacks() -> Iterator[Stacks]:
    with tempfile.TemporaryDirectory() as base:
        yield Stacks(Path(base))


def _command() -> dict[str, str]:
    """The environment in which there is a `pulumi`."""
    tool = [sys.executable, str(ROOT / "tools" / "obtain_pulumi.py"), "--json"]
    found = json.loads(subprocess.run(tool, stdout=subprocess.PIPE, text=True, check=False).stdout)
    if "reason" in found:
        raise RuntimeError(f"needs pulumi: {found['reason']}")
    return {**os.environ, **found["env"]}
