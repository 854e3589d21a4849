"""`ksail-pulumi timeline NAME`: the last change of a cluster as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.cli.arguments import describe
from ksail_pulumi.cli.picture import add_file, svg_of, write_picture
from ksail_pulumi.cli.settings import client_from_environment
from ksail_pulumi.lifecycle.history import read_timeline

if TYPE_CHECKING:
    import argparse


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(
        command,
        "Draw the last change of a cluster as SVG: what was written to Omni, and when machines, machine sets, etcd, "
        "the Kubernetes API and the cluster were done. Omni keeps no history, so not everything is known: the picture "
        "says what is not.",
        "timeline west --file west.svg",
    )
    command.add_argument("name", metavar="NAME", help="the cluster's name")
    add_file(command)


def run(options: argparse.Namespace) -> int:
    draw = svg_of("ksail_pulumi.pictures.bars", "timeline_svg")
    write_picture(draw(read_timeline(client_from_environment(), options.name)), options)
    return 0
