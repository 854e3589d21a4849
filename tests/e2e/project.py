"""Drives the real `pulumi` command in a project of its own, with its own state and its own home."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.programs import PROGRAM
from tests.e2e.vault import KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT = Path(__file__).resolve().parents[2]
PIP = ROOT / "tests" / "e2e" / "standins" / "pip.py"
PASSPHRASE = "correct horse battery staple"

CLUSTER_TYPE = "pulumi-python:dynamic/ksail:OmniCluster"

PROJECT = """\
name: test
runtime: {name: python, options: {virtualenv: .venv}}
"""


@dataclass
class Run:
    """What one `pulumi` command did.

    Attributes:
        code: Its exit code.
        output: Its stdout and stderr.
    """

    code: int
    output: str

    @property
    def changes(self) -> dict[str, int]:
        """The summary's counts of resources by what was done, the stack itself left out."""
        block = self.output.split("Resources:")[-1].partition("\n\n")[0]
        counts = {verb: int(count) for count, verb in re.findall(r"(\d+) (?:to )?([a-z]+)", block)}
        counts.pop("changes", None)  # the sum, where there are several kinds
        return counts

    @property
    def told(self) -> dict[str, str]:
        """The messages in the summary by the resource that they are about, each message on one line."""
        summary = self.output.partition("\nDiagnostics:\n")[2].partition("\nOutputs:\n")[0]
        parts = re.split(r"^  \S+ \((\S+)\):$", summary, flags=re.M)[1:]
        return {resource: " ".join(text.split()) for resource, text in zip(parts[::2], parts[1::2], strict=True)}


