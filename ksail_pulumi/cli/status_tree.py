"""A cluster, its machine sets and its machines as a tree: for rich, and as plain lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.tree import Tree

    from ksail_pulumi.lifecycle.status import ClusterState, MemberState, SetState


def lines(state: ClusterState) -> Iterator[str]:
    """The lines of the tree in plain text."""
    yield f"{_title(state)}: {state['progress']}"
    for version in _versions(state):
        yield f"  {version}"
    for each in state["sets"]:
        yield f"  {_set(state, each)}"
        for machine in each["machines"]:
            yield f"    {_machine(machine)}"


def tree(state: ClusterState, progress: str = "") -> Tree:
    """The tree for rich. `progress` replaces what the state says of it; it may say more."""
    from rich.markup import escape
    from rich.tree import Tree

    colour = "green" if state["healthy"] else "yellow"
    root = Tree(f"[bold {colour}]{escape(_title(state))}[/]: {escape(progress or state['progress'])}")
    for version in _versions(state):
        root.add(escape(version))
    for each in state["sets"]:
        branch = root.add(f"[{'green' if each['ready'] else 'yellow'}]{escape(_set(state, each))}[/]")
        for machine in each["machines"]:
            colour = "green" if machine["ready"] else "yellow" if machine["connected"] else "red"
            branch.add(f"[{colour}]{escape(_machine(machine))}[/]")
    return root


def _title(state: ClusterState) -> str:
    return f"{state['name']} is {'' if state['healthy'] else 'not '}healthy"


def _versions(state: ClusterState) -> list[str]:
    return [
        f"Talos {_version(state['runningTalosVersion'], state['talosVersion'])}",
        f"Kubernetes {_version(state['runningKubernetesVersion'], state['kubernetesVersion'])}",
    ]


def _version(running: str, target: str) -> str:
    return target if running == target else f"{running or 'none yet'} → {target}"


def _set(state: ClusterState, machine_set: SetState) -> str:
    name = machine_set["id"].removeprefix(f"{state['name']}-")
    counts = f"{machine_set['healthyMachines']} of {machine_set['requestedMachines']} machines healthy"
    return f"{name}: {machine_set['phase']}, {counts}"


def _machine(machine: MemberState) -> str:
    talos = f", Talos {machine['talosVersion']}" if machine["talosVersion"] else ""
    named = machine["hostname"] not in ("", machine["id"])
    name = f"{machine['hostname']} ({machine['id']})" if named else machine["id"]
    return f"{name}: {machine['state']}{talos}"
