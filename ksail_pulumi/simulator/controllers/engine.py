"""What drives all controllers, in one thread: events of the store wake whom they concern, and time passes between."""

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
from ksail_pulumi.simulator.machines import EmulatedMachine, MachineConfig, Machines
from ksail_pulumi.simulator.store import Event, Store, StoreError

Keys = Callable[[Event], Iterable[str]]
SECONDS_PER_MEMBER = 0.0003
_log = logging.getLogger(__name__)


def own_id(event: Event) -> Iterable[str]:
    """The ID of the resource itself is the key."""
    return (event.resource.id,)


def its_cluster(event: Event) -> Iterable[str]:
    """The name of the cluster that the resource belongs to is the key."""
    return _distinct(resource.cluster for resource in _both(event))


def its(label: str) -> Keys:
    """The value of a label is the key."""
    return lambda event: _distinct(resource.labels.get(label, "") for resource in _both(event))


def _both(event: Event) -> Iterable[Resource]:
    return (event.resource,) if event.old is None else (event.old, event.resource)


def _distinct(keys: Iterable[str]) -> Iterable[str]:
    return dict.fromkeys(key for key in keys if key)


class Controller:
    """Keeps one kind of thing as it ought to be: woken with the key of one of them, looks, and changes what differs.

    A controller is woken a moment (`delay`) after the event that concerns it; what happens within the moment is one
    wake-up. It holds nothing that it could not see again, so that any order of events ends in the same place.
    """

    def __init__(self, runtime: Runtime) -> None:
        """Belong to a runtime."""
        self.runtime = runtime

    def watches(self) -> Mapping[ResourceType, Keys]:
        """The types whose events wake it, each with how to find the keys of those whom an event concerns."""
        return {}

    def delay(self, key: str) -> float:  # noqa: ARG002
        """Seconds from an event to the wake-up."""
        return 0.0

    def reconcile(self, key: str) -> None:
        """Put one thing right."""
        raise NotImplementedError

    def machine_changed(self, machine: EmulatedMachine) -> Iterable[str]:  # noqa: ARG002
        """The keys that a change inside an emulated machine concerns."""
        return ()

    def machine_delay(self, key: str) -> float:
        """Seconds from a change inside a machine to the wake-up."""
        return self.delay(key)

    def enqueue(self, key: str, delay: float | None = None) -> None:
        """Wake it for a key, unless that is about to happen anyway."""
        self.runtime.enqueue(self, key, self.delay(key) if delay is None else delay)


class Runtime:
    """What controllers live in: the store, time, the machines, and each other's wake-ups."""

    def __init__(self, store: Store, clock: Clock, machines: Machines, faults: Faults, catalog: Catalog) -> None:
        self.store = store
        self.clock = clock
        self.machines = machines
        self.faults = faults
        self.catalog = catalog
        self.timings = Timings().at(clock.pace)
        self.scopes = Scopes()
        self.configs: dict[str, tuple[object, MachineConfig]] = {}
        self.controllers: list[Controller] = []
        self._machine_watchers: list[Controller] = []
        self._watchers: dict[str, list[tuple[Controller, Keys]]] = {}
        self._events: deque[Event] = deque()
        self._queued: set[tuple[int, str]] = set()
        self._draws = itertools.count()
        self._members: Counter[str] = Counter()
        self._draining = False
        self._stopped = False
        self._unsubscribe: Callable[[], None] = lambda: None

    def start(self, controllers: Iterable[Controller]) -> None:
        """Bring the controllers to life."""
        self.controllers = list(controllers)
        for controller in self.controllers:
            for resource_type, keys in controller.watches().items():
                self._watchers.setdefault(resource_type.name, []).append((controller, keys))
        unmoved = Controller.machine_changed
        self._machine_watchers = [item for item in self.controllers if type(item).machine_changed is not unmoved]
        self._unsubscribe = self.store.subscribe(self._note)

    def stop(self) -> None:
        """Let nothing more happen."""
        self._stopped = True
        self._unsubscribe()

    # -- time

    def after(self, delay: float, callback: Callable[[], None]) -> Handle:
        """Have something happen later, unless all has stopped by then."""
        return self.clock.call_later(delay, lambda: None if self._stopped else self._guarded(callback))

    def enqueue(self, controller: Controller, key: str, delay: float) -> None:
        """Wake a controller for a key after a moment, once however often it is asked for."""
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
            # A user was quicker: the event of what they did is on its way and wakes the controller again.
            _log.debug("a controller lost a race: %s", error.text)

    # -- resources

    def find(self, resource_type: ResourceType, resource_id: str) -> Resource | None:
        """The resource, or None."""
        return self.store.find(resource_type, resource_id)

    def hold(self, resource: Resource, finalizer: str) -> None:
        """Put a finalizer on a resource that is not being torn down."""

        def change(current: Resource) -> Resource:
            if current.tearing_down or finalizer in current.finalizers:
                return current
            return replace(current, finalizers=(*current.finalizers, finalizer))

        self.store.edit(resource.type, resource.id, change)

    def release(self, resource: Resource, finalizer: str) -> None:
        """Take a finalizer off a resource."""

        def change(current: Resource) -> Resource:
            return replace(current, finalizers=tuple(held for held in current.finalizers if held != finalizer))

        self.store.edit(resource.type, resource.id, change)

    def cluster_locked(self, cluster: str) -> bool:
        """Whether a cluster must not be changed."""
        resource = self.find(CLUSTER, cluster)
        return resource is not None and ANNOTATION_CLUSTER_LOCKED in resource.annotations

    def batch_delay(self, group: str) -> float:
        """Seconds by which a look at a whole machine set or cluster is put off.

        So big ones are not looked at for every event of every machine.
        """
        return self._members[group] * SECONDS_PER_MEMBER

    def tear_down(self, resource_type: ResourceType, resource_id: str) -> Resource | None:
        """Begin to remove a resource, whoever owns it; None when there is none."""
        resource = self.find(resource_type, resource_id)
        if resource is not None and not resource.tearing_down:
            self.store.teardown(resource_type, resource_id, owner=resource.owner)
            return self.find(resource_type, resource_id)
        return resource

    def dispose(self, resource_type: ResourceType, resource_id: str) -> bool:
        """Remove a controller's own resource, step by step; whether it is gone."""
        resource = self.find(resource_type, resource_id)
        if resource is None:
            return True
        if not resource.tearing_down:
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
        """Remove a resource that nobody holds."""
        self.store.destroy(resource.type, resource.id, owner=resource.owner)

    def random(self, purpose: str) -> random.Random:
        """New randomness at every call, and the same in every run with the same machines."""
        return random.Random(f"{self.machines.seed}/{purpose}/{next(self._draws)}")  # noqa: S311

    # -- machines

    def reaches(self, machine: EmulatedMachine) -> bool:
        """Whether Omni can talk to a machine."""
        return not (self.has_fault(machine, "disconnected") or self.has_fault(machine, "unreachable"))

    def connected(self, machine: EmulatedMachine) -> bool:
        """Whether Omni takes a machine for connected."""
        return not self.has_fault(machine, "disconnected")

    def has_fault(self, machine: EmulatedMachine, name: str) -> bool:
        """Whether a fault is set for a machine, by its ID or its number."""
        selection = getattr(self.faults, name)
        return machine.id in selection or machine.index in selection
