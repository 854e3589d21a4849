"""`ksail-pulumi init`: a new project, ready for `pulumi up`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ksail_pulumi.cli.arguments import count, describe, positive
from ksail_pulumi.cli.installed import requirement
from ksail_pulumi.formats.project import Project, check_project, project_files, write_files

if TYPE_CHECKING:
    import argparse


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(
        command,
        "Create a Pulumi project with one Omni cluster. Existing files are kept.",
        "init --name west --control-planes 3 --workers 2 --output west",
        environment="",
    )
    command.add_argument("--name", default="", help="the cluster's name (default: the folder's)")
    command.add_argument(
        "--distribution", choices=("Talos",), default="Talos", help="for compatibility with KSail; only Talos"
    )
    command.add_argument(
        "--provider", choices=("Omni",), default="Omni", help="for compatibility with KSail; only Omni"
    )
    command.add_argument(
        "--control-planes", type=positive, default=1, metavar="N", help="control plane nodes (default: 1)"
    )
    command.add_argument("--workers", type=count, default=0, metavar="N", help="workers (default: 0)")
    command.add_argument(
        "--endpoint", default="", metavar="URL", help="URL of your Omni (default: read from OMNI_ENDPOINT)"
    )
    command.add_argument("--output", default=".", metavar="FOLDER", help="output folder (default: the current one)")
    command.add_argument("--force", action="store_true", help="overwrite existing files")


def run(options: argparse.Namespace) -> int:
    folder, installed = Path(options.output), requirement()
    project = Project(
        name=options.name or folder.resolve().name,
        control_planes=options.control_planes,
        workers=options.workers,
        endpoint=options.endpoint,
        virtualenv=virtualenv_of(folder),
        requirement=installed.line,
    )
    check_project(project)
    files = project_files(project)
    if (folder / "ksail.yaml").exists() and not options.force:
        # The patches belong to the ksail.yaml that is kept: one more would change its cluster.
        files = {name: text for name, text in files.items() if not name.startswith("talos/")}
    written = write_files(files, folder, force=options.force)
    for name, new in written.items():
        done = f"wrote {folder / name}" if new else f"kept  {folder / name} (--force overwrites it)"
        print(done, file=sys.stderr)
    if installed.remark and written["requirements.txt"]:
        print(f"ksail-pulumi: {installed.remark}", file=sys.stderr)
    print(_next_steps(project, folder))
    return 0


def virtualenv_of(folder: Path) -> str:
    """The current virtual environment, if the project can name it by a relative path.

    It must be in the folder of the project or a parent of it. Any other one must be activated by the user.
    """
    environment = Path(sys.prefix)
    if sys.prefix == sys.base_prefix or environment.parent not in (folder.resolve(), *folder.resolve().parents):
        return ""
    return os.path.relpath(environment, folder.resolve())


def _next_steps(project: Project, folder: Path) -> str:
    lines = ["", "Next:"]
    if folder.resolve() != Path.cwd():
        lines.append(f"  cd {folder}")
    if not project.endpoint:
        lines.append("  export OMNI_ENDPOINT=https://<account>.omni.siderolabs.io:443")
    lines += [
        "  export OMNI_SERVICE_ACCOUNT_KEY=<the key of a service account>",
        f"  pulumi stack init {project.stack}",
        "  pulumi up",
        "Without an account: ksail-pulumi simulate --state omni.json -- pulumi up",
        "And to end it: ksail-pulumi simulate --state omni.json -- pulumi destroy",
    ]
    return "\n".join(lines)
