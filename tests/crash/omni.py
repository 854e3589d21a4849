"""A simulated Omni of which a test can kill the client at any write, and what it holds in a few plain values."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import grpc

from ksail_pulumi.omni.resources import (
    ANNOTATION_CLUSTER_LOCKED,
    CLUSTER,
    CLUSTER_MACHINE,
    CLUSTER_STATUS,
    CLUSTER_UUID,
    CONFIG_PATCH,
    EXTENSIONS_CONFIGURATION,
    KERNEL_ARGS,
    LABEL_AVAILABLE,
    LABEL_MACHINE_SET,
    MACHINE_SET,
    MACHINE_SET_NODE,
    MACHINE_STATUS,
    Resource,
)
from ksail_pulumi.plan.ownership import ANNOTATION_CREATION, ANNOTATION_OWNER
from ksail_pulumi.simulator.faults import Write
from ksail_pulumi.simulator.server import Simulator
from ksail_pulumi.simulator.store import StoreError
from tests.host import PATIENCE, Process

Moment = Literal["before", "after"]
MACHINES = 6
OF_CLUSTERS = (CLUSTER, MACHINE_SET, MACHINE_SET_NODE, CONFIG_PATCH, EXTENSIONS_CONFIGURATION)
"""What a cluster consists of; kernel arguments stay with a machine that leaves it, without an owner."""


class Crash:
    """Kills a provider process at one of its writes, and lets nothing of it through any more.

    Attributes:
        at: The write, once the process is killed.
        writes: All writes that were begun (`before`) or made (`after`).
    """

    def __init__(self, simulator: Simulator, moment: Moment, number: int) -> None:
        self.at: Write | None = None
        self.writes: list[Write] = []
        self._simulator, self._moment, self._number = simulator, moment, number
        self._victim: tuple[Process, str] | None = None

    def aim(self, process: Process, key: str) -> None:
        """Kill this process, which has this key, when it is time."""
        self._victim = process, key
        self._simulator.faults.on_write(self._look)

    def _look(self, moment: Moment, write: Write) -> None:
        if self._victim is None or moment != self._moment:
            return
        self.writes.append(write)
        if len(self.writes) < self._number:
            return
        (host, key), self._victim, self.at = self._victim, None, write
        host.process.kill()
        host.process.wait()
        self._simulator.revoke_key(key)  # what is still under way does not arrive
        if moment == "before":
            raise StoreError(grpc.StatusCode.UNAVAILABLE, "the client has crashed")

    def call_off(self) -> None:
        """Kill nothing any more."""
        self._victim = None


class Omni:
    """The simulator, in which an hour of the machines' work is over in a moment."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.store = simulator.store
        self._users = itertools.count()

    def new_key(self) -> str:
        return self.simulator.issue_key(f"run-{next(self._users)}", role="Operator")

    def shows(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """What the Omni holds: as soon as that is what is wanted, or what it is after a long time."""
        until = time.monotonic() + PATIENCE
        while (found := self._now()) != wanted and time.monotonic() < until:
            time.sleep(0.01)
        return found

    def _now(self) -> dict[str, Any]:
        resources = [each for kind in OF_CLUSTERS for each in self.store.list(kind) if not each.owner]
        nodes = self.store.list(MACHINE_SET_NODE)
        members = {node.id for node in nodes}
        of_machines = self.store.list(KERNEL_ARGS)
        resources += [each for each in of_machines if each.id in members]
        return {
            "clusters": {
                each.id: {
                    "uuid": self._uuid(each.id),
                    "ready": self._ready(each.id),
                    "versions": (each.spec.talos_version, each.spec.kubernetes_version),
                    "locked": ANNOTATION_CLUSTER_LOCKED in each.annotations,
                    "unfinished": ANNOTATION_CREATION in each.annotations,
                }
                for each in self.store.list(CLUSTER)
            },
            "sets": dict(Counter(node.labels[LABEL_MACHINE_SET] for node in nodes)),
            "empty sets": {each.id for each in self.store.list(MACHINE_SET)}
            - {node.labels[LABEL_MACHINE_SET] for node in nodes},
            "patches": sorted(each.spec.data for each in self.store.list(CONFIG_PATCH) if not each.owner),
            "kernel": sorted(" ".join(each.spec.args) for each in of_machines if each.id in members),
            "owners": {_owner(each) for each in resources},
            "owners of free machines": {_owner(each) for each in of_machines if each.id not in members} - {None},
            "of clusters": {each.cluster for each in resources if each.cluster},
            "stray machines": {each.id for each in self.store.list(CLUSTER_MACHINE)} ^ members,
            "going": [each.id for each in resources if each.tearing_down],
            "free": len(self.store.list(MACHINE_STATUS, {LABEL_AVAILABLE: None})),
        }

    def _uuid(self, cluster: str) -> str:
        found = self.store.find(CLUSTER_UUID, cluster)
        return found.spec.uuid if found else ""

    def _ready(self, cluster: str) -> bool:
        found = self.store.find(CLUSTER_STATUS, cluster)
        return found is not None and found.spec.ready and found.spec.available


def _owner(resource: Resource) -> str | None:
    return resource.annotations.get(ANNOTATION_OWNER)


@contextmanager
def running_omni() -> Iterator[Omni]:
    """An Omni whose time goes by as quickly as the computer can make it."""
    stop = threading.Event()
    with Simulator(machines=MACHINES, speed="manual") as simulator:
        pump = threading.Thread(target=_pump, args=(simulator.clock.advance, stop))  # type: ignore[attr-defined]
        pump.start()
        try:
            yield Omni(simulator)
        finally:
            stop.set()
            pump.join()


def _pump(advance: Callable[[float], None], stop: threading.Event) -> None:
    while not stop.wait(0.005):
        advance(0.2)
