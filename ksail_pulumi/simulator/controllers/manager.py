"""All controllers together."""

from __future__ import annotations

from ksail_pulumi.omni.resources import LINK
from ksail_pulumi.simulator.catalog import Catalog
from ksail_pulumi.simulator.clock import Clock
from ksail_pulumi.simulator.controllers.backups import EtcdBackups
from ksail_pulumi.simulator.controllers.cluster import ClusterDestroyStatus, ClusterTeardown
from ksail_pulumi.simulator.controllers.cluster_machine import ClusterMachineConfig, ClusterMachineTeardown
from ksail_pulumi.simulator.controllers.cluster_machine_status import ClusterMachineIdentity, ClusterMachineStatus
from ksail_pulumi.simulator.controllers.cluster_resources import CLUSTER_RESOURCES, ClusterResources, DiscoveryPatch
from ksail_pulumi.simulator.controllers.cluster_status import ClusterStatus
from ksail_pulumi.simulator.controllers.control_plane import ClusterBootstrap, ControlPlaneStatus, LoadBalancer
from ksail_pulumi.simulator.controllers.destroy import Destroyer, ExtensionsFinalizer
from ksail_pulumi.simulator.controllers.engine import Runtime
from ksail_pulumi.simulator.controllers.finalizers import Finalizers
from ksail_pulumi.simulator.controllers.kubernetes_status import KubernetesStatus
from ksail_pulumi.simulator.controllers.kubernetes_upgrade import KubernetesUpgrade
from ksail_pulumi.simulator.controllers.machine_class import MachineSetNodes
from ksail_pulumi.simulator.controllers.machine_set import MachineSetDestroyStatus, MachineSets, MachineSetTeardown
from ksail_pulumi.simulator.controllers.machine_set_status import MachineSetStatus
from ksail_pulumi.simulator.controllers.machine_status import MachineRemoval, MachineStatus, register
from ksail_pulumi.simulator.controllers.manifests import ManifestsStatus
from ksail_pulumi.simulator.controllers.talos import Talos
from ksail_pulumi.simulator.controllers.talos_upgrade import TalosUpgrade
from ksail_pulumi.simulator.faults import Faults
from ksail_pulumi.simulator.machines import Machines
from ksail_pulumi.simulator.store import Store


def start(store: Store, clock: Clock, machines: Machines, faults: Faults, catalog: Catalog) -> Runtime:
    """Start all controllers, and register the machines that Omni does not know."""
    runtime = Runtime(store, clock, machines, faults, catalog)
    talos = Talos(runtime)
    backups = EtcdBackups(runtime)
    runtime.start(
        (
            Finalizers(runtime),
            *(ClusterResources(runtime, kind) for kind in CLUSTER_RESOURCES),
            DiscoveryPatch(runtime),
            ClusterTeardown(runtime),
            ClusterDestroyStatus(runtime),
            ClusterStatus(runtime),
            ClusterBootstrap(runtime, talos),
            ControlPlaneStatus(runtime),
            LoadBalancer(runtime),
            MachineSetNodes(runtime),
            MachineSets(runtime),
            MachineSetTeardown(runtime),
            MachineSetStatus(runtime),
            MachineSetDestroyStatus(runtime),
            ClusterMachineConfig(runtime, talos),
            ClusterMachineTeardown(runtime, talos),
            ClusterMachineStatus(runtime),
            ClusterMachineIdentity(runtime),
            MachineStatus(runtime),
            MachineRemoval(runtime),
            TalosUpgrade(runtime, talos),
            KubernetesStatus(runtime),
            KubernetesUpgrade(runtime),
            ManifestsStatus(runtime),
            backups,
            Destroyer(runtime),
            ExtensionsFinalizer(runtime),
        )
    )
    for machine in machines:
        if store.find(LINK, machine.id) is None:
            register(runtime, machine)
        else:
            talos.resume(machine)  # it continues what an earlier simulator has begun
    backups.tell_overall()

    def wake_all() -> None:
        for machine in machines:
            runtime.machine_changed(machine)

    def faults_changed() -> None:
        runtime.after(0, wake_all)
        runtime.after(0, backups.tell_overall)

    faults.listen(faults_changed)
    return runtime
