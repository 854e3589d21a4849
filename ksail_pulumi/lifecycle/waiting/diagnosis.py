"""Which machine holds a cluster up, and what to do about it: the explanation of a wait that did not end well."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.lifecycle.waiting.asking import ask
from ksail_pulumi.lifecycle.waiting.held_checks import held_checks
from ksail_pulumi.lifecycle.waiting.machine_state import connection, own_error, refuses
from ksail_pulumi.lifecycle.waiting.machine_state import facts as machine_facts
from ksail_pulumi.lifecycle.waiting.progress import duration
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_MACHINE_STATUS,
    KUBERNETES_UPGRADE_STATUS,
    LABEL_CONNECTED,
    LABEL_CONTROL_PLANE,
    LABEL_INVALID_STATE,
    LABEL_LOCKED_UPDATE,
    LABEL_MACHINE_SET,
    MACHINE_SET_STATUS,
    MACHINE_STATUS,
    TALOS_UPGRADE_STATUS,
    machine_name,
)
from ksail_pulumi.redaction import quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ksail_pulumi.lifecycle.waiting.view import ClusterView
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource

_UPGRADES = (
    ("Talos", TALOS_UPGRADE_STATUS, specs_pb2.TalosUpgradeStatusSpec.Phase.Done),
    ("Kubernetes", KUBERNETES_UPGRADE_STATUS, specs_pb2.KubernetesUpgradeStatusSpec.Phase.Done),
)


_SHOWN = 3
"""How many health checks and machines a line of progress names."""

_FIX_CHECKS = (
    "Omni upgrades the next machine when the health checks pass: fix what they report, or remove them from "
    "`health_checks`, and run the command again."
)


@dataclass(frozen=True)
class Awaited:
    """The machines that a wait is about.

    Attributes:
        joining: IDs of machines that must join the cluster.
        leaving: IDs of machines that must leave it.
        done: IDs of machines in the cluster that are where they should be.
    """

    joining: Collection[str] = ()
    leaving: Collection[str] = ()
    done: Collection[str] = ()


def diagnose(view: ClusterView, awaited: Awaited, client: Client | None = None) -> str:
    """What stands in the way, a line for each machine and a last one with what to do; `""` when nothing is known.

    Args:
        view: What Omni reports about the cluster.
        awaited: The machines that the wait is about.
        client: Where to ask for the machines' own last errors, which no wait watches; left out if it does not answer.
    """
    blocking = _Blocking(view, awaited, client)
    checks = held_checks(view, client)
    advice = [_FIX_CHECKS] if checks else _advice(blocking)
    found = [*checks, *listing.lines(blocking.lines), *_sets(view), *_upgrades(view), *advice]
    return "\n".join(found)


def hold_ups(view: ClusterView, awaited: Awaited, client: Client) -> str:
    """What holds a wait up, in one line: health checks with their output, machines with stage and last error.

    `""` for nothing.
    """
    lines = [*held_checks(view, client), *_Blocking(view, awaited, client).lines]
    more = len(lines) - _SHOWN
    named = "; ".join(line.removeprefix("machine ") for line in lines[:_SHOWN])
    held_up = f"held up by {named}{f'; and {more} more' if more > 0 else ''}" if lines else ""
    return ", ".join(filter(None, (silence(client), held_up)))


def silence(client: Client) -> str:
    """Since when Omni has not answered; `""` if it answered the last call."""
    since = client.silent_since
    if since is None:
        return ""
    seconds = time.monotonic() - since
    at = datetime.now(UTC) - timedelta(seconds=seconds)
    return f"Omni has not answered since {at:%H:%M:%S} UTC ({duration(seconds)})"


class _Blocking:
    """The machines that are not where they should be.

    Attributes:
        slow: The statuses of those in the cluster.
        machines: The MachineStatuses of the first ones, by ID.
        lines: A line for each.
    """

    def __init__(self, view: ClusterView, awaited: Awaited, client: Client | None) -> None:
        members = view.all(CLUSTER_MACHINE_STATUS)
        self.slow = [status for status in members if status.id not in awaited.done]
        self.slow.sort(key=lambda status: (not refuses(status), LABEL_CONNECTED in status.labels))
        known = {status.id for status in members}
        leaving = sorted(set(awaited.leaving) - known)
        joining = sorted(set(awaited.joining) - known - set(leaving))
        named = [*(status.id for status in self.slow), *leaving, *joining][: listing.LIMIT]
        self.machines = {status.id: status for status in view.all(MACHINE_STATUS)} | _ask(view.cluster, named, client)
        self.lines = [_machine_line(status, self.machines.get(status.id)) for status in self.slow]
        self.lines += [self._line(machine, "has not left the cluster yet") for machine in leaving]
        self.lines += [self._line(machine, "has not joined the cluster yet") for machine in joining]

    def _line(self, machine: str, state: str) -> str:
        status = self.machines.get(machine)
        if status is None:
            return f"machine {machine}: {state}"
        return f"machine {machine_name(status)}: {state}, {connection(status)}{own_error(status)}"


def _ask(cluster: str, machines: Sequence[str], client: Client | None) -> dict[str, Resource]:
    """The MachineStatuses of some machines."""
    # The cluster shows whether Omni answers, also where no machine is asked for.
    found = ask([(CLUSTER, cluster), *((MACHINE_STATUS, machine) for machine in machines)], client)
    return {each.id: each for each in found if each.type == MACHINE_STATUS}


def _machine_line(status: Resource, machine: Resource | None) -> str:
    role = "control plane" if LABEL_CONTROL_PLANE in status.labels else status.labels.get(LABEL_MACHINE_SET, "worker")
    facts = ", ".join([connection(status), *machine_facts(status)])
    return f"machine {machine_name(status)}, {role}: {facts}{own_error(machine)}"


def _sets(view: ClusterView) -> list[str]:
    lines = []
    for status in view.all(MACHINE_SET_STATUS):
        machines = status.spec.machines
        if status.spec.error:
            lines.append(f"machine set {status.id}: {quoted(status.spec.error)}")
        elif machines.total < machines.requested:
            lines.append(f"machine set {status.id}: has {machines.total} of {machines.requested} machines")
    return lines


def _upgrades(view: ClusterView) -> list[str]:
    lines = []
    for name, resource_type, done in _UPGRADES:
        status = view.one(resource_type)
        if status is None or status.spec.phase == done:
            continue  # then what it tells is news of the machines, not of an upgrade
        texts = [quoted(text) for text in (status.spec.error, status.spec.status, status.spec.step) if text]
        version = status.spec.current_upgrade_version or status.spec.last_upgrade_version
        lines.append(f"{name} {version}: {'; '.join(texts)}" if texts else f"{name} {version}: not finished yet")
    return lines


def _advice(blocking: _Blocking) -> list[str]:
    slow, machines = blocking.slow, blocking.machines
    if any(LABEL_INVALID_STATE in machine.labels for machine in machines.values()):
        return ["A machine has the configuration of another cluster, so Omni cannot connect to it: wipe and reboot it."]
    if any(LABEL_CONNECTED not in machine.labels for machine in (*slow, *machines.values())):
        return [
            "Check the power and the network of the machines that are not connected, or remove them from the cluster."
        ]
    if any(LABEL_LOCKED_UPDATE in status.labels for status in slow):
        return ["Unlock the locked machines in Omni, or wait until someone else does."]
    if any(refuses(status) for status in slow):
        return ["Fix the config patch that the machine does not accept, and run the command again."]
    if not blocking.lines:
        return []
    return ["Check the consoles of these machines. The cluster is kept: run the command again to continue the wait."]
