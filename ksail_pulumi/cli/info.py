"""`ksail-pulumi info NAME`: a cluster's phase, versions, endpoints and nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.cli.arguments import add_output, describe
from ksail_pulumi.cli.output import owner, print_data, print_table
from ksail_pulumi.cli.settings import client_from_environment
from ksail_pulumi.lifecycle.overview import read_cluster

if TYPE_CHECKING:
    import argparse

    from ksail_pulumi.lifecycle.overview import ClusterAddon, ClusterDetails

COLUMNS = ("hostname", "role", "stage", "machine set", "machine", "addresses")


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(command, "Show one cluster, its add-ons and its nodes.", "info west", "info west --output json")
    command.add_argument("name", metavar="NAME", help="the cluster's name")
    add_output(command)


def run(options: argparse.Namespace) -> int:
    client = client_from_environment()
    cluster = read_cluster(client, options.name)
    if options.output != "table":
        print_data(options.output, {**cluster, "omni": client.endpoint})
        return 0
    for name, value in _facts(cluster, client.endpoint):
        print(f"{name + ':':<17}{value}")
    rows = [
        (
            node["hostname"],
            node["role"],
            node["stage"],
            node["set"].removeprefix(f"{cluster['name']}-"),
            node["id"],
            ", ".join(node["addresses"]),
        )
        for node in cluster["nodes"]
    ]
    print()
    if rows:
        print_table(COLUMNS, rows)
    else:
        print("No machine has joined the cluster yet.")
    return 0


def _facts(cluster: ClusterDetails, omni: str) -> list[tuple[str, str]]:
    ready = "yes" if cluster["ready"] else "no"
    facts = [
        ("Cluster", cluster["name"]),
        ("Phase", cluster["phase"]),
        ("Ready", f"{ready} ({cluster['healthyMachines']} of {cluster['machines']} machines healthy)"),
        ("Talos", _version(cluster["runningTalosVersion"], cluster["talosVersion"])),
        ("Kubernetes", _version(cluster["runningKubernetesVersion"], cluster["kubernetesVersion"])),
        ("Omni", omni),
        ("Kubernetes API", cluster["kubernetesApi"]),
    ]
    if cluster["addons"]:
        facts.append(("Add-ons", ", ".join(map(_addon, cluster["addons"]))))
    if cluster["manifestsError"]:
        facts.append(("Manifests", cluster["manifestsError"]))
    if cluster["owner"]:
        facts.append(("Pulumi resource", owner(cluster)))
    return facts


def _addon(addon: ClusterAddon) -> str:
    state = "" if addon["state"] in ("", "APPLIED") else f"({addon['state'].lower()})"
    return " ".join(filter(None, (addon["name"], addon["version"], state)))


def _version(running: str, target: str) -> str:
    return f"{running} → {target}" if running and running != target else target
