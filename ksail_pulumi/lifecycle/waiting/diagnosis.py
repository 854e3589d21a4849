"""Which machine holds a cluster up, and what to do about it: the explanation of a wait that did not end well."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.lifecycle.waiting.asking import ask
from ksail_pulumi.lifecycle.waiting.finding import Diagnosis, Finding
from ksail_pulumi.lifecycle.waiting.goal import control_plane_ready
from ksail_pulumi.lifecycle.waiting.held_checks import held_checks
from ksail_pulumi.lifecycle.waiting.machine_log import last_lines
from ksail_pulumi.lifecycle.waiting.machine_state import connection, own_error, refuses
from ksail_pulumi.lifecycle.waiting.machine_state import facts as machine_facts
from ksail_pulumi.lifecycle.waiting.progress import duration
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_MACHINE_STATUS,
    CLUSTER_STATUS,
    CONTROL_PLANE_STATUS,
    KUBERNETES_UPGRADE_STATUS,
    LABEL_CONNECTED,
    LABEL_CONTROL_PLANE,
    LABEL_INVALID_STATE,
    LABEL_LOCKED_UPDATE,
    LABEL_MACHINE_SET,
    MACHINE_SET_STATUS,
    MACHINE_STATUS,
    MACHINE_STATUS_LABELS,
    TALOS_UPGRADE_STATUS,
    machine_name,
)
from ksail_pulumi.plan.condensed import labelled
from ksail_pulumi.redaction import quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from ksail_pulumi.lifecycle.waiting.view import ClusterView
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource

_UPGRADES = (
    ("Talos", TALOS_UPGRADE_STATUS, specs_pb2.TalosUpgradeStatusSpec.Phase.Done),
    ("Kubernetes", KUBERNETES_UPGRADE_STATUS, specs_pb2.KubernetesUpgradeStatusSpec.Phase.Done),
)


_SHOWN = 3
"""How many health checks and machines a line of progress names."""

_LOGGED = 2
"""How many machines are shown with the last lines of their logs."""

_CONDITIONS = {
    specs_pb2.ConditionType.Etcd: "etcd",
    specs_pb2.ConditionType.WireguardConnection: "connection of the control plane to Omni",
}
_READY = specs_pb2.ControlPlaneStatusSpec.Condition.Status.Ready

_FIX_CHECKS = (
    "Omni upgrades the next machine when the health checks pass: fix what they report, or remove them from "
    "`health_checks`, and run `pulumi up` again."
)

_WAIT_FOR_API = (
    "etcd and the Kubernetes API need some minutes after the machines have started. If it takes longer, check the logs "
    "of the control plane machines."
)


@dataclass(frozen=True)
class Awaited:
    """The machines that a wait is about.

    Attributes:
        joining: IDs of machines that must join the cluster.
        leaving: IDs of machines that must leave it.
        done: IDs of machines in the cluster that are where they should be.
        control_plane: Whether etcd and the Kubernetes API must be ready.
    """

    joining: Collection[str] = ()
    leaving: Collection[str] = ()
    done: Collection[str] = ()
    control_plane: bool = False


def diagnose(view: ClusterView, awaited: Awaited, client: Client | None = None) -> Diagnosis:
    """What stands in the way, and what to do.

    Args:
        view: What Omni reports about the cluster.
        awaited: What the wait is about.
        client: Where to ask for the machines' own last errors and logs, which no wait watches; left out if it does not
            answer.
    """
    blocking = _Blocking(view, awaited, client)
    checks = held_checks(view, client)
    machines = _with_logs(blocking.findings[: listing.LIMIT], client)
    more = len(blocking.findings) - listing.LIMIT
    rest = [Finding("", f"and {more} more machines")] if more > 0 else []
    control_plane = list(_control_plane(view)) if awaited.control_plane else []
    advice = _FIX_CHECKS if checks else _advice(blocking) or (_WAIT_FOR_API if control_plane else "")
    return Diagnosis((*checks, *machines, *rest, *_sets(view), *_upgrades(view), *control_plane), advice)


def _with_logs(findings: Sequence[Finding], client: Client | None) -> list[Finding]:
    """The findings with the logs of the first machines."""
    logs = last_lines([each.machine for each in findings[:_LOGGED]], client)
    return [replace(each, log=logs.get(each.machine, ())) for each in findings]


def hold_ups(view: ClusterView, awaited: Awaited, client: Client) -> str:
    """What holds a wait up, in one line: health checks with their output, machines with stage and last error.

    `""` for nothing.
    """
    findings = [*held_checks(view, client), *_Blocking(view, awaited, client).findings]
    lines = [each.line.removeprefix("machine ") for each in findings]
    more = len(lines) - _SHOWN
    named = "; ".join(lines[:_SHOWN])
    return f"held up by {named}{f'; and {more} more' if more > 0 else ''}" if lines else ""


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
        findings: A finding for each.
    """

    def __init__(self, view: ClusterView, awaited: Awaited, client: Client | None) -> None:
        labels = {each.id: each for each in labelled(view.all(MACHINE_STATUS_LABELS))}
        members = view.all(CLUSTER_MACHINE_STATUS) or _ask_members(labels.values(), client)
        self.slow = [status for status in members if status.id not in awaited.done]
        self.slow.sort(key=lambda status: (not refuses(status), LABEL_CONNECTED in status.labels))
        known = {status.id for status in members}
        leaving = sorted(set(awaited.leaving) - known)
        joining = sorted(set(awaited.joining) - known - set(leaving))
        named = [*(status.id for status in self.slow), *leaving, *joining][: listing.LIMIT]
        self.machines = labels | {status.id: status for status in view.all(MACHINE_STATUS)}
        self.machines |= _ask(view.cluster, named, client)
        self.findings = [_member(status, self.machines.get(status.id)) for status in self.slow]
        self.findings += [self._outside(machine, "has not left the cluster yet") for machine in leaving]
        self.findings += [self._outside(machine, "has not joined the cluster yet") for machine in joining]

    def _outside(self, machine: str, state: str) -> Finding:
        status = self.machines.get(machine)
        if status is None:
            return Finding(f"machine {machine}", state, machine)
        text = f"{state}, {connection(status)}{own_error(status)}"
        return Finding(f"machine {machine_name(status)}", text, machine)


