"""`ksail-pulumi talosconfig NAME`: a talosconfig for a cluster, printed or merged into a file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ksail_pulumi.access import files
from ksail_pulumi.access.talosconfig import merged
from ksail_pulumi.cli.arguments import describe
from ksail_pulumi.cli.settings import client_from_environment
from ksail_pulumi.lifecycle.kubeconfigs import talosconfig

if TYPE_CHECKING:
    import argparse


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(
        command,
        "Print a talosconfig for a cluster, or merge it into a talosconfig file. In a file, the context becomes the "
        "current one; other contexts stay as they are. talosctl too reads the key from the environment.",
        "talosconfig west --merge",
        "talosconfig west --file west.talosconfig",
    )
    command.add_argument("name", metavar="NAME", help="the cluster's name")
    command.add_argument(
        "--merge", action="store_true", help="merge it into the file in TALOSCONFIG, or into ~/.talos/config"
    )
    command.add_argument("--file", default="", metavar="PATH", help="merge it into this file")


def run(options: argparse.Namespace) -> int:
    text = talosconfig(client_from_environment(), options.name)
    if not options.file and not options.merge:
        print(text, end="")
        return 0
    path = files.expanded(options.file) if options.file else files.talosconfig_file()
    files.change(path, lambda before: merged(before, str(path), text))
    print(f"ksail-pulumi: the context of cluster {options.name} is in {path} and is the current one", file=sys.stderr)
    return 0
