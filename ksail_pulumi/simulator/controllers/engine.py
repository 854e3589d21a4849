"""Runs all controllers, in one thread: events of the store queue the controllers that they concern."""

from __future__ import annotations

import itertools
import logging
import random
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ksail_pulumi.omni.resources import (
    ANNOTATION_CLUSTER_LOCKED,
    CLUSTER,
    CLUSTER_MACHINE,
    LABEL_MACHINE_SET,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator.catalog import Catalog
from ksail_pulumi.simulator.clock import Clock, Handle
from ksail_pulumi.simulator.controllers.scopes import Scopes
from ksail_pulumi.simulator.controllers.timings import Timings
from ksail_pulumi.simulator.faults import Faults
from ksail_pulumi.simulator.kubernetes_objects import Clusters
from ksail_pulumi.simulator.machines import EmulatedMachine, MachineConfig, Machines
from ksail_pulumi.simulator.store import Event, Store, StoreError

Keys = Callable[[Event], Iterable[str]]
SECONDS_PER_MEMBER = 0.0003
_log = logging.getLogger(__name__)


def own_id(event: Event) -> Iterable[str]:
    """Key: the ID of the resource."""
    return (event.resource.id,)


def its_cluster(event: Event) -> Iterable[str]:
    """Key: the cluster of the resource."""
    return _distinct(resource.cluster for resource in _both(event))


def its(label: str) -> Keys:
    """Key: the value of a label."""
    return lambda event: _distinct(resource.labels.get(label, "") for resource in _both(event))


def _both(event: Event) -> Iterable[Resource]:
    return (event.resource,) if event.old is None else (event.old, event.resource)


def _distinct(keys: Iterable[str]) -> Iterable[str]:
    return dict.fromkeys(key for key in keys if key)


class Controller:
    """Reconciles one kind of object, by key.

    `reconcile` runs `delay` seconds after an event; all events within the delay cause one call. A controller keeps no
    state that it could not read again, so any order of events leads to the same result.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def watches(self) -> Mapping[ResourceType, Keys]:
        """The types whose events queue this controller, each with a function from an event to keys."""
        return {}

    def delay(self, key: str) -> float:  # noqa: ARG002
        """Seconds from an event to `reconcile`."""
        return 0.0

    def reconcile(self, key: str) -> None:
        """Compare the actual with the desired state of one object, and change what differs."""
        raise NotImplementedError

    def machine_changed(self, machine: EmulatedMachine) -> Iterable[str]:  # noqa: ARG002
        """The keys to queue after a change of an emulated machine."""
        return ()

    def machine_delay(self, key: str) -> float:
        """Seconds from a change of a machine to `reconcile`."""
        return self.delay(key)

    def enqueue(self, key: str, delay: float | None = None) -> None:
        """Queue a key, unless it is queued already."""
        self.runtime.enqueue(self, key, self.delay(key) if delay is None else delay)


class Runtime:
    """What controllers share: the store, the clock, the machines and the queue."""

    def __init__(self, store: Store, clock: Clock, machines: Machines, faults: Faults, catalog: Catalog) -> None:
        self.store = store
        self.clock = clock
        self.machines = machines
        self.faults = faults
        self.catalog = catalog
        self.timings = Timings().at(clock.pace)
        self.scopes = Scopes()
        self.kubernetes = Clusters()
        self.configs: dict[str, tuple[object, MachineConfig]] = {}
        self.controllers: list[Controller] = []
        self._machine_watchers: list[Controller] = []
        self._watchers: dict[str, list[tuple[Controller, Keys]]] = {}
        self._events: deque[Event] = deque()
        self._queued: set[tuple[int, str]] = set()
        self._torn_down: set[tuple[str, str]] = set()
        self._draws = itertools.count()
        self._members: Counter[str] = Counter()
        self._draining = False
        self._stopped = False
        self._unsubscribe: Callable[[], None] = lambda: None

    def start(self, controllers: Iterable[Controller]) -> None:
        """Subscribe the controllers to the store."""
        self.controllers = list(controllers)
        for controller in self.controllers:
            for resource_type, keys in controller.watches().items():
                self._watchers.setdefault(resource_type.name, []).append((controller, keys))
        unmoved = Controller.machine_changed
        self._machine_watchers = [item for item in self.controllers if type(item).machine_changed is not unmoved]
        self._unsubscribe = self.store.subscribe(self._note)
        for resource in self.store.all():
            self._note(Event("created", resource, None, 0))

    def stop(self) -> None:
        """Run no further callback. The clock is closed by its owner."""
        self._stopped = True
        self._unsubscribe()

    # -- time

    def after(self, delay: float, callback: Callable[[], None]) -> Handle:
        """Call something later, unless the runtime is stopped by then."""
        return self.clock.call_later(delay, lambda: None if self._stopped else self._guarded(callback))

    def enqueue(self, controller: Controller, key: str, delay: float) -> None:
        """Reconcile a key after a delay; a key that is queued already is not queued again."""
        item = (id(controller), key)
        if item in self._queued:
            return
        self._queued.add(item)

        def run() -> None:
            self._queued.discard(item)
            controller.reconcile(key)

        self.after(delay, run)

    def machine_changed(self, machine: EmulatedMachine) -> None:
        for controller in self._machine_watchers:
            for key in controller.machine_changed(machine):
                controller.enqueue(key, controller.machine_delay(key))

    def _note(self, event: Event) -> None:
        self._events.append(event)
        if not self._draining:
            self._draining = True
            self.after(0, self._drain)

    def _drain(self) -> None:
        self._draining = False
        while self._events:
            event = self._events.popleft()
            self.scopes.take(event)
            self._count(event)
            for controller, keys in self._watchers.get(event.resource.type.name, ()):
                for key in keys(event):
                    controller.enqueue(key)

    def _count(self, event: Event) -> None:
        resource = event.resource
        if resource.type != CLUSTER_MACHINE or event.kind == "updated":
            return
        for group in (resource.cluster, resource.labels.get(LABEL_MACHINE_SET, "")):
            self._members[group] += 1 if event.kind == "created" else -1
            if not self._members[group]:
                del self._members[group]

    def _guarded(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except StoreError as error:
            # A user wrote first. The event of that write queues the controller again.
            _log.debug("a controller lost a race: %s", error.text)

    # -- resources

    def find(self, resource_type: ResourceType, resource_id: str) -> Resource | None:
        return self.store.find(resource_type, resource_id)

    def hold(self, resource: Resource, finalizer: str) -> None:
        """Add a finalizer, unless the resource is being torn down."""

        def change(current: Resource) -> Resource:
            if current.tearing_down or finalizer in current.finalizers:
                return current
            return replace(current, finalizers=(*current.finalizers, finalizer))

        self.store.edit(resource.type, resource.id, change)

    def release(self, resource: Resource, finalizer: str) -> None:
        """Remove a finalizer."""

        def change(current: Resource) -> Resource:
            return replace(current, finalizers=tuple(held for held in current.finalizers if held != finalizer))

        self.store.edit(resource.type, resource.id, change)

    def cluster_locked(self, cluster: str) -> bool:
        resource = self.find(CLUSTER, cluster)
        return resource is not None and ANNOTATION_CLUSTER_LOCKED in resource.annotations

    def batch_delay(self, group: str) -> float:
        """Seconds by which work on a whole machine set or cluster is delayed, growing with its size.

        This way a large one is not reconciled for every event of every machine.
        """
        return self._members[group] * SECONDS_PER_MEMBER

    def tear_down(self, resource_type: ResourceType, resource_id: str) -> Resource | None:
        """Start to tear down a resource of any owner; None if there is none."""
        resource = self.find(resource_type, resource_id)
        if resource is not None and not resource.tearing_down:
            self._torn_down.add((resource_type.name, resource_id))
            self.store.teardown(resource_type, resource_id, owner=resource.owner)
            return self.find(resource_type, resource_id)
        return resource

    def dispose(self, resource_type: ResourceType, resource_id: str) -> bool:
        """Delete a resource of a controller, one finalizer at a time; returns whether it is gone."""
        resource = self.find(resource_type, resource_id)
        if resource is None:
            return True
        # Also one that is being torn down since before this Omni was saved: its next step was not saved.
        if not resource.tearing_down or (resource_type.name, resource_id) not in self._torn_down:
            self._torn_down.add((resource_type.name, resource_id))
            self.tear_down(resource_type, resource_id)
            self.after(self.timings.destroy, lambda: self._dispose_step(resource_type, resource_id))
        return False

    def _dispose_step(self, resource_type: ResourceType, resource_id: str) -> None:
        resource = self.find(resource_type, resource_id)
        if resource is None or not resource.tearing_down:
            return
        if not resource.finalizers:
            self.store.destroy(resource_type, resource_id, owner=resource.owner)
            return
        self.release(resource, resource.finalizers[0])
        self.after(self.timings.destroy, lambda: self._dispose_step(resource_type, resource_id))

    def destroy(self, resource: Resource) -> None:
        self.store.destroy(resource.type, resource.id, owner=resource.owner)

    def random(self, purpose: str) -> random.Random:
        """A new random generator at every call, the same in every run with the same seed."""
        return random.Random(f"{self.machines.seed}/{purpose}/{next(self._draws)}")  # noqa: S311

    # -- machines

    def reaches(self, machine: EmulatedMachine) -> bool:
        """Whether Omni can reach a machine."""
        return not (self.has_fault(machine, "disconnected") or self.has_fault(machine, "unreachable"))

    def connected(self, machine: EmulatedMachine) -> bool:
        """Whether Omni shows a machine as connected."""
        return not self.has_fault(machine, "disconnected")

    def has_fault(self, machine: EmulatedMachine, name: str) -> bool:
        """Whether a fault is set for a machine, by its ID or its number."""
        selection = getattr(self.faults, name)
        return machine.id in selection or machine.index in selection
