"""All durations of the controllers and the emulated machines.

The order of events and the reactions of controllers are those of Omni v1.10. The work of machines takes about a tenth
of what it takes on small hardware: a cluster of three is ready in 40 to 60 s. A clock's `pace` divides the work, not
the reactions, which keep their length at every speed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace


def _work(seconds: float) -> float:
    value: float = field(default=seconds, metadata={"work": True})
    return value


@dataclass(frozen=True)
class Timings:
    """Durations in seconds: first the reactions of controllers, then the work of machines."""

    finalizer: float = 0.012
    """Between two finalizers that are added or removed."""
    cluster_resource: float = 0.03
    """From a controller's finalizer on a cluster to the resource that the controller makes."""
    allocation: float = 0.04
    """From a MachineSetNode to the labels of its machine."""
    node: float = 0.09
    """From a MachineSetNode to its finalizer."""
    cluster_machine: float = 0.1
    """From a node with its finalizer to the ClusterMachine."""
    machine_class: float = 0.03
    """From a change of a machine set with a class to its nodes."""
    machine_status: float = 0.01
    running: float = 0.05
    """From a running machine to an applied configuration, or to ready."""
    cluster_machine_status: float = 0.02
    machine_set_status: float = 0.03
    cluster_status: float = 0.02
    pending: float = 0.1
    """From a new desired configuration to the MachinePendingUpdates."""
    load_balancer: float = 0.1
    control_plane: float = 0.05
    talos_upgrade: float = 0.15
    """From a change of a cluster to its TalosUpgradeStatus, which is stale until then."""
    kubernetes_upgrade: float = 0.02
    identity: float = 0.015
    """Between the fields of a new identity."""
    destroy: float = 0.004
    """From the last finalizer to the deletion of a resource."""
    maintenance: float = 0.3
    """From the label `available` to the moment when a machine is seen in maintenance again."""
    backup_retry: float = 4.0
    """From a backup at the interval that has failed to the next attempt."""
    manifests_seen: float = 0.15
    """From a change of a group to its objects in the status."""
    revert: float = 0.06
    """How long a schematic change looks like a revert."""

    configure: float = _work(1.5)
    """A machine in maintenance accepts its first configuration."""
    install: float = _work(14.0)
    reboot: float = _work(3.0)
    boot: float = _work(9.0)
    bootstrap: float = _work(3.0)
    """etcd of the first control plane."""
    services: float = _work(2.0)
    """From a running control plane with etcd to ready."""
    apply: float = _work(2.0)
    """A running machine applies a new configuration without a reboot."""
    upgrade: float = _work(8.0)
    """A new Talos image is written, before the reboot."""
    settle: float = _work(4.0)
    """From a machine that is ready after an upgrade to an applied configuration."""
    kubernetes: float = _work(5.0)
    """From a cluster that is ready to a Kubernetes API that answers with its first node."""
    kubernetes_alone: float = _work(30.0)
    """The same if the workers do not become ready."""
    node_ready: float = _work(0.5)
    """Between two nodes that become ready in Kubernetes."""
    image: float = _work(1.0)
    """An image is pulled before a Kubernetes upgrade."""
    component: float = _work(4.0)
    """A Kubernetes component restarts."""
    health_check: float = _work(6.0)
    """Between two checks of the load balancer."""
    reset: float = _work(4.0)
    """A machine is wiped."""
    manifests_apply: float = _work(1.0)
    """From objects that are seen to be missing to the objects in Kubernetes."""
    manifests_reported: float = _work(1.5)
    """From the objects in Kubernetes to the status, and to an error."""
    manifests_retry: float = _work(5.0)
    """Until manifests that could not be applied are tried again."""
    manifests_round: float = _work(30.0)
    """Between two comparisons of the objects in Kubernetes with their manifests."""
    manifests_removed: float = _work(4.0)
    """From the deletion of a group to the deletion of its objects."""
    backup: float = _work(2.0)
    """A snapshot of etcd is taken."""
    retry: float = _work(5.0)
    """Until a machine that refused a configuration gets it again."""
    rejoin: float = _work(60.0)
    """Until a machine that was removed from Omni joins again."""
    link: float = _work(2.0)
    """A machine is removed from Omni."""

    def at(self, pace: float) -> Timings:
        """The timings with machines that work `pace` times as fast."""
        work = {item.name: getattr(self, item.name) / pace for item in fields(self) if item.metadata.get("work")}
        return replace(self, **work)
