"""Resources in memory with the semantics and the error texts of COSI, the state that Omni is built on.

Rules and texts: https://github.com/cosi-project/runtime, as observed through the State API of Omni v1.10.4.
"""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

import grpc

from ksail_pulumi.omni.resources import LABEL_CLUSTER, TEARING_DOWN, Resource, ResourceType

HISTORY_PER_TYPE = 20_000
"""How many events of one type a watch can be behind before it is cut off with `ERRORED`."""

Kind = Literal["created", "updated", "destroyed"]
Verb = Literal["create", "update", "teardown", "destroy"]
Resources = list[Resource]


class StoreError(Exception):
    """The store refused a request; the text is Omni's."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        self.code = code
        self.text = text
        super().__init__(text)


class HistoryLostError(Exception):
    """The events after a position are no longer all there."""


@dataclass(frozen=True)
class Event:
    """A change of a resource.

    Attributes:
        resource: The resource after the change; for `destroyed`, its last state.
        old: The resource before an update.
        sequence: The position of the change in the history; bookmarks hold it.
    """

    kind: Kind
    resource: Resource
    old: Resource | None
    sequence: int


@dataclass(frozen=True)
class AuditEntry:
    """An accepted write of a user."""

    verb: Verb
    type: str
    id: str
    actor: str
    at: datetime
    cluster: str = ""


@dataclass
class _Collection:
    """All resources of one type in one namespace, and their latest events."""

    items: dict[str, Resource] = field(default_factory=dict)
    by_cluster: dict[str, dict[str, Resource]] = field(default_factory=dict)
    history: deque[Event] = field(default_factory=lambda: deque(maxlen=HISTORY_PER_TYPE))
    forgotten: int = 0

    def remember(self, event: Event) -> None:
        if len(self.history) == self.history.maxlen:
            self.forgotten = self.history[0].sequence
        self.history.append(event)

    def put(self, resource: Resource) -> None:
        self.drop(resource.id)
        self.items[resource.id] = resource
        if resource.cluster:
            self.by_cluster.setdefault(resource.cluster, {})[resource.id] = resource

    def drop(self, resource_id: str) -> None:
        old = self.items.pop(resource_id, None)
        if old is None or not old.cluster:
            return
        members = self.by_cluster[old.cluster]
        del members[resource_id]
        if not members:
            del self.by_cluster[old.cluster]


def named(type_name: str, namespace: str, resource_id: str, version: int = 0) -> str:
    """The name of a resource in COSI's messages."""
    return f"{type_name}({namespace}/{resource_id}@{version or 'undefined'})"


def not_found(type_name: str, namespace: str, resource_id: str, prefix: str = "") -> StoreError:
    """The error for a resource that does not exist."""
    text = f"{prefix}resource {named(type_name, namespace, resource_id)} doesn't exist"
    return StoreError(grpc.StatusCode.NOT_FOUND, text)


