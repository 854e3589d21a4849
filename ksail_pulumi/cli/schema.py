"""`ksail-pulumi schema`: JSON schemas of inputs, ksail.yaml and cluster templates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ksail_pulumi.cli.arguments import describe
from ksail_pulumi.formats.schema import SCHEMAS

if TYPE_CHECKING:
    import argparse


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(
        command,
        "Print a JSON schema. To use it in an editor, start a YAML file with `# yaml-language-server: "
        "$schema=ksail.schema.json`.",
        "schema ksail > ksail.schema.json",
        environment="",
    )
    command.add_argument(
        "of",
        choices=("args", "ksail", "template"),
        help="args: inputs of an OmniCluster; ksail: ksail.yaml; template: a cluster template of omnictl",
    )


def run(options: argparse.Namespace) -> int:
    print(json.dumps(SCHEMAS[options.of](), indent=2, ensure_ascii=False))
    return 0
