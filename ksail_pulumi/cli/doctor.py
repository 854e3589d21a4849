"""`ksail-pulumi doctor`: checks the way to Omni and the installed versions, and says what to do."""

from __future__ import annotations

import os
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING

from ksail_pulumi.cli.arguments import NO, SUCCESS, add_output, describe
from ksail_pulumi.cli.checks_omni import omni_checks
from ksail_pulumi.cli.checks_pulumi import pulumi_checks
from ksail_pulumi.cli.output import print_data, rich_terminal

if TYPE_CHECKING:
    import argparse

    from ksail_pulumi.cli.checks import Check

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red"), "skipped": ("-", "dim")}


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(
        command,
        "Check endpoint, connection, TLS, key, clock and role, and the versions of Omni and Pulumi. For each problem, "
        "the remedy is shown. It also works if nothing is configured yet.",
        "doctor",
        "doctor --output json",
        no="a check failed",
    )
    add_output(command)


def run(options: argparse.Namespace) -> int:
    checks = []
    for check in chain(omni_checks(os.environ), pulumi_checks()):
        checks.append(check)
        if options.output == "table":
            _print(check)  # at once, because a check may take seconds
    if options.output != "table":
        print_data(options.output, list(map(asdict, checks)))
    return NO if any(check.result == "failed" for check in checks) else SUCCESS


def _print(check: Check) -> None:
    if rich_terminal():
        from rich.console import Console
        from rich.markup import escape
        from rich.padding import Padding

        mark, colour = _MARKS[check.result]
        console = Console(highlight=False)
        console.print(f"[{colour}]{mark}[/] [bold]{escape(check.name)}[/]: {escape(check.text)}")
        if check.remedy:
            console.print(Padding(f"[{colour}]→[/] {escape(check.remedy)}", (0, 0, 0, 2)))
        return
    print(f"{check.result:<8} {check.name}: {check.text}", flush=True)
    if check.remedy:
        print(f"{'':<8} → {check.remedy}")