class Store:
    """The resources of one simulated Omni. Thread-safe; every write is one event.

    Resources are immutable and shared with the callers; a change makes a new resource and a new spec.

    Attributes:
        audit: Every write of a user that was accepted, in order.
        now: The time of day.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.audit: list[AuditEntry] = []
        self.now = now
        self._lock = threading.RLock()
        self._collections: dict[tuple[str, str], _Collection] = {}
        self._nothing = _Collection()  # no entry for reads: clients may ask for any namespace
        self._subscribers: list[Callable[[Event], None]] = []
        # Each store starts at another position, so bookmarks of one store are not valid in another.
        self._origin = secrets.randbits(30) << 32
        self._sequence = self._origin

    # -- reading

    def get(self, type_name: str, namespace: str, resource_id: str) -> Resource:
        """Read a resource.

        Raises:
            StoreError: `NOT_FOUND`.
        """
        with self._lock:
            resource = self._collection(type_name, namespace).items.get(resource_id)
        if resource is None:
            raise not_found(type_name, namespace, resource_id)
        return resource

    def find(self, resource_type: ResourceType, resource_id: str) -> Resource | None:
        """Read a resource; None if it does not exist."""
        with self._lock:
            return self._collection(resource_type.name, resource_type.namespace).items.get(resource_id)

    def list(self, resource_type: ResourceType, labels: Mapping[str, str | None] | None = None) -> Resources:
        """The resources that have all these labels (None: any value), ordered by ID."""
        wanted = dict(labels or {})
        cluster = wanted.pop(LABEL_CLUSTER, None) if wanted.get(LABEL_CLUSTER) else None
        items = self.members(resource_type.name, resource_type.namespace, cluster)
        return [item for item in items if all(_has(item, key, value) for key, value in wanted.items())]

    def snapshot(self, type_name: str, namespace: str, resource_id: str | None = None) -> tuple[Resources, int]:
        """All resources of a type, ordered by ID, or the requested one, with the position of this snapshot."""
        with self._lock:
            if resource_id is None:
                return self.members(type_name, namespace), self._sequence
            found = self._collection(type_name, namespace).items.get(resource_id)
            return [] if found is None else [found], self._sequence

    def members(self, type_name: str, namespace: str, cluster: str | None = None) -> Resources:
        """All resources of a type in a namespace, or those of a cluster, ordered by ID."""
        with self._lock:
            collection = self._collection(type_name, namespace)
            found = collection.items if cluster is None else collection.by_cluster.get(cluster, {})
            return sorted(found.values(), key=lambda item: item.id)

    def knows(self, sequence: int) -> bool:
        """Whether a position exists in the history of this store."""
        with self._lock:
            return self._origin <= sequence <= self._sequence

    def events_after(self, type_name: str, namespace: str, sequence: int) -> Sequence[Event]:
        """The events of a type after a position.

        Raises:
            HistoryLostError: The events are no longer all there.
        """
        with self._lock:
            collection = self._collection(type_name, namespace)
            if sequence < collection.forgotten:
                raise HistoryLostError
            events = []
            for event in reversed(collection.history):
                if event.sequence <= sequence:
                    break
                events.append(event)
        events.reverse()
        return events

    # -- writing

    def create(self, resource: Resource, owner: str = "") -> Resource:
        """Store a new resource, as version 1.

        Raises:
            StoreError: `ALREADY_EXISTS`.
        """
        with self._lock:
            collection = self._collection_of(resource)
            if resource.id in collection.items:
                text = f"failed to create: resource {_name(resource, version=0)} already exists"
                raise StoreError(grpc.StatusCode.ALREADY_EXISTS, text)
            now = self.now()
            stored = replace(resource, version=1, owner=owner, created=now, updated=now)
            self._commit(collection, "created", stored, None)
            return stored

    def update(self, resource: Resource, owner: str = "", expected_phase: str | None = None) -> Resource:
        """Replace a resource if it still has the version that was read.

        Raises:
            StoreError: `NOT_FOUND`, another owner, another version, or another phase than expected.
        """
        with self._lock:
            collection = self._collection_of(resource)
            current = self._current(collection, resource, owner, "failed to update: ")
            if current.version != resource.version:
                text = (
                    f"failed to update: resource {_name(current)} update conflict: expected version "
                    f"{_rune(resource.version)}, actual version {_rune(current.version)}"
                )
                raise StoreError(grpc.StatusCode.FAILED_PRECONDITION, text)
            if expected_phase is not None and current.phase != expected_phase:
                text = f"failed to update: resource {_name(current)} is not in phase {expected_phase}"
                raise StoreError(grpc.StatusCode.INVALID_ARGUMENT, text)
            return self._replace(collection, current, resource)

    def teardown(self, resource_type: ResourceType, resource_id: str, owner: str = "") -> bool:
        """Mark a resource for destruction; returns whether it has no finalizers.

        Raises:
            StoreError: `NOT_FOUND` or another owner.
        """
        with self._lock:
            collection = self._collection(resource_type.name, resource_type.namespace)
            probe = Resource(resource_type, resource_id, None)
            current = self._current(collection, probe, owner, "failed to update: ")
            if not current.tearing_down:
                current = self._replace(collection, current, replace(current, phase=TEARING_DOWN))
            return not current.finalizers

    def destroy(self, resource_type: ResourceType, resource_id: str, owner: str = "") -> None:
        """Remove a resource that has no finalizers.

        Raises:
            StoreError: `NOT_FOUND`, another owner, or pending finalizers.
        """
        with self._lock:
            collection = self._collection(resource_type.name, resource_type.namespace)
            probe = Resource(resource_type, resource_id, None)
            current = self._current(collection, probe, owner, "failed to destroy: ")
            if current.finalizers:
                held = " ".join(current.finalizers)
                text = f"failed to destroy: resource {_name(current)} has pending finalizers &[{held}]"
                raise StoreError(grpc.StatusCode.FAILED_PRECONDITION, text)
            self._commit(collection, "destroyed", current, None)

    # -- writing, as controllers do

    def put(self, resource: Resource) -> Resource:
        """Set spec, labels and annotations of a controller's resource, or create it.

        Phase and finalizers of an existing resource stay. An equal resource is not written.

        Raises:
            StoreError: The resource belongs to another owner than `resource.owner`.
        """
        with self._lock:
            collection = self._collection_of(resource)
            if resource.id not in collection.items:
                return self.create(resource, owner=resource.owner)
            current = self._current(collection, resource, resource.owner, "failed to update: ")
            wanted = replace(
                current, spec=resource.spec, labels=dict(resource.labels), annotations=dict(resource.annotations)
            )
            return current if wanted == current else self._replace(collection, current, wanted)

    def edit(
        self, resource_type: ResourceType, resource_id: str, change: Callable[[Resource], Resource]
    ) -> Resource | None:
        """Change a resource of any owner (finalizers, labels); None if it does not exist.

        An equal resource is not written. It is called under the store's lock.
        """
        with self._lock:
            collection = self._collection(resource_type.name, resource_type.namespace)
            current = collection.items.get(resource_id)
            if current is None:
                return None
            wanted = change(current)
            return current if wanted == current else self._replace(collection, current, wanted)

    def all(self) -> Resources:
        """The resources of all types."""
        with self._lock:
            return [item for collection in self._collections.values() for item in collection.items.values()]

    def restore(self, resources: Sequence[Resource]) -> None:
        """Add resources as they were in another store, with versions and times; those that exist stay."""
        with self._lock:
            for resource in resources:
                collection = self._collection_of(resource)
                if resource.id not in collection.items:
                    self._commit(collection, "created", resource, None)

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Pass every event to a callback; the returned function ends this.

        Callbacks run in the order of the changes, in the thread that made them and under the store's lock: they
        must only record the event.
        """
        with self._lock:
            self._subscribers.append(callback)

        def unsubscribe() -> None:
            with self._lock:
                if callback in self._subscribers:
                    self._subscribers.remove(callback)

        return unsubscribe

    def record(self, verb: Verb, resource: Resource, actor: str, cluster: str) -> None:
        """Note a user's write in the audit log."""
        entry = AuditEntry(verb, resource.type.name, resource.id, actor, self.now(), cluster)
        with self._lock:
            self.audit.append(entry)

    # -- internals

    def _collection(self, type_name: str, namespace: str) -> _Collection:
        return self._collections.get((type_name, namespace), self._nothing)

    def _collection_of(self, resource: Resource) -> _Collection:
        key = (resource.type.name, resource.type.namespace)
        collection = self._collections.get(key)
        if collection is None:
            collection = self._collections[key] = _Collection()
        return collection

    def _current(self, collection: _Collection, wanted: Resource, owner: str, prefix: str) -> Resource:
        current = collection.items.get(wanted.id)
        if current is None:
            raise not_found(wanted.type.name, wanted.type.namespace, wanted.id, prefix)
        if current.owner != owner:
            text = f'{prefix}resource {_name(current)} is owned by "{current.owner}"'
            raise StoreError(grpc.StatusCode.PERMISSION_DENIED, text)
        return current

    def _replace(self, collection: _Collection, current: Resource, wanted: Resource) -> Resource:
        stored = replace(wanted, version=current.version + 1, created=current.created, updated=self.now())
        self._commit(collection, "updated", stored, current)
        return stored

    def _commit(self, collection: _Collection, kind: Kind, resource: Resource, old: Resource | None) -> None:
        self._sequence += 1
        if kind == "destroyed":
            collection.drop(resource.id)
        else:
            collection.put(resource)
        event = Event(kind, resource, old, self._sequence)
        collection.remember(event)
        for subscriber in tuple(self._subscribers):
            subscriber(event)


def _has(resource: Resource, key: str, value: str | None) -> bool:
    return key in resource.labels if value is None else resource.labels.get(key) == value


def _name(resource: Resource, version: int | None = None) -> str:
    shown = resource.version if version is None else version
    return named(resource.type.name, resource.type.namespace, resource.id, shown)


def _rune(version: int) -> str:
    r"""A version as Omni prints it in a conflict: as a quoted Go rune, so 9 becomes `'\t'`."""
    named_escapes = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 39: "'", 92: "\\"}
    if version in named_escapes:
        return f"'\\{named_escapes[version]}'"
    if 32 <= version < 127:
        return f"'{chr(version)}'"
    if version < 128:
        return f"'\\x{version:02x}'"
    if version < 0x110000 and chr(version).isprintable():
        return f"'{chr(version)}'"
    return f"'\\u{version:04x}'" if version < 0x10000 else f"'\\U{version:08x}'"
