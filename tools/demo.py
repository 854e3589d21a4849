"""`make demo`: watch `pulumi up` bring up, scale and destroy a cluster on the built-in Omni.

It touches nothing outside of a temporary folder: a copy of the root project and Pulumi's state live there.
"""

from __future__ import annotations

import difflib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import obtain_pulumi
from ksail_pulumi.simulator.server import Simulator

ROOT = obtain_pulumi.TOOLS.parent
PROJECT = ("Pulumi.yaml", "__main__.py", "ksail.yaml", "talos")
MACHINES = 6
CLUSTER = "my-omni-cluster"


class Demo:
    """A copy of the root project, a folder for Pulumi's state, and the environment of the commands."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.project = folder / "project"
        self.project.mkdir()
        for name in PROJECT:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.project / name)
        (self.project / ".venv").symlink_to(sys.prefix)
        (folder / "state").mkdir()
        # The demo must reach neither the user's real Omni nor their Pulumi login.
        others = ("OMNI_", "SIDERO_", "PULUMI_")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(others)}
        self.environment |= environment
        self.environment |= {
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_CONFIG_PASSPHRASE": "demo",
        }
        self.started = time.monotonic()

    def say(self, text: str) -> None:
        print(_styled("1;36", f"\n# {text}"), flush=True)

    def run(self, *command: str) -> None:
        """Show a command and run it."""
        print(_styled("1", f"$ {shlex.join(command)}"), flush=True)
        subprocess.run(command, cwd=self.project, env=self.environment, check=True)

    def edit(self, name: str, old: str, new: str) -> None:
        """Change a file and show what changed."""
        path = self.project / name
        before = path.read_text()
        after = before.replace(old, new)
        path.write_text(after)
        for line in difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, n=1, lineterm=""):
            print(_styled({"+": "32", "-": "31"}.get(line[0], "2"), line), flush=True)


def _styled(code: str, text: str) -> str:
    return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() or os.environ.get("FORCE_COLOR") else text


def play(demo: Demo) -> None:
    """The demo itself."""
    demo.say("a stack, and the cluster of ksail.yaml: 1 control plane node and 2 workers")
    demo.run("pulumi", "stack", "init", "dev")
    demo.run("pulumi", "up", "--yes", "--skip-preview")
    demo.say("the cluster in Omni")
    demo.run("ksail-pulumi", "info", CLUSTER)
    demo.say("one more worker")
    demo.edit("ksail.yaml", "workers: 2", "workers: 3")
    demo.run("pulumi", "up", "--yes")
    demo.run("ksail-pulumi", "info", CLUSTER)
    demo.say("delete the cluster: its machines are free again")
    demo.run("pulumi", "destroy", "--yes", "--skip-preview")
    demo.run("ksail-pulumi", "list")


def main() -> int:
    """Return the exit status for `make demo`."""
    try:
        environment = obtain_pulumi.obtain().env()
    except obtain_pulumi.UnavailableError as error:
        print(f"The demo needs the pulumi command: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="ksail-pulumi-demo-") as folder, Simulator(machines=MACHINES) as omni:
        environment["OMNI_ENDPOINT"] = omni.endpoint
        environment["OMNI_SERVICE_ACCOUNT_KEY"] = omni.service_account_key
        demo = Demo(Path(folder), environment)
        demo.say(f"an Omni with {MACHINES} emulated machines (like `ksail-pulumi simulate`) at {omni.endpoint}")
        demo.run("ksail-pulumi", "list")
        try:
            play(demo)
        except subprocess.CalledProcessError as error:
            return error.returncode
        except KeyboardInterrupt:
            return 130
        demo.say(f"done in {time.monotonic() - demo.started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
