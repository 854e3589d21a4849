"""A simulated Omni without its server, in manual time: the controllers' side alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource, ResourceType
from ksail_pulumi.simulator import controllers
from ksail_pulumi.simulator.catalog import Catalog
from ksail_pulumi.simulator.clock import ManualClock
from ksail_pulumi.simulator.faults import Faults
from ksail_pulumi.simulator.machines import EmulatedMachine, Machines, MachineSetup
from ksail_pulumi.simulator.store import Event, Store


class Lab:
    """Writes like a user, lets time pass, and remembers every event."""

    def __init__(
        self, machines: int | Sequence[MachineSetup] = 6, faults: Faults | None = None, clock: Any = None
    ) -> None:
        self.clock = clock or ManualClock()
        self.store = Store(self.clock.now)
        catalog = Catalog()
        catalog.populate(self.store)
        self.machines = Machines(machines, seed=0, talos_version="1.13.8")
        self.faults = faults or Faults()
        self.events: list[tuple[float, Event]] = []
        self.controllers = controllers.start(self.store, self.clock, self.machines, self.faults, catalog)
        self.store.subscribe(lambda event: self.events.append((getattr(self.clock, "elapsed", 0.0), event)))

    @property
    def ids(self) -> list[str]:
        return [machine.id for machine in self.machines]

    def run(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def find(self, kind: ResourceType, resource_id: str) -> Resource | None:
        return self.store.find(kind, resource_id)

    def get(self, kind: ResourceType, resource_id: str) -> Resource:
        resource = self.store.find(kind, resource_id)
        assert resource is not None, f"{kind.name} {resource_id} is not there"
        return resource

    def list(self, kind: ResourceType, cluster: str = "") -> Sequence[Resource]:
        return self.store.list(kind, {omni.LABEL_CLUSTER: cluster} if cluster else None)

    def cluster(
        self,
        name: str = "c1",
        *,
        control_planes: Sequence[str] = (),
        workers: Sequence[str] = (),
        machine_class: str = "",
        sizes: tuple[int, int] = (1, 2),
        talos: str = "1.13.8",
        kubernetes: str = "1.35.7",
    ) -> None:
        """Write a cluster in Omni's order."""
        spec = specs_pb2.ClusterSpec(talos_version=talos, kubernetes_version=kubernetes)
        spec.features.use_embedded_discovery_service = True
        self.store.create(Resource(omni.CLUSTER, name, spec, {"env": "local"}))
        members = {"control-planes": control_planes or self.ids[:1], "workers": workers or self.ids[1:3]}
        for index, (set_name, nodes) in enumerate(members.items()):
            allocation = specs_pb2.MachineSetSpec.MachineAllocation(name=machine_class, machine_count=sizes[index])
            set_spec = specs_pb2.MachineSetSpec(update_strategy=specs_pb2.MachineSetSpec.Rolling)
            if machine_class:
                set_spec.machine_allocation.CopyFrom(allocation)
            labels = {omni.LABEL_CLUSTER: name, self.role(set_name): ""}
            self.store.create(Resource(omni.MACHINE_SET, f"{name}-{set_name}", set_spec, labels))
            for machine in nodes if not machine_class else ():
                self.node(name, set_name, machine)

    def role(self, set_name: str) -> str:
        return omni.LABEL_CONTROL_PLANE if set_name == "control-planes" else omni.LABEL_WORKER

    def node(self, cluster: str, set_name: str, machine: str, *, locked: bool = False) -> None:
        labels = {
            omni.LABEL_CLUSTER: cluster,
            omni.LABEL_MACHINE_SET: f"{cluster}-{set_name}",
            self.role(set_name): "",
        }
        annotations = {omni.ANNOTATION_LOCKED: ""} if locked else {}
        spec = specs_pb2.MachineSetNodeSpec()
        self.store.create(Resource(omni.MACHINE_SET_NODE, machine, spec, labels, annotations))

    def patch(self, patch_id: str, data: str, **labels: str) -> None:
        """Write a patch; labels by the last part of their name, with underscores."""
        full = {omni.PREFIX + key.replace("_", "-"): value for key, value in labels.items()}
        current = self.find(omni.CONFIG_PATCH, patch_id)
        spec = specs_pb2.ConfigPatchSpec(data=data)
        if current is None:
            self.store.create(Resource(omni.CONFIG_PATCH, patch_id, spec, full))
        else:
            self.store.update(replace(current, spec=spec))

    def change(self, kind: ResourceType, resource_id: str, change: Callable[[Any], None]) -> None:
        """Update a resource's spec."""
        current = self.get(kind, resource_id)
        spec = kind.spec()
        spec.CopyFrom(current.spec)
        change(spec)
        self.store.update(replace(current, spec=spec))

    def annotate(self, kind: ResourceType, resource_id: str, annotations: dict[str, str]) -> None:
        self.store.update(replace(self.get(kind, resource_id), annotations=annotations))

    def tear_down(self, kind: ResourceType, resource_id: str) -> None:
        self.store.teardown(kind, resource_id)

    def history(self, kind: ResourceType, resource_id: str) -> list[Resource]:
        """All states that a resource has had since the lab began."""
        found = (event for _, event in self.events if event.kind != "destroyed")
        return [item.resource for item in found if item.resource.type == kind and item.resource.id == resource_id]

    def time_of(self, what: Callable[[Event], bool]) -> float:
        """When the first event came that is so."""
        return next(at for at, event in self.events if what(event))

    def is_ready(self, name: str = "c1") -> bool:
        """Whether a cluster is all that a client waits for."""
        cluster, status = self.get(omni.CLUSTER, name), self.find(omni.CLUSTER_STATUS, name)
        talos = self.find(omni.TALOS_UPGRADE_STATUS, name)
        kubernetes = self.find(omni.KUBERNETES_UPGRADE_STATUS, name)
        if status is None or talos is None or kubernetes is None:
            return False
        spec = status.spec
        sets = [item.spec for item in self.list(omni.MACHINE_SET_STATUS, name)]
        machines = [item.spec for item in self.list(omni.CLUSTER_MACHINE_STATUS, name)]
        return (
            spec.phase == specs_pb2.ClusterStatusSpec.RUNNING
            and all((spec.ready, spec.available, spec.controlplaneReady, spec.kubernetesAPIReady))
            and len(sets) == len(self.list(omni.MACHINE_SET, name))
            and all(item.ready and item.phase == 3 for item in sets)
            and all(item.machines.total == item.machines.requested == item.machines.healthy for item in sets)
            and all(item.ready and item.stage == 4 and item.config_up_to_date for item in machines)
            and (talos.spec.phase, talos.spec.last_upgrade_version) == (2, cluster.spec.talos_version)
            and (kubernetes.spec.phase, kubernetes.spec.last_upgrade_version) == (2, cluster.spec.kubernetes_version)
        )

    def run_until_ready(self, name: str = "c1", within: float = 300) -> float:
        """Let time pass until a cluster is ready; how long it took."""
        began = self.clock.elapsed
        self.run(1)  # what was true before the last write stands for a moment
        while not self.is_ready(name):
            assert self.clock.elapsed - began < within, f"{name} is not ready after {within} s"
            self.run(0.5)
        return self.clock.elapsed - began

    def free(self) -> set[str]:
        """The machines that are available and in maintenance."""
        statuses = self.store.list(omni.MACHINE_STATUS)
        return {item.id for item in statuses if omni.LABEL_AVAILABLE in item.labels and item.spec.maintenance}

    def leftovers(self, name: str = "c1") -> list[str]:
        """All resources that still belong to a cluster."""
        labelled = [item for kind in omni.TYPES.values() for item in self.store.list(kind) if item.cluster == name]
        named = [item for kind in omni.TYPES.values() if (item := self.store.find(kind, name)) is not None]
        return [str(item) for item in (*labelled, *named)]

    def machine(self, number: int) -> EmulatedMachine:
        return self.machines[number]


@pytest.fixture
def make_lab() -> Iterator[Callable[..., Lab]]:
    labs: list[Lab] = []

    def make(machines: int | Sequence[MachineSetup] = 6, faults: Faults | None = None, clock: Any = None) -> Lab:
        labs.append(Lab(machines, faults, clock))
        return labs[-1]

    yield make
    for item in labs:
        item.controllers.stop()
        item.clock.close()


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    """A lab with six free machines."""
    return make_lab()


@pytest.fixture
def ready(lab: Lab) -> Lab:
    """A lab with a cluster `c1` that is ready: the first machine as control plane, two more as workers."""
    lab.cluster()
    lab.run_until_ready()
    return lab
