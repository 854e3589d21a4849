"""`ksail-pulumi plan FILE`: what `pulumi up` would do with the cluster of a file, without Pulumi."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ksail_pulumi.cli.arguments import ENVIRONMENT, ERROR, SUCCESS, add_output, describe
from ksail_pulumi.cli.output import print_data, rich_terminal
from ksail_pulumi.cli.settings import client_from_environment
from ksail_pulumi.formats.either import load_either
from ksail_pulumi.lifecycle.stateless import forecast_of
from ksail_pulumi.model.gate import private_values
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.redaction import Gate, behind

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ksail_pulumi.lifecycle.stateless import Forecast
    from ksail_pulumi.model.parse import ClusterSpec

ACTIONS = {
    "create": "a new cluster",
    "update": "a cluster that Pulumi manages",
    "import": "a cluster that exists and that no Pulumi resource manages: it needs `import_`",
}
_COLOURS = {"error": "red", "warning": "yellow", "change": "green"}


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(
        command,
        "Show what `pulumi up` would do with the cluster that a ksail.yaml or a cluster template of omnictl describes, "
        "and what Omni would refuse. It needs no Pulumi and no state, and changes nothing.",
        "plan ksail.yaml",
        "plan cluster.yaml --output json",
        environment=f"{ENVIRONMENT} A ksail.yaml can name the endpoint, and another variable for the key.",
    )
    command.add_argument("file", metavar="FILE", help="a ksail.yaml or a cluster template")
    add_output(command)


@dataclass(frozen=True)
class Planned:
    """The forecast for the cluster of a file.

    Attributes:
        spec: The cluster.
        forecast: What an `up` would do.
        warnings: What the reader of the file says about it.
        omni: The endpoint of the Omni.
    """

    spec: ClusterSpec
    forecast: Forecast
    warnings: Sequence[str]
    omni: str


def forecast_in(file: str) -> Planned:
    """What `pulumi up` would do with the cluster of a ksail.yaml or a cluster template.

    Raises:
        InputError: The file is not valid.
        OmniError: Omni did not answer.
    """
    described = load_either(file)
    client = client_from_environment(endpoint=described.endpoint, key_variable=described.key_variable)
    spec = parse_cluster(described.spec)
    # Omni's texts quote values that they refuse.
    with behind(Gate(private=lambda: private_values(described.spec))):
        forecast = forecast_of(spec, client)
    return Planned(spec, forecast, described.warnings, client.endpoint)


def run(options: argparse.Namespace) -> int:
    planned = forecast_in(options.file)
    found = planned.forecast.findings
    data = {
        "name": planned.spec.name,
        "action": planned.forecast.action,
        "errors": [{"field": each.field, "reason": each.reason} for each in found.failures],
        "warnings": [*planned.warnings, *found.warnings],
        "changes": list(found.forecasts),
        "omni": planned.omni,
    }
    if options.output == "table":
        unchanged = not (found.failures or found.forecasts or found.too_few)
        _print(data, [str(each) for each in found.failures], unchanged=unchanged)
    else:
        print_data(options.output, data)
    return ERROR if found.failures else SUCCESS


def _print(data: dict[str, Any], errors: list[str], *, unchanged: bool) -> None:
    title = f"{data['name']}: {ACTIONS[data['action']]}, in Omni at {data['omni']}"
    kinds = (("error", errors), ("warning", data["warnings"]), ("change", data["changes"]))
    lines = [(kind, text) for kind, texts in kinds for text in texts]
    if not rich_terminal():
        print(
            "\n".join([title, *(f"{kind:<8} {text}" for kind, text in lines), *(["no changes"] if unchanged else [])])
        )
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    console.print(f"[bold]{escape(title)}[/]")
    for kind, text in lines:
        console.print(f"[{_COLOURS[kind]}]{kind}[/] {escape(text)}")
    if unchanged:
        console.print("no changes")
