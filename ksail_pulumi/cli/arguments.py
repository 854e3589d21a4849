"""What the commands have in common: help, exit codes, formats of output, types of arguments."""

from __future__ import annotations

import argparse
from types import MappingProxyType
from typing import TYPE_CHECKING

from ksail_pulumi.model.durations import duration
from ksail_pulumi.problems import CONTROL_CHARACTERS, has_control_characters

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENT = "Reads OMNI_ENDPOINT, OMNI_SERVICE_ACCOUNT_KEY and OMNI_CA_FILE."

SUCCESS, ERROR, NO, INTERRUPTED = 0, 1, 3, 130
"""Exit codes. `NO`: the command worked, and the answer to what it was asked is no."""

EXIT_CODES: Mapping[int, str] = MappingProxyType(
    {SUCCESS: "success", ERROR: "error", 2: "wrong usage", INTERRUPTED: "interrupted"}
)
"""The exit codes of every command. `NO` has a meaning of its own for each command that returns it."""


class Formatter(argparse.HelpFormatter):
    """Wraps paragraphs, and keeps lines that are indented."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        self._action_max_length = 16  # argparse itself does not count the indentation of commands

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n".join(line if line.startswith(" ") else fill(line, width, indent) for line in text.splitlines())


def listed(codes: Mapping[int, str]) -> str:
    """Exit codes and their meanings, in one line."""
    return "; ".join(f"{code} {codes[code]}" for code in sorted(codes))


def describe(
    command: argparse.ArgumentParser, text: str, *examples: str, no: str = "", environment: str = ENVIRONMENT
) -> None:
    """Write the help of a command.

    Args:
        command: Its parser.
        text: What it does.
        *examples: Example arguments.
        no: What the exit code `NO` means; `""` for a command that does not return it.
        environment: The environment variables that it reads, in a sentence; `""` for none.
    """
    codes = {**EXIT_CODES, NO: no} if no else EXIT_CODES
    lines = ["Examples:" if len(examples) > 1 else "Example:", *(f"  ksail-pulumi {each}" for each in examples), ""]
    lines += [*([environment, ""] if environment else []), f"Exit codes: {listed(codes)}"]
    command.description, command.epilog, command.formatter_class = text, "\n".join(lines), Formatter


def add_output(command: argparse.ArgumentParser) -> None:
    """Add the option for the format of what the command prints."""
    command.add_argument(
        "--output",
        choices=("table", "json", "yaml"),
        default="table",
        help="table: for people (default); json, yaml: for programs",
    )


def ttl(text: str) -> str:
    """A duration in Go's notation that is longer than 0."""
    try:
        valid = duration(text).total_seconds() > 0
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None
    if not valid:
        raise argparse.ArgumentTypeError(f"should be longer than 0, not {text!r}")
    return text


def context_name(text: str) -> str:
    """The name of a context, which stands in one line of a file."""
    if has_control_characters(text):
        raise argparse.ArgumentTypeError(CONTROL_CHARACTERS)
    return text


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"should be a whole number of 1 or more, not {text!r}")
    return int(text)


def seconds(text: str) -> float:
    """A duration such as `90s`, `10m` or `1h30m`, in seconds."""
    return duration(ttl(text)).total_seconds()


def count(text: str) -> int:
    """A whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"should be a whole number of 0 or more, not {text!r}")
    return int(text)


def port(text: str) -> int:
    """A TCP port, 0 to 65535."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"should be a port number, not {text!r}")
    return int(text)
