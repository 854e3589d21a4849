"""`ksail-pulumi machines`: the machines of the account, for the inputs `machines` and `selector`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.cli.arguments import add_output, describe
from ksail_pulumi.cli.output import print_data, print_table
from ksail_pulumi.cli.settings import client_from_environment
from ksail_pulumi.lifecycle.machines import list_machines

if TYPE_CHECKING:
    import argparse

    from ksail_pulumi.lifecycle.machines import MachineOverview

COLUMNS = ("machine", "hostname", "cluster", "free", "Talos", "size", "labels")


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(
        command,
        "List the machines of the account: what the inputs `machines` and `selector` of a cluster can name, and which "
        "machines a new cluster with the newest Talos version can take.",
        "machines",
        "machines --selector 'available, mem >= 16GiB, rack = a'",
    )
    command.add_argument(
        "--selector",
        default="",
        metavar="SELECTOR",
        help="only machines with these labels, in the language of the input `selector`; Omni's own labels are arch, "
        "cores, mem, storage, available, connected and others",
    )
    add_output(command)


def run(options: argparse.Namespace) -> int:
    client = client_from_environment()
    machines = list_machines(client, options.selector)
    if options.output != "table":
        print_data(options.output, machines)
    elif machines:
        print_table(COLUMNS, list(map(_row, machines)))
    else:
        matching = " that match the selector" if options.selector else ""
        print(f"{client.endpoint} has no machines{matching}.")
    return 0


def _row(machine: MachineOverview) -> tuple[str, ...]:
    free = "yes" if machine["free"] else "no" if machine["cluster"] else machine["whyNotFree"]
    hostname = machine["hostname"] if machine["hostname"] != machine["id"] else ""
    labels = (f"{key}={value}" if value else key for key, value in machine["labels"].items())
    return (
        machine["id"],
        hostname,
        machine["cluster"],
        free,
        machine["talosVersion"],
        _size(machine),
        ", ".join(labels),
    )


def _size(machine: MachineOverview) -> str:
    memory, disk = machine["memoryBytes"] / 2**30, machine["diskBytes"] // 10**9
    return f"{machine['cores']} cores, {memory:.4g} GiB, {disk} GB"
