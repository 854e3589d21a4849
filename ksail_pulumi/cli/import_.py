"""`ksail-pulumi import NAME`: a project whose program takes a cluster over, and the commands to run it."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ksail_pulumi.cli.arguments import describe
from ksail_pulumi.cli.export import read_inputs, write_new
from ksail_pulumi.cli.init import virtualenv_of
from ksail_pulumi.cli.installed import requirement
from ksail_pulumi.cli.settings import client_from_environment
from ksail_pulumi.formats.project import Project, program_files
from ksail_pulumi.formats.python import program_text

if TYPE_CHECKING:
    import argparse


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(
        command,
        "Write a Pulumi project that takes over an existing cluster, whoever created it, and print the commands to "
        "run. The program has all that Omni has of the cluster, and the option `import_`. There is no import file: "
        "`pulumi import` does not support dynamic resources such as OmniCluster, and `pulumi up` imports the cluster.",
        "import west --output west",
    )
    command.add_argument("name", metavar="NAME", help="the cluster's name")
    command.add_argument("--output", default=".", metavar="FOLDER", help="output folder (default: the current one)")
    command.add_argument("--force", action="store_true", help="overwrite existing files")


def run(options: argparse.Namespace) -> int:
    client = client_from_environment()
    inputs, unsaid = read_inputs(client, options.name, "python")
    folder, installed = Path(options.output), requirement()
    project = Project(
        options.name, endpoint=client.endpoint, virtualenv=virtualenv_of(folder), requirement=installed.line
    )
    write_new(program_files(project, program_text(inputs)), folder, force=options.force)
    for remark in (*unsaid, *filter(None, [installed.remark])):
        print(f"ksail-pulumi: {remark}", file=sys.stderr)
    print("\n".join(_next_steps(project, folder)))
    return 0


def _next_steps(project: Project, folder: Path) -> list[str]:
    lines = ["Next:"]
    if folder.resolve() != Path.cwd():
        lines.append(f"  cd {shlex.quote(os.fspath(folder))}")
    return [
        *lines,
        f"  pulumi stack init {project.stack}",
        "  pulumi preview   # shows what would change; with the program as it is, nothing changes in Omni",
        "  pulumi up        # takes the cluster over; afterwards you can remove `import_` from __main__.py",
    ]
