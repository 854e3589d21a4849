"""`ksail-pulumi graph`: a cluster, or the plan for the one of a file, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.cli.arguments import ENVIRONMENT, describe
from ksail_pulumi.cli.picture import add_file, svg_of, write_picture
from ksail_pulumi.cli.settings import client_from_environment
from ksail_pulumi.errors import LifecycleError

if TYPE_CHECKING:
    import argparse

    from ksail_pulumi.pictures.graph import Graph


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(
        command,
        "Draw a cluster: its machine sets, machines with stage and version, and patches by scope. With --plan, draw "
        "what `pulumi up` would add, change and remove. What is in a patch is never shown.",
        "graph west --file west.svg",
        "graph west --as mermaid",
        "graph --plan ksail.yaml --file plan.svg",
        environment=f"{ENVIRONMENT} With --plan, a ksail.yaml can name the endpoint, and another variable for the key.",
    )
    subject = command.add_mutually_exclusive_group(required=True)
    subject.add_argument("name", metavar="NAME", nargs="?", help="the cluster's name")
    subject.add_argument("--plan", metavar="FILE", help="a ksail.yaml or a cluster template")
    command.add_argument(
        "--as",
        dest="form",
        default="svg",
        choices=("svg", "mermaid"),
        help="svg: an image, for light and dark (default); mermaid: a flowchart for Markdown",
    )
    add_file(command)


def run(options: argparse.Namespace) -> int:
    if options.form == "svg":
        draw = svg_of("ksail_pulumi.pictures.boxes", "cluster_svg")
    else:
        from ksail_pulumi.pictures.mermaid import cluster_mermaid as draw
    graph = _planned(options.plan) if options.plan is not None else _existing(options.name)
    write_picture(draw(graph), options)
    return 0


def _existing(name: str) -> Graph:
    from ksail_pulumi.lifecycle.composition import read_graph

    return read_graph(client_from_environment(), name)


def _planned(file: str) -> Graph:
    from ksail_pulumi.cli.plan import ACTIONS, forecast_in
    from ksail_pulumi.plan.graph import planned_graph

    planned = forecast_in(file)
    found = planned.forecast.findings
    if found.outlook is None:
        reasons = "; ".join(map(str, found.failures or found.warnings))
        raise LifecycleError(f"there is no plan for cluster {planned.spec.name} to draw: {reasons}")
    return planned_graph(planned.spec.name, ACTIONS[planned.forecast.action].replace("`", ""), found.outlook)
