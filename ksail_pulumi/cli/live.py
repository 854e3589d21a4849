"""What the simulator's machines and clusters do at the moment, as tables that are drawn again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import CLUSTER, CLUSTER_MACHINE_STATUS, CLUSTER_STATUS, MACHINE_STATUS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Group

    from ksail_pulumi.omni.resources import Resource, ResourceType

    ListResources = Callable[[ResourceType], Sequence[Resource]]

CLUSTER_COLUMNS = ("cluster", "phase", "ready", "machines", "Talos", "Kubernetes")
MACHINE_COLUMNS = ("machine", "cluster", "role", "state", "Talos")

_PHASES = specs_pb2.ClusterStatusSpec.Phase
_STAGES = specs_pb2.ClusterMachineStatusSpec.Stage
_ROLES = {
    specs_pb2.MachineStatusSpec.Role.CONTROL_PLANE: "controlplane",
    specs_pb2.MachineStatusSpec.Role.WORKER: "worker",
}


def cluster_rows(list_resources: ListResources) -> list[tuple[str, ...]]:
    """One row for each cluster."""
    statuses = {status.id: status.spec for status in list_resources(CLUSTER_STATUS)}
    rows: list[tuple[str, ...]] = []
    for cluster in sorted(list_resources(CLUSTER), key=lambda item: item.id):
        spec = statuses.get(cluster.id, specs_pb2.ClusterStatusSpec())
        phase = "DESTROYING" if cluster.tearing_down else _PHASES.Name(spec.phase)
        machines = f"{spec.machines.healthy}/{spec.machines.total}"
        versions = (cluster.spec.talos_version, cluster.spec.kubernetes_version)
        rows.append((cluster.id, phase, "yes" if spec.ready else "no", machines, *versions))
    return rows


def machine_rows(list_resources: ListResources) -> list[tuple[str, ...]]:
    """One row for each machine, those in clusters first."""
    members = {status.id: status for status in list_resources(CLUSTER_MACHINE_STATUS)}
    rows = []
    for machine in list_resources(MACHINE_STATUS):
        spec = machine.spec
        member = members.get(machine.id)
        cluster = member.cluster if member else spec.cluster
        row = (
            machine.id,
            cluster,
            _ROLES.get(spec.role, ""),
            _state(spec, member),
            spec.talos_version.removeprefix("v"),
        )
        rows.append((not cluster, cluster, row[2], machine.id, row))
    return [row for *_, row in sorted(rows)]


def _state(machine: specs_pb2.MachineStatusSpec, member: Resource | None) -> str:
    if not machine.connected:
        return "disconnected"
    if member is None:
        return "leaving" if machine.cluster else "available"
    return _STAGES.Name(member.spec.stage).lower().replace("_", " ")


def view(list_resources: ListResources, height: int) -> Group:
    """Both tables for rich, cut to what fits into `height` lines."""
    from rich.console import Group
    from rich.text import Text

    from ksail_pulumi.cli.output import rich_table

    clusters, machines = cluster_rows(list_resources), machine_rows(list_resources)
    # Each table has a line for its columns, a rule and an empty line at both ends.
    room = max(height - len(clusters) - 12, 3)
    hidden = len(machines) - room
    return Group(
        rich_table(CLUSTER_COLUMNS, clusters) if clusters else Text("\n No clusters yet.", style="dim"),
        rich_table(MACHINE_COLUMNS, machines[:room]),
        Text(f" … and {hidden} more machines" if hidden > 0 else "", style="dim"),
    )


class ChangeLog:
    """The same told line by line, for output that is not a terminal."""

    def __init__(self, list_resources: ListResources) -> None:
        self._list_resources = list_resources
        self._known: dict[str, str] = {}

    def changes(self) -> list[str]:
        """A line for everything that changed since the last call."""
        now = {
            f"cluster {name}": f"{phase}, {machines} machines healthy"
            for name, phase, _, machines, *_ in self._clusters()
        }
        now |= {f"machine {name}": f"{state} {cluster}".strip() for name, cluster, _, state, _ in self._machines()}
        lines = [f"{what}: {state}" for what, state in now.items() if self._known.get(what) != state]
        lines += [f"{what}: removed" for what in self._known if what not in now]
        self._known = now
        return lines

    def _clusters(self) -> list[tuple[str, ...]]:
        return cluster_rows(self._list_resources)

    def _machines(self) -> list[tuple[str, ...]]:
        return machine_rows(self._list_resources)
