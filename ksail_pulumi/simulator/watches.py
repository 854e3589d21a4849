"""Watches: bootstrap, bookmarks and live events, as in Omni's State API.

A watch is a position in the history of the store and reads from there: an idle one costs nothing, and a slow one does
not delay the others.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import grpc

from ksail_pulumi.omni.api import resource_pb2, state_pb2
from ksail_pulumi.omni.resources import RUNNING, Resource
from ksail_pulumi.simulator import queries
from ksail_pulumi.simulator.envelope import encode
from ksail_pulumi.simulator.store import Event, HistoryLostError, Store, StoreError, named

_BOOKMARK = struct.Struct(">Q")


class Watch:
    """A watch of a client.

    Attributes:
        type_name: The type that it looks at.
        namespace: The namespace that it looks at.
    """

    def __init__(self, store: Store, request: state_pb2.WatchRequest) -> None:
        """Check the request and find the position where the watch starts.

        Raises:
            StoreError: Omni does not support the request, or the bookmark is not valid.
        """
        self.type_name, self.namespace = request.type, request.namespace
        self._store = store
        self._id = request.id if request.HasField("id") else None
        self._options = request.options
        self._new_events = request.api_version >= 1
        self._matches = queries.predicate(self._options.label_query, self._options.id_query)
        self._snapshot: list[Resource] = []
        if self._id is None:
            self._refuse_kind()
        else:
            self._refuse_single()
        if self._options.HasField("start_from_bookmark"):
            self._position = self._resume()
        else:
            self._snapshot, self._position = store.snapshot(self.type_name, self.namespace, self._id)

    def first(self) -> Iterator[list[state_pb2.Event]]:
        """The messages before the first live one."""
        yield []
        if self._options.HasField("start_from_bookmark"):
            return
        if self._id is not None:
            yield [self._present()]
            return
        events = []
        if self._options.bootstrap_bookmark:
            events.append(self._marker(state_pb2.NOOP))
        if self._options.bootstrap_contents:
            events += [
                state_pb2.Event(resource=encode(resource), event_type=state_pb2.CREATED)
                for resource in self._snapshot
                if self._matches(resource)
            ]
            if self._new_events:
                events.append(self._marker(state_pb2.BOOTSTRAPPED))
        self._snapshot = []
        if events and self._options.aggregated:
            yield events
        else:
            yield from ([event] for event in events)

    def news(self) -> list[state_pb2.Event]:
        """The events since the last call.

        Raises:
            HistoryLostError: More has happened than is remembered.
        """
        happened = self._store.events_after(self.type_name, self.namespace, self._position)
        if happened:
            self._position = happened[-1].sequence
        return [told for event in happened if (told := self._tell(event)) is not None]

    def overrun(self) -> list[state_pb2.Event]:
        """The last message of a watch that was too slow; clients with API version 0 get none."""
        if not self._new_events:
            return []
        where = f"{self.namespace}/{self.type_name}"
        return [state_pb2.Event(event_type=state_pb2.ERRORED, error=f'buffer overrun: namespace "{where}"')]

    def _tell(self, event: Event) -> state_pb2.Event | None:
        if self._id is not None:
            if event.resource.id != self._id:
                return None
            kind = event.kind
        else:
            now = event.kind != "destroyed" and self._matches(event.resource)
            before = event.kind != "created" and self._matches(event.old or event.resource)
            if not now and not before:
                return None
            kind = "updated" if now and before else "created" if now else "destroyed"
        told = state_pb2.Event(
            resource=encode(event.resource),
            event_type={
                "created": state_pb2.CREATED,
                "updated": state_pb2.UPDATED,
                "destroyed": state_pb2.DESTROYED,
            }[kind],
            bookmark=_BOOKMARK.pack(event.sequence),
        )
        if kind == "updated" and event.old is not None:
            told.old.CopyFrom(encode(event.old))
        return told

    def _present(self) -> state_pb2.Event:
        """The current state of one resource, or that it does not exist."""
        found, self._snapshot = self._snapshot, []
        if not found:
            return self._marker(state_pb2.DESTROYED)
        bookmark = _BOOKMARK.pack(self._position)
        return state_pb2.Event(resource=encode(found[0]), event_type=state_pb2.CREATED, bookmark=bookmark)

    def _marker(self, kind: state_pb2.EventType.ValueType) -> state_pb2.Event:
        metadata = resource_pb2.Metadata(
            namespace=self.namespace, type=self.type_name, id=self._id or "", version="undefined", phase=RUNNING
        )
        return state_pb2.Event(
            resource=resource_pb2.Resource(metadata=metadata, spec=resource_pb2.Spec()),
            event_type=kind,
            bookmark=_BOOKMARK.pack(self._position),
        )

    def _resume(self) -> int:
        bookmark = self._options.start_from_bookmark
        verb = "watchKind" if self._id is None else "watch"
        prefix = f'failed to {verb} "{named(self.type_name, self.namespace, self._id or "")}": invalid bookmark'
        if len(bookmark) != _BOOKMARK.size:
            raise StoreError(grpc.StatusCode.FAILED_PRECONDITION, f"{prefix} length: {len(bookmark)}")
        (position,) = _BOOKMARK.unpack(bookmark)
        if not self._store.knows(position):
            raise StoreError(grpc.StatusCode.FAILED_PRECONDITION, prefix)
        try:
            self._store.events_after(self.type_name, self.namespace, position)
        except HistoryLostError as error:
            raise StoreError(grpc.StatusCode.FAILED_PRECONDITION, prefix) from error
        return int(position)

    def _refuse_kind(self) -> None:
        options = self._options
        refused = ""
        if options.HasField("start_from_bookmark") and options.bootstrap_contents:
            refused = "startFromBookmark and bootstrapContents"
        elif options.tail_events:
            refused = "tailEvents"
        if refused:
            text = f"failed to watchKind: operation {refused} is not supported"
            raise StoreError(grpc.StatusCode.UNKNOWN, text)

    def _refuse_single(self) -> None:
        options = self._options
        refused = ""
        if options.bootstrap_contents:
            refused = "bootstrap contents"
        elif options.label_query or options.id_query.regexp:
            refused = "label query"
        if refused:
            text = f"{refused} is not implemented for resource watch"
            raise StoreError(grpc.StatusCode.UNIMPLEMENTED, text)
        if options.tail_events:
            raise StoreError(grpc.StatusCode.UNKNOWN, "failed to watch: operation tailEvents is not supported")
