"""`ksail-pulumi info NAME`: a cluster's phase, versions, endpoints and nodes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from ksail_pulumi.cli.output import print_table
from ksail_pulumi.cli.overview import owner, read_cluster
from ksail_pulumi.cli.settings import client_from_environment

if TYPE_CHECKING:
    import argparse

    from ksail_pulumi.cli.overview import Details

COLUMNS = ("hostname", "role", "stage", "machine set", "machine", "addresses")


def run(options: argparse.Namespace) -> int:
    client = client_from_environment()
    details = read_cluster(client, options.name)
    if options.json:
        print(json.dumps({**asdict(details), "omni": client.endpoint}, indent=2))
        return 0
    for name, value in _facts(details, client.endpoint):
        print(f"{name + ':':<17}{value}")
    rows = [
        (
            node.hostname,
            node.role,
            node.stage,
            node.machine_set.removeprefix(f"{details.cluster.name}-"),
            node.id,
            ", ".join(node.addresses),
        )
        for node in details.nodes
    ]
    print()
    if rows:
        print_table(COLUMNS, rows)
    else:
        print("No machine has joined the cluster yet.")
    return 0


def _facts(details: Details, omni: str) -> list[tuple[str, str]]:
    cluster = details.cluster
    ready = "yes" if cluster.ready else "no"
    facts = [
        ("Cluster", cluster.name),
        ("Phase", cluster.phase),
        ("Ready", f"{ready} ({cluster.healthy} of {cluster.machines} machines healthy)"),
        ("Talos", _version(cluster.talos_version, cluster.talos_target)),
        ("Kubernetes", _version(cluster.kubernetes_version, cluster.kubernetes_target)),
        ("Omni", omni),
        ("Kubernetes API", ", ".join(details.endpoints) or "not served yet"),
    ]
    if cluster.owner:
        facts.append(("Pulumi resource", owner(cluster)))
    return facts


def _version(running: str, target: str) -> str:
    return f"{running} → {target}" if running and running != target else target
