"""Which machine holds a cluster up, and what to do about it: the explanation of a wait that did not end well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.errors import OmniError
from ksail_pulumi.lifecycle.waiting.progress import LEAVING, stage
from ksail_pulumi.lifecycle.waiting.view import broken_connection
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER_MACHINE,
    CLUSTER_MACHINE_STATUS,
    KUBERNETES_UPGRADE_STATUS,
    LABEL_CLUSTER,
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
from ksail_pulumi.omni.status import plain_text
from ksail_pulumi.redaction import quoted

if TYPE_CHECKING:
    from ksail_pulumi.lifecycle.waiting.view import ClusterView
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource

_UPGRADES = (
    ("Talos", TALOS_UPGRADE_STATUS, specs_pb2.TalosUpgradeStatusSpec.Phase.Done),
    ("Kubernetes", KUBERNETES_UPGRADE_STATUS, specs_pb2.KubernetesUpgradeStatusSpec.Phase.Done),
)


def diagnose(view: ClusterView, client: Client | None = None) -> str:
    """What stands in the way, a line for each machine and a last one with what to do; `""` when nothing is known.

    Args:
        view: What Omni told about the cluster.
        client: Where to ask for the machines' own last errors, which no wait watches; left out if it does not answer.
    """
    machines = {status.id: status for status in view.all(MACHINE_STATUS)} | _machine_statuses(view.cluster, client)
    slow = [status for status in view.all(CLUSTER_MACHINE_STATUS) if status.id not in view.running]
    slow.sort(key=lambda status: (not _refuses(status), LABEL_CONNECTED in status.labels))
    found = listing.lines([_machine_line(status, machines.get(status.id)) for status in slow])
    known = {status.id for status in view.all(CLUSTER_MACHINE_STATUS)}
    for machine in view.all(CLUSTER_MACHINE):
        if machine.tearing_down and machine.id not in known:
            status = machines.get(machine.id)
            found.append(
                f"machine {machine_name(status or machine)}: is not removed from the cluster yet{_own_error(status)}"
            )
    found += [*_sets(view), *_upgrades(view), *_advice(slow, machines)]
    return "\n".join(found)


def _machine_statuses(cluster: str, client: Client | None) -> dict[str, Resource]:
    if client is None:
        return {}
    try:
        return {status.id: status for status in client.state.list(MACHINE_STATUS, {LABEL_CLUSTER: cluster})}
    except OmniError:
        return {}  # an explanation with less in it is better than another error in its place


def _machine_line(status: Resource, machine: Resource | None) -> str:
    role = "control plane" if LABEL_CONTROL_PLANE in status.labels else status.labels.get(LABEL_MACHINE_SET, "worker")
    facts = [
        "connected" if LABEL_CONNECTED in status.labels else "not connected to Omni",
        stage(status),
    ]
    if status.spec.stage not in LEAVING:
        if not status.spec.ready:
            facts.append("not ready")
        if not status.spec.config_up_to_date:
            locked = LABEL_LOCKED_UPDATE in status.labels
            facts.append("its update waits until it is unlocked" if locked else "its configuration is not applied yet")
    if _refuses(status):
        facts.append(f"configuration error: {_one_line(status.spec.last_config_error)}")
    return f"machine {machine_name(status)}, {role}: {', '.join(facts)}{_own_error(machine)}"


def _refuses(status: Resource) -> bool:
    """Whether the machine does not accept its configuration."""
    error = status.spec.last_config_error
    return bool(error) and not broken_connection(error)


def _one_line(text: str) -> str:
    return "; ".join(line.strip() for line in plain_text(text).splitlines() if line.strip())


def _own_error(machine: Resource | None) -> str:
    if machine is None:
        return ""
    texts = [_one_line(machine.spec.last_error)] if machine.spec.last_error else []
    texts.extend(quoted(diagnostic.message) for diagnostic in machine.spec.diagnostics)
    return f" ({'; '.join(texts)})" if texts else ""


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


def _advice(slow: list[Resource], machines: dict[str, Resource]) -> list[str]:
    if any(LABEL_INVALID_STATE in machine.labels for machine in machines.values()):
        return ["A machine has the configuration of another cluster, so Omni cannot connect to it: wipe and reboot it."]
    if any(LABEL_CONNECTED not in status.labels for status in slow):
        return [
            "Check the power and the network of the machines that are not connected, or remove them from the cluster."
        ]
    if any(LABEL_LOCKED_UPDATE in status.labels for status in slow):
        return ["Unlock the locked machines in Omni, or wait until someone else does."]
    if any(_refuses(status) for status in slow):
        return ["Fix the config patch that the machine does not accept, and run the command again."]
    if not slow:
        return []
    return ["Check the consoles of these machines. The cluster is kept: run the command again to continue the wait."]
