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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The arguments without the program name; default: `sys.argv[1:]`.

    Returns:
        The exit code.
    """
    options = _options(sys.argv[1:] if arguments is None else list(arguments))
    # gRPC logs what our errors already report. It reads this variable when it is loaded.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        # Only the module of the command is loaded, because gRPC and the simulator are slow to import.
        command: Any = import_module(f"ksail_pulumi.cli.{options.command}")
        code: int = command.run(options)
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
    parser = _parser()
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:end])
    options.program = arguments[end + 1 :]
    if end < len(arguments) and options.command != "simulate":
        parser.error(f"{options.command} does not accept a command after --")
    if end < len(arguments) and not options.program:
        parser.error("missing command after --")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ksail-pulumi", description="Inspect, export and simulate Omni clusters; a companion to `pulumi up`."
    )
    parser.add_argument("--version", action="version", version=metadata.version("ksail-pulumi"))
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_init(commands)
    _add_list(commands)
    _add_info(commands)
    _add_export(commands)
    _add_schema(commands)
    _add_simulate(commands)
    return parser


_ENVIRONMENT = "Reads OMNI_ENDPOINT, OMNI_SERVICE_ACCOUNT_KEY and OMNI_CA_FILE."


def _add_init(commands: Any) -> None:
    command = commands.add_parser(
        "init",
        help="create a project: Pulumi program, ksail.yaml and talos/",
        description="Create a Pulumi project with one Omni cluster. Existing files are kept.",
    )
    command.add_argument("--name", default="", help="the cluster's name (default: the folder's)")
    command.add_argument(
        "--distribution", choices=("Talos",), default="Talos", help="for compatibility with KSail; only Talos"
    )
    command.add_argument(
        "--provider", choices=("Omni",), default="Omni", help="for compatibility with KSail; only Omni"
    )
    command.add_argument(
        "--control-planes", type=_positive, default=1, metavar="N", help="control plane nodes (default: 1)"
    )
    command.add_argument("--workers", type=_count, default=0, metavar="N", help="workers (default: 0)")
    command.add_argument(
        "--endpoint", default="", metavar="URL", help="URL of your Omni (default: read from OMNI_ENDPOINT)"
    )
    command.add_argument("--output", default=".", metavar="FOLDER", help="output folder (default: the current one)")
    command.add_argument("--force", action="store_true", help="overwrite existing files")


def _add_list(commands: Any) -> None:
    command = commands.add_parser("list", help="list all clusters of the account", epilog=_ENVIRONMENT)
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _add_info(commands: Any) -> None:
    command = commands.add_parser("info", help="show one cluster and its nodes", epilog=_ENVIRONMENT)
    command.add_argument("name", metavar="NAME", help="the cluster's name")
    command.add_argument("--json", action="store_true", help="print JSON instead of tables")


def _add_export(commands: Any) -> None:
    command = commands.add_parser(
        "export",
        help="export a cluster as a cluster template, a Pulumi program or a KSail project",
        description="Export a cluster from Omni in one of three formats. What the format cannot express is listed on "
        "stderr.",
        epilog=_ENVIRONMENT,
    )
    command.add_argument("name", metavar="NAME", help="the cluster's name")
    command.add_argument(
        "--as",
        dest="form",
        default="template",
        choices=("template", "python", "ksail"),
        help="template: a cluster template for omnictl (default); python: a program that takes the cluster over; "
        "ksail: ksail.yaml and talos/",
    )
    command.add_argument("--output", default="", metavar="FILE", help="output file (default: print to stdout)")
    command.add_argument("--force", action="store_true", help="overwrite existing files")


def _add_schema(commands: Any) -> None:
    command = commands.add_parser(
        "schema",
        help="print a JSON schema for your editor",
        description="Print a JSON schema. To use it in an editor, start a YAML file with "
        "`# yaml-language-server: $schema=ksail.schema.json`.",
    )
    command.add_argument(
        "of",
        choices=("args", "ksail", "template"),
        help="args: inputs of an OmniCluster; ksail: ksail.yaml; template: a cluster template of omnictl",
    )


def _add_simulate(commands: Any) -> None:
    command = commands.add_parser(
        "simulate",
        help="run an Omni with emulated machines on this computer; no account needed",
        description="Run an Omni with emulated machines until Ctrl-C, or while COMMAND runs. OMNI_ENDPOINT and "
        "OMNI_SERVICE_ACCOUNT_KEY are set for the command.",
        usage="ksail-pulumi simulate [-h] [--machines N] [--speed real|fast] [--port PORT] [-- COMMAND ...]",
    )
    command.add_argument("--machines", type=_positive, default=6, metavar="N", help="number of machines (default: 6)")
    command.add_argument(
        "--speed",
        choices=("real", "fast"),
        default="fast",
        help="fast: a cluster is ready in seconds; real: as long as with virtual machines (default: fast)",
    )
    command.add_argument(
        "--port", type=_port, default=0, metavar="PORT", help="port on 127.0.0.1 (default: any free port)"
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a number of at least 1, not {text!r}")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a number, not {text!r}")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"must be a port number, not {text!r}")
    return int(text)
