"""The verbs, run on whichever Omni the tests run on, as short calls."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.delete import delete
from ksail_pulumi.lifecycle.identity import Identity
from ksail_pulumi.lifecycle.lease import finish_creation
from ksail_pulumi.lifecycle.outputs import ClusterOutputs
from ksail_pulumi.lifecycle.read import read
from ksail_pulumi.lifecycle.session import GRACE_SECONDS, Deadline, Session
from ksail_pulumi.lifecycle.update import update
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.client import Client
from ksail_pulumi.omni.resources import (
    CLUSTER_UUID,
    LABEL_AVAILABLE,
    LABEL_CLUSTER,
    LABEL_CONNECTED,
    LABEL_MACHINE_SET,
    MACHINE_SET_NODE,
    MACHINE_STATUS,
    Resource,
    ResourceType,
)
from ksail_pulumi.omni.watch import Query
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.simulator.server import Simulator

PATIENCE = 1800.0
"""Seconds for one verb: hardware installs and boots in minutes."""


@dataclass
class Lab:
    """One cluster of one owner."""

    client: Client
    name: str
    mark: OwnershipMark = field(default_factory=lambda: OwnershipMark(f"org/test/dev/{secrets.token_hex(4)}"))
    told: list[str] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)
    on_progress: Callable[[str], None] | None = None

    def session(self, *, seconds: float = PATIENCE, grace: float = GRACE_SECONDS) -> Session:
        return Session(self.client, Deadline.after(seconds), self._hear, self.cancelled, grace)

    def _hear(self, line: str) -> None:
        self.told.append(line)
        if self.on_progress is not None:
            self.on_progress(line)

    def create(self, *, session: Session | None = None, adopt: bool = False, **inputs: Any) -> ClusterOutputs:
        outputs = create(self.spec(**inputs), self.mark, session or self.session(), adopt=adopt)
        finish_creation(self.client, self.name, outputs.creation)  # as the provider does once the state is saved
        return outputs

    def update(
        self, old: ClusterOutputs | Mapping[str, Any] | None, *, session: Session | None = None, **inputs: Any
    ) -> ClusterOutputs:
        wire = old.to_wire() if isinstance(old, ClusterOutputs) else old
        return update(self.spec(**inputs), self.identity(), session or self.session(), old=wire)

    def read(self, old: ClusterOutputs | None = None) -> ClusterOutputs | None:
        return read(self.name, self.client, old=old.to_wire() if old is not None else None)

    def delete(self, **more: Any) -> None:
        identity = more.pop("identity", None) or self.identity()
        delete(self.name, more.pop("session", None) or self.session(), identity=identity, **more)

    def identity(self) -> Identity:
        """The cluster that Omni has, as a state would know it."""
        uuid = self.client.state.find(CLUSTER_UUID, self.name)
        return Identity(self.name, self.mark, uuid=uuid.spec.uuid if uuid else "", omni=self.client.endpoint)

    def spec(self, **inputs: Any) -> Any:
        return parse_cluster({"name": self.name, **inputs})

    def of(self, kind: ResourceType) -> dict[str, Resource]:
        """The cluster's resources of a type, by ID."""
        return {each.id: each for each in self.client.state.list(kind, {LABEL_CLUSTER: self.name})}

    def machines(self, set_name: str) -> set[str]:
        """IDs of the machines of one set."""
        label = f"{self.name}-{set_name}"
        return {node.id for node in self.of(MACHINE_SET_NODE).values() if node.labels[LABEL_MACHINE_SET] == label}

    def available(self) -> set[str]:
        """IDs of the machines that are in no cluster."""
        return {status.id for status in self.client.state.list(MACHINE_STATUS, {LABEL_AVAILABLE: None})}

    def cut_off(self, machine: str, simulator: Simulator) -> None:
        """Disconnect a machine, and wait until Omni shows that."""
        simulator.faults.disconnected.add(machine)
        with self.client.state.watch(Query(MACHINE_STATUS, id=machine)) as watch:
            while (event := watch.next(timeout=60)) is not None:
                if event.resource is not None and LABEL_CONNECTED not in event.resource.labels:
                    return
        raise AssertionError(f"machine {machine} stays connected")


@pytest.fixture
def lab(omni: Client, cluster_name: str) -> Lab:
    return Lab(omni, cluster_name)


@pytest.fixture
def needs(free_machines: list[str]) -> Callable[[int], list[str]]:
    """Skip a test that needs more machines than are free."""

    def need(count: int) -> list[str]:
        if len(free_machines) < count:
            pytest.skip(f"needs {count} free machines, this Omni has {len(free_machines)}")
        return free_machines

    return need
