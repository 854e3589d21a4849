"""`ksail-pulumi diagnose NAME`: what keeps a cluster from being healthy, and what to do."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from ksail_pulumi.cli.arguments import NO, SUCCESS, add_output, describe
from ksail_pulumi.cli.output import print_data, rich_terminal
from ksail_pulumi.cli.settings import client_from_environment
from ksail_pulumi.lifecycle.status import awaited, read_view, state_of
from ksail_pulumi.lifecycle.waiting.diagnosis import diagnose
from ksail_pulumi.lifecycle.waiting.finding import Diagnosis

if TYPE_CHECKING:
    import argparse

    from ksail_pulumi.lifecycle.status import ClusterState


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(
        command,
        "Show what keeps a cluster from being healthy: machines with their last errors and log lines, machine sets, "
        "upgrades, health checks, etcd and the Kubernetes API. `pulumi up` shows the same when it fails.",
        "diagnose west",
        "diagnose west --output json",
        no="the cluster is not healthy",
    )
    command.add_argument("name", metavar="NAME", help="the cluster's name")
    add_output(command)


def run(options: argparse.Namespace) -> int:
    client = client_from_environment()
    view = read_view(client, options.name)
    state = state_of(view)
    diagnosis = Diagnosis() if state["healthy"] else diagnose(view, awaited(view), client)
    if options.output == "table":
        _print(state, diagnosis)
    else:
        facts = {key: state[key] for key in ("name", "healthy", "phase", "progress")}
        findings = [{**asdict(each), "log": list(each.log)} for each in diagnosis.findings]
        print_data(options.output, {**facts, "findings": findings, "advice": diagnosis.advice, "omni": client.endpoint})
    return SUCCESS if state["healthy"] else NO


def _print(state: ClusterState, diagnosis: Diagnosis) -> None:
    healthy = "healthy" if state["healthy"] else "not healthy"
    title = f"{state['name']} is {healthy}: {state['progress']}"
    if not rich_terminal():
        print("\n".join(filter(None, (title, str(diagnosis)))))
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    console.print(f"[bold {'green' if state['healthy'] else 'yellow'}]{escape(title)}[/]")
    for finding in diagnosis.findings:
        console.print(f"[red]✗[/] {escape(str(finding))}")
    if diagnosis.advice:
        console.print(f"→ {escape(diagnosis.advice)}")
