"""All controllers together."""

from __future__ import annotations

from ksail_pulumi.simulator.catalog import Catalog
from ksail_pulumi.simulator.clock import Clock
from ksail_pulumi.simulator.controllers.backups import EtcdBackups
from ksail_pulumi.simulator.controllers.cluster import ClusterDestroyStatus, ClusterTeardown
from ksail_pulumi.simulator.controllers.cluster_machine import ClusterMachineConfig, ClusterMachineTeardown
from ksail_pulumi.simulator.controllers.cluster_machine_status import ClusterMachineIdentity, ClusterMachineStatus
from ksail_pulumi.simulator.controllers.cluster_status import ClusterStatus
from ksail_pulumi.simulator.controllers.control_plane import ClusterBootstrap, ControlPlaneStatus, LoadBalancer
from ksail_pulumi.simulator.controllers.destroy import Destroyer, ExtensionsLetGo
from ksail_pulumi.simulator.controllers.engine import World
from ksail_pulumi.simulator.controllers.finalizers import Holders
from ksail_pulumi.simulator.controllers.kubernetes_status import KubernetesStatus
from ksail_pulumi.simulator.controllers.kubernetes_upgrade import KubernetesUpgrade
from ksail_pulumi.simulator.controllers.machine_class import MachineSetNodes
from ksail_pulumi.simulator.controllers.machine_set import MachineSetDestroyStatus, MachineSets, MachineSetTeardown
from ksail_pulumi.simulator.controllers.machine_set_status import MachineSetStatus
from ksail_pulumi.simulator.controllers.machine_status import MachineRemoval, MachineStatus, register
from ksail_pulumi.simulator.controllers.manifests import ManifestsStatus
from ksail_pulumi.simulator.controllers.parts import PARTS, ClusterPart, DiscoveryPatch
from ksail_pulumi.simulator.controllers.talos import Talos
from ksail_pulumi.simulator.controllers.talos_upgrade import TalosUpgrade
from ksail_pulumi.simulator.faults import Faults
from ksail_pulumi.simulator.machines import Machines
from ksail_pulumi.simulator.store import Store


class Controllers:
    """The controllers of one simulator."""

    def __init__(self, world: World) -> None:
        """Be the controllers of a world."""
        self._world = world

    def stop(self) -> None:
        """Let nothing more happen; the clock is the caller's to close."""
        self._world.stop()


def start(store: Store, clock: Clock, machines: Machines, faults: Faults, catalog: Catalog) -> Controllers:
    """Have the machines come to Omni, and everything live from then on."""
    world = World(store, clock, machines, faults, catalog)
    talos = Talos(world)
    world.start(
        (
            Holders(world),
            *(ClusterPart(world, part) for part in PARTS),
            DiscoveryPatch(world),
            ClusterTeardown(world),
            ClusterDestroyStatus(world),
            ClusterStatus(world),
            ClusterBootstrap(world, talos),
            ControlPlaneStatus(world),
            LoadBalancer(world),
            MachineSetNodes(world),
            MachineSets(world),
            MachineSetTeardown(world),
            MachineSetStatus(world),
            MachineSetDestroyStatus(world),
            ClusterMachineConfig(world, talos),
            ClusterMachineTeardown(world, talos),
            ClusterMachineStatus(world),
            ClusterMachineIdentity(world),
            MachineStatus(world),
            MachineRemoval(world),
            TalosUpgrade(world, talos),
            KubernetesStatus(world),
            KubernetesUpgrade(world),
            ManifestsStatus(world),
            EtcdBackups(world),
            Destroyer(world),
            ExtensionsLetGo(world),
        )
    )
    register(world)

    def look_again() -> None:
        for machine in machines:
            world.machine_changed(machine)

    def faults_changed() -> None:
        world.after(0, look_again)

    faults.listen(faults_changed)
    return Controllers(world)
