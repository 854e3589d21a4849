"""`ksail-pulumi list`: all clusters of the account, whoever made them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.cli.arguments import add_output, describe
from ksail_pulumi.cli.output import owner, print_data, print_table
from ksail_pulumi.cli.settings import client_from_environment
from ksail_pulumi.lifecycle.overview import list_clusters

if TYPE_CHECKING:
    import argparse

COLUMNS = ("name", "phase", "ready", "machines", "Talos", "Kubernetes", "Pulumi resource")


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(command, "List all clusters of the account.", "list", "list --output json")
    add_output(command)


def run(options: argparse.Namespace) -> int:
    client = client_from_environment()
    clusters = list_clusters(client)
    if options.output != "table":
        print_data(options.output, clusters)
        return 0
    if not clusters:
        print(f"{client.endpoint} has no clusters.")
        return 0
    rows = [
        (
            cluster["name"],
            cluster["phase"],
            "yes" if cluster["ready"] else "no",
            f"{cluster['healthyMachines']}/{cluster['machines']}",
            cluster["talosVersion"],
            cluster["kubernetesVersion"],
            owner(cluster),
        )
        for cluster in clusters
    ]
    print_table(COLUMNS, rows)
    return 0
