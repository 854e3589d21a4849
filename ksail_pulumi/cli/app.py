"""The parser, and the conversion of errors into messages and exit codes (`arguments.EXIT_CODES`)."""

from __future__ import annotations

import argparse
import errno
import gc
import os
import sys
from contextlib import redirect_stdout
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from unicodedata import category

from ksail_pulumi.cli.arguments import ERROR, EXIT_CODES, INTERRUPTED, NO, Formatter, listed
from ksail_pulumi.errors import KsailPulumiError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

COMMANDS = {
    "init": "create a project: Pulumi program, ksail.yaml and talos/",
    "list": "list all clusters of the account",
    "info": "show one cluster and its nodes",
    "status": "show how far a cluster is from healthy, once or until it is healthy",
    "diagnose": "show what keeps a cluster from being healthy, and what to do",
    "machines": "list the machines of the account, and which are free",
    "plan": "show what `pulumi up` would do with the cluster of a file, without Pulumi",
    "graph": "draw a cluster, or what `pulumi up` would do, as SVG or Mermaid",
    "timeline": "draw the last change of a cluster: what waited for what, and how long",
    "export": "export a cluster as a cluster template, a Pulumi program or a KSail project",
    "import": "write a project whose program takes over an existing cluster",
    "doctor": "check the way to Omni and the installed versions, and say what to do",
    "kubeconfig": "print the kubeconfig of a cluster, or merge it into your own",
    "talosconfig": "print the talosconfig of a cluster, or merge it into your own",
    "token": "print a token for a cluster, for kubectl",
    "connect": "start k9s on a cluster",
    "schema": "print a JSON schema for your editor",
    "simulate": "run an Omni with emulated machines on this computer; no account needed",
    "completion": "print a script that completes commands and options in your shell",
}
"""The commands, each with its line in the help. A command is the module of its name, with `_` after a keyword."""

_NOT_WRITTEN = {errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC, errno.EPIPE}
"""What the system says if stdout cannot be written."""

_EPILOG = f"""\
`ksail-pulumi COMMAND --help` shows the options of a command, with an example.

Exit codes: {listed({**EXIT_CODES, NO: "the answer is no"})}"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The arguments without the program name; default: `sys.argv[1:]`.

    Returns:
        The exit code.
    """
    # gRPC logs what our errors already report. It reads this variable when it is loaded.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    # Python has no stdout if the shell has closed it: `>&-`.
    with Path(os.devnull).open("w", encoding="utf-8") as nothing, redirect_stdout(sys.stdout or nothing):
        return _exit_code(sys.argv[1:] if arguments is None else list(arguments))


def _exit_code(arguments: list[str]) -> int:
    """Run one command, and report an output that cannot be written."""
    try:
        try:
            return _run(arguments)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except UnicodeEncodeError as error:
        print(f"ksail-pulumi: cannot write the output in {error.encoding}: set PYTHONUTF8=1", file=sys.stderr)
    except OSError as error:
        if error.errno not in _NOT_WRITTEN:
            raise
        # The reader of our output (`| head`) may close it: that is no error to report.
        if not isinstance(error, BrokenPipeError):
            print(f"ksail-pulumi: cannot write the output: {error.strerror}", file=sys.stderr)
        # Python would report it again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ERROR


def _run(arguments: list[str]) -> int:
    # Imports make no garbage, and to look for it takes a tenth of their time.
    gc.disable()
    try:
        options = _options(arguments)
    finally:
        gc.enable()
    try:
        code: int = _module(options.command).run(options)
    except KsailPulumiError as error:
        print(f"ksail-pulumi: {error}", file=sys.stderr)
        return ERROR
    return code


def _options(arguments: list[str]) -> argparse.Namespace:
    """Parse the arguments; those after `--` are a command with its own options."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    # Only the module of the command is loaded, because gRPC and the simulator are slow to import.
    named = [argument for argument in arguments[:end] if not argument.startswith("-")][:1]
    # After the name of a command the others are only in the way: the help that lists them is not reached.
    alone = bool(named) and named == arguments[:1] and named[0] in COMMANDS
    parser = parser_of(named, among=named if alone else COMMANDS)
    for number, argument in enumerate(arguments[:end], 1):
        # Python reads bytes that are not UTF-8 as surrogates (Cs). Neither Omni nor YAML has a place for them.
        if any(category(character) in ("Cc", "Cs") for character in argument):
            parser.error(f"argument {number} has control characters or is not UTF-8")
    options = parser.parse_args(arguments[:end])
    options.program = arguments[end + 1 :]
    if end < len(arguments) and options.command != "simulate":
        parser.error(f"{options.command} does not accept a command after --")
    if end < len(arguments) and not options.program:
        parser.error("missing command after --")
    return options


def parser_of(
    names: Collection[str], *, among: Collection[str] = COMMANDS, brief: bool = False
) -> argparse.ArgumentParser:
    """The parser, with the arguments of those commands only whose names are given.

    Args:
        names: The names.
        among: The names of all commands that the parser knows.
        brief: Describe each command by its line in the help.
    """
    parser = argparse.ArgumentParser(
        prog="ksail-pulumi",
        description="Inspect, export and simulate Omni clusters; a companion to `pulumi up`.",
        epilog=_EPILOG,
        formatter_class=Formatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show program's version number and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in among:
        added = commands.add_parser(name, help=COMMANDS[name])
        if name in names:
            _module(name).add_arguments(added)
            added.description = COMMANDS[name] if brief else added.description
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        # A slow import, which no command needs.
        from importlib import metadata

        print(metadata.version("ksail-pulumi"))
        parser.exit()


def _module(command: str) -> Any:
    return import_module(f"ksail_pulumi.cli.{command}{'_' if iskeyword(command) else ''}")
