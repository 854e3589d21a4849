"""The parser, and the conversion of errors into messages and exit codes.

Exit codes: 0 success, 1 an error with a message, 2 wrong usage, 130 interrupted; `simulate -- COMMAND` returns the exit
code of the command.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import KsailPulumiError

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130

COMMANDS = {
    "init": "create a project: Pulumi program, ksail.yaml and talos/",
    "list": "list all clusters of the account",
    "info": "show one cluster and its nodes",
    "export": "export a cluster as a cluster template, a Pulumi program or a KSail project",
    "schema": "print a JSON schema for your editor",
    "simulate": "run an Omni with emulated machines on this computer; no account needed",
}
"""The commands, each with its line in the help. A command is the module of its name."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The arguments without the program name; default: `sys.argv[1:]`.

    Returns:
        The exit code.
    """
    # gRPC logs what our errors already report. It reads this variable when it is loaded.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    options = _options(sys.argv[1:] if arguments is None else list(arguments))
    try:
        code: int = _module(options.command).run(options)
        sys.stdout.flush()
    except KsailPulumiError as error:
        print(f"ksail-pulumi: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (`| head`) has closed it. Python would report that again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _options(arguments: list[str]) -> argparse.Namespace:
    """Parse the arguments; those after `--` are a command with its own options."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    parser = _parser(next((argument for argument in arguments[:end] if not argument.startswith("-")), ""))
    options = parser.parse_args(arguments[:end])
    options.program = arguments[end + 1 :]
    if end < len(arguments) and options.command != "simulate":
        parser.error(f"{options.command} does not accept a command after --")
    if end < len(arguments) and not options.program:
        parser.error("missing command after --")
    return options


def _parser(command: str) -> argparse.ArgumentParser:
    """The parser, with the arguments of one command."""
    parser = argparse.ArgumentParser(
        prog="ksail-pulumi", description="Inspect, export and simulate Omni clusters; a companion to `pulumi up`."
    )
    parser.add_argument("--version", action="version", version=metadata.version("ksail-pulumi"))
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        added = commands.add_parser(name, help=text)
        if name == command:
            _module(name).add_arguments(added)
    return parser


def _module(command: str) -> Any:
    # Only the module of the command is loaded, because gRPC and the simulator are slow to import.
    return import_module(f"ksail_pulumi.cli.{command}")
