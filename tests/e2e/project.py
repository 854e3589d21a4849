"""Drives the real `pulumi` command in a project of its own, with its own state and its own home."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "correct horse battery staple"

# Every entry of a stack's file is one cluster: tests change a cluster by changing the file.
PROGRAM = """\
import json
from pathlib import Path

import pulumi

from ksail_pulumi import OmniCluster

for name, inputs in json.loads(Path(f"{pulumi.get_stack()}.json").read_text()).items():
    timeouts = pulumi.CustomTimeouts(create=inputs.pop("timeout", None))
    cluster = OmniCluster(name, opts=pulumi.ResourceOptions(custom_timeouts=timeouts), **inputs)
    pulumi.export(name, {"nodes": cluster.nodes, "ready": cluster.ready, "talosVersion": cluster.talos_version})
    pulumi.export(f"{name}Kubeconfig", cluster.kubeconfig)
"""

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
        lines = re.findall(r"^ +(?:[+~±-]+ )?(\d+) (?:to )?(\w+)", self.output.split("Resources:")[-1], re.M)
        return {verb: int(count) for count, verb in lines}

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
            settings.write_text(settings.read_text().replace("virtualenv: ../../.venv", "virtualenv: .venv"))
        else:
            (folder / "__main__.py").write_text(PROGRAM)
            (folder / "Pulumi.yaml").write_text(PROJECT)
        (folder / ".venv").symlink_to(sys.prefix)
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
        self, stacks: Iterable[str], *arguments: str, environment: Mapping[str, str] | None = None
    ) -> dict[str, Run]:
        """Run a `pulumi` command that succeeds on several stacks at once; what it did, by stack."""
        started = {stack: self.start(*arguments, "--stack", stack, environment=environment) for stack in stacks}
        try:
            return {stack: self.finish(process) for stack, process in started.items()}
        finally:
            for process in started.values():
                kill(process)

    def init(self, stack: str = "dev") -> None:
        self.run("stack", "init", stack)

    def up(self, *arguments: str, **how: Any) -> Run:
        return self.run("up", "--yes", "--skip-preview", *arguments, **how)

    def preview(self, *arguments: str, **how: Any) -> Run:
        return self.run("preview", *arguments, **how)

    def refresh(self, *arguments: str, **how: Any) -> Run:
        return self.run("refresh", "--yes", "--skip-preview", *arguments, **how)

    def destroy(self, *arguments: str, **how: Any) -> Run:
        return self.run("destroy", "--yes", "--skip-preview", *arguments, **how)

    def resources(self, stack: str = "dev") -> dict[str, dict[str, Any]]:
        """The clusters in the stack's state, by resource name."""
        state = json.loads(self.run("stack", "export", "--stack", stack).output)
        found = state["deployment"].get("resources") or []
        return {item["urn"].rsplit("::", 1)[1]: item for item in found if "dynamic" in item["type"]}

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
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def need(machines: list[str], count: int) -> None:
    """Skip a test on an Omni that has not so many free machines."""
    if len(machines) < count:
        pytest.skip(f"needs {count} free machines, this Omni has {len(machines)}")