@dataclass
class Project:
    """A Pulumi project in a folder, and the environment for its commands."""

    folder: Path
    environment: dict[str, str]
    outputs_seen: list[str] = field(default_factory=list)

    @classmethod
    def create(
        cls, base: Path, pulumi: Mapping[str, str], omni: Mapping[str, str], source: Path | None = None
    ) -> Project:
        """A project below `base`: the one in `source`, or one that makes what `clusters` says."""
        folder = base / "project"
        folder.mkdir()
        if source is not None:
            for path in (*source.glob("Pulumi*.yaml"), *source.glob("*.py"), *source.glob("ksail.yaml")):
                shutil.copy(path, folder)
            if (source / "talos").is_dir():
                shutil.copytree(source / "talos", folder / "talos")
            settings = folder / "Pulumi.yaml"
            settings.write_text(settings.read_text().replace("../../.venv", ".venv"))
        else:
            (folder / "__main__.py").write_text(PROGRAM)
            (folder / "Pulumi.yaml").write_text(PROJECT)
        (folder / ".venv").symlink_to(sys.prefix)
        (folder / PIP.name).symlink_to(PIP)  # `python -m pip` looks into the working directory first
        (base / "state").mkdir()
        others = ("OMNI_", "SIDERO_", "PULUMI_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(others)}
        environment |= pulumi
        environment |= omni
        environment |= {
            "PULUMI_BACKEND_URL": f"file://{base / 'state'}",
            "PULUMI_HOME": str(base / "home"),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "NO_COLOR": "1",
        }
        return cls(folder, environment)

    def program(self, text: str) -> None:
        """Run another program than the one that makes what `clusters` says and nothing else."""
        (self.folder / "__main__.py").write_text(text)

    def clusters(self, clusters: Mapping[str, Mapping[str, Any]], stack: str = "dev") -> None:
        """Set what the program makes in a stack: inputs by resource name."""
        (self.folder / f"{stack}.json").write_text(json.dumps(clusters))

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a `pulumi` command in a process group of its own."""
        return subprocess.Popen(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.folder,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None, fails: bool = False) -> Run:
        """Run a `pulumi` command to its end and check whether it succeeded."""
        process = self.start(*arguments, environment=environment)
        return self.finish(process, fails=fails)

    def finish(self, process: subprocess.Popen[str], *, fails: bool = False) -> Run:
        """Wait for a started command and check whether it succeeded."""
        try:
            output, _ = process.communicate()
        except BaseException:
            kill(process)
            raise
        self.outputs_seen.append(output)
        assert (process.returncode != 0) == fails, output
        return Run(process.returncode, output)

    def run_in(
        self,
        stacks: Iterable[str],
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        fails: bool = False,
    ) -> dict[str, Run]:
        """Run a `pulumi` command on several stacks at once, which succeeds or fails on all; what it did, by stack."""
        started = {stack: self.start(*arguments, "--stack", stack, environment=environment) for stack in stacks}
        try:
            return {stack: self.finish(process, fails=fails) for stack, process in started.items()}
        finally:
            for process in started.values():
                kill(process)

    def init(self, stack: str = "dev") -> None:
        self.run("stack", "init", stack, "--secrets-provider", KEY)

    def up(self, *arguments: str, **how: Any) -> Run:
        return self.run("up", "--yes", "--skip-preview", *arguments, **how)

    def preview(self, *arguments: str, **how: Any) -> Run:
        return self.run("preview", *arguments, **how)

    def refresh(self, *arguments: str, **how: Any) -> Run:
        return self.run("refresh", "--yes", "--skip-preview", *arguments, **how)

    def destroy(self, *arguments: str, **how: Any) -> Run:
        return self.run("destroy", "--yes", "--skip-preview", *arguments, **how)

    def export(self, stack: str = "dev", *arguments: str) -> dict[str, Any]:
        """The stack's state."""
        state: dict[str, Any] = json.loads(self.run("stack", "export", "--stack", stack, *arguments).output)
        return state

    def import_(self, state: Mapping[str, Any], stack: str = "dev") -> None:
        """Put something else in the place of the stack's state."""
        file = self.folder.parent / "import.json"
        file.write_text(json.dumps(state))
        self.run("stack", "import", "--stack", stack, "--file", str(file))

    def resources(self, stack: str = "dev") -> dict[str, dict[str, Any]]:
        """The clusters in the stack's state, by resource name."""
        found = self.export(stack)["deployment"].get("resources") or []
        return {item["urn"].rsplit("::", 1)[1]: item for item in found if CLUSTER_TYPE in item["type"]}

    def uuids(self, stack: str = "dev") -> dict[str, str]:
        """The UUIDs of the clusters in the stack's state, by resource name; `""` where there is none."""
        return {name: item["outputs"].get("clusterUuid", "") for name, item in self.resources(stack).items()}

    def urn(self, resource: str, stack: str = "dev", project: str = "test") -> str:
        return f"urn:pulumi:{stack}::{project}::{CLUSTER_TYPE}::{resource}"

    def outputs(self, stack: str = "dev", *, show_secrets: bool = False) -> dict[str, Any]:
        """The stack's outputs."""
        flags = ["--show-secrets"] if show_secrets else []
        process = self.start("stack", "output", "--json", "--stack", stack, *flags)
        text, _ = process.communicate()
        assert process.returncode == 0, text
        result: dict[str, Any] = json.loads(text)
        return result

    def clean_up(self) -> None:
        """Destroy what is left, on an Omni that outlives the test."""
        for stack in json.loads(self.run("stack", "ls", "--json").output):
            self.run("state", "unprotect", "--all", "--yes", "--stack", stack["name"])
            self.destroy("--stack", stack["name"])

    def stored_text(self) -> str:
        """All that Pulumi has written: state, backups, history, logs; and all that it has printed."""
        files = [path for path in self.folder.parent.rglob("*") if path.is_file() and ".venv" not in path.parts]
        return "\n".join([*self.outputs_seen, *(path.read_text(errors="replace") for path in files)])


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a command with all that it started, unless it has ended."""
    if process.poll() is None:
        for pid in session_of(process):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


def session_of(process: subprocess.Popen[str]) -> list[int]:
    """The processes that a command has started: plugins have process groups of their own, and share its session."""
    pids = subprocess.run(["ps", "-A", "-o", "pid="], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    found = []
    for pid in map(int, pids):
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == process.pid:
                found.append(pid)
    return found


def need(machines: list[str], count: int) -> None:
    """Skip a test on an Omni that has not so many free machines."""
    if len(machines) < count:
        pytest.skip(f"needs {count} free machines, this Omni has {len(machines)}")