def _ask_members(machines: Iterable[Resource], client: Client | None) -> list[Resource]:
    """The ClusterMachineStatuses of the first machines of which only the labels are watched."""
    first = sorted(machines, key=lambda machine: (LABEL_CONNECTED in machine.labels, machine.id))[: listing.LIMIT]
    return ask([(CLUSTER_MACHINE_STATUS, machine.id) for machine in first], client) if first else []


def _ask(cluster: str, machines: Sequence[str], client: Client | None) -> dict[str, Resource]:
    """The MachineStatuses of some machines."""
    # The cluster shows whether Omni answers, also where no machine is asked for.
    found = ask([(CLUSTER, cluster), *((MACHINE_STATUS, machine) for machine in machines)], client)
    return {each.id: each for each in found if each.type == MACHINE_STATUS}


def _member(status: Resource, machine: Resource | None) -> Finding:
    role = "control plane" if LABEL_CONTROL_PLANE in status.labels else status.labels.get(LABEL_MACHINE_SET, "worker")
    text = ", ".join([connection(status), *machine_facts(status)])
    return Finding(f"machine {machine_name(status)}, {role}", f"{text}{own_error(machine)}", status.id)


def _sets(view: ClusterView) -> Iterator[Finding]:
    for status in view.all(MACHINE_SET_STATUS):
        machines = status.spec.machines
        if status.spec.error:
            yield Finding(f"machine set {status.id}", quoted(status.spec.error))
        elif machines.total < machines.requested:
            yield Finding(f"machine set {status.id}", f"has {machines.total} of {machines.requested} machines")


def _upgrades(view: ClusterView) -> Iterator[Finding]:
    for name, resource_type, done in _UPGRADES:
        status = view.one(resource_type)
        if status is None or status.spec.phase == done:
            continue  # then what it tells is news of the machines, not of an upgrade
        texts = [quoted(text) for text in (status.spec.error, status.spec.status, status.spec.step) if text]
        version = status.spec.current_upgrade_version or status.spec.last_upgrade_version
        yield Finding(f"{name} {version}".rstrip(), "; ".join(texts) or "not finished yet")


def _control_plane(view: ClusterView) -> Iterator[Finding]:
    """What Omni reports about etcd and the Kubernetes API."""
    status = view.one(CLUSTER_STATUS)
    if status is None:
        return
    conditions = [each for item in view.all(CONTROL_PLANE_STATUS) for each in item.spec.conditions]
    for condition in conditions:
        if condition.status != _READY:
            text = quoted(condition.reason) or "not ready"
            yield Finding(_CONDITIONS.get(condition.type, "control plane"), text)
    if not conditions and not control_plane_ready(view):
        yield Finding("control plane", "etcd is not ready yet")
    if not status.spec.kubernetesAPIReady:
        yield Finding("Kubernetes API", "Omni cannot reach it")


def _advice(blocking: _Blocking) -> str:
    slow, machines = blocking.slow, blocking.machines
    if any(LABEL_INVALID_STATE in machine.labels for machine in machines.values()):
        return "A machine has the configuration of another cluster, so Omni cannot connect to it: wipe and reboot it."
    if any(LABEL_CONNECTED not in machine.labels for machine in (*slow, *machines.values())):
        return (
            "Check the power and the network of the machines that are not connected, or remove them from the cluster."
        )
    if any(LABEL_LOCKED_UPDATE in status.labels for status in slow):
        return "Unlock the locked machines in Omni, or wait until someone else does."
    if any(refuses(status) for status in slow):
        return "Fix the config patch that the machine does not accept, and run `pulumi up` again."
    if not blocking.findings:
        return ""
    return (
        "Check the logs and the consoles of these machines. After a timeout, run the command again to continue the "
        "wait."
    )
