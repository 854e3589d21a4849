"""Watches on Omni's resources, over connections that may break."""

from __future__ import annotations

import contextvars
import queue
import random
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import grpc

from ksail_pulumi.errors import OmniError, PermissionDeniedError, UnreachableError
from ksail_pulumi.omni.api import resource_pb2, state_pb2
from ksail_pulumi.omni.api.state_pb2_grpc import StateStub
from ksail_pulumi.omni.channel import BROKEN
from ksail_pulumi.omni.resources import Resource, ResourceType, from_wire
from ksail_pulumi.redaction import quoted

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from ksail_pulumi.omni.channel import Channel

API_VERSION = 1
"""Of watches. Without it Omni leaves BOOTSTRAPPED and ERRORED out."""

_METHOD = "/cosi.resource.State/Watch"
_PATIENCE = 300.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_ODD_FAILURES = 5
_CANCEL_CHECK = 0.05
_KINDS: Mapping[int, Literal["created", "updated", "destroyed"]] = {
    state_pb2.CREATED: "created",
    state_pb2.UPDATED: "updated",
    state_pb2.DESTROYED: "destroyed",
}


@dataclass(frozen=True, eq=False)
class Query:
    """What to watch: one resource by its ID, or all of a type with all these labels (value `None`: any value).

    Attributes:
        type: The type.
        id: The ID; None for all of the type.
        labels: The labels.
        late: An older Omni does not have the type, and answers PERMISSION_DENIED for it. Then nothing is reported but
            `resync` and `bootstrapped`.
    """

    type: ResourceType
    id: str | None = None
    labels: Mapping[str, str | None] | None = None
    late: bool = False

    def __str__(self) -> str:
        return f"{self.type.name}({self.type.namespace}/{self.id or '*'})"


@dataclass(frozen=True)
class WatchEvent:
    """An event of a watch.

    Attributes:
        kind: `created`, `updated` and `destroyed` carry the resource in that state. `bootstrapped`: all resources
            that existed when the watch began have been reported. `resync`: events were lost; forget the resources of
            this query, all of them are reported again.
        query: The query that the event belongs to.
    """

    kind: Literal["created", "updated", "destroyed", "bootstrapped", "resync"]
    resource: Resource | None
    query: Query


class Watch:
    """Events of one or more queries; a context manager.

    Each query reports `created` for everything that exists, then one `bootstrapped`, then the changes. A query for one
    ID begins with `created` or, if there is no such resource, `destroyed`; `bootstrapped` follows. With labels, a
    resource that starts or stops matching is reported as `created` or `destroyed`.

    A broken stream is opened again with a new signature and continues at Omni's bookmark. If Omni no longer knows the
    bookmark, `resync` is reported and the query starts over. While there is no connection, `trouble` holds the reason.
    After 5 minutes without one, `next` raises.
    """

    def __init__(
        self,
        channel: Channel,
        queries: Sequence[Query],
        *,
        cancelled: threading.Event | None = None,
        patience: float = _PATIENCE,
    ) -> None:
        """Start the watch.

        Args:
            channel: The channel to Omni.
            queries: What to watch.
            cancelled: Ends the watch within 0.05 s after it is set.
            patience: How long a stream may be without a connection, in seconds.
        """
        self._events: queue.SimpleQueue[WatchEvent | Exception | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._cancelled = cancelled
        self._streams = [_Stream(channel, query, self._events.put, patience) for query in queries]
        for stream in self._streams:
            stream.start()

    @property
    def trouble(self) -> OmniError | None:
        """Why a stream has no connection now; `None` if all have one."""
        return next((stream.trouble for stream in self._streams if stream.trouble), None)

    def next(self, timeout: float | None = None) -> WatchEvent | None:
        """The next event; `None` if none came within `timeout` seconds, or the watch was closed or cancelled.

        Raises:
            UnreachableError: There was no connection for longer than `patience`.
            OmniError: Omni does not allow or support this watch.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._ended():
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            if self._cancelled is not None:
                wait = _CANCEL_CHECK if wait is None else min(wait, _CANCEL_CHECK)
            try:
                event = self._events.get(timeout=wait)
            except queue.Empty:
                if deadline is not None and time.monotonic() >= deadline:
                    return None
                continue
            if isinstance(event, Exception):
                self.close()
                raise event
            return event
        return None

    def close(self) -> None:
        """End the watch, from any thread; a waiting `next` returns `None` at once."""
        self._closed.set()
        for stream in self._streams:
            stream.stop()
        self._events.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _ended(self) -> bool:
        return self._closed.is_set() or (self._cancelled is not None and self._cancelled.is_set())


class _Stream(threading.Thread):
    """Reads the events of one query. It is a thread because a gRPC stream in Python can only be read by blocking."""

    def __init__(
        self, channel: Channel, query: Query, put: Callable[[WatchEvent | Exception], None], patience: float
    ) -> None:
        super().__init__(name=f"watch {query}", daemon=True)
        self.trouble: OmniError | None = None
        self._channel = channel
        self._query = query
        self._put = put
        self._patience = patience
        self._bookmark: bytes | None = None
        self._reported_something = False
        self._bootstrapped = False
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._call: Any = None
        self._caller = contextvars.copy_context()  # holds the redaction gate of the caller

    def run(self) -> None:
        try:
            self._caller.run(self._follow)
        except Exception as error:  # raised by `next`; otherwise the consumer would wait forever
            if not self._stopped.is_set():
                self._put(error)

    def stop(self) -> None:
        with self._lock:
            self._stopped.set()
            if self._call is not None:
                self._call.cancel()

    def _follow(self) -> None:
        pause, odd_failures, connected_at = _FIRST_PAUSE, 0, time.monotonic()
        while not self._stopped.is_set():
            opened_at = time.monotonic()
            failure, code = self._read()
            if failure is None:
                continue
            if self.trouble is None:  # it was connected
                connected_at, odd_failures = time.monotonic(), 0
            odd_failures += code in BROKEN
            if self._query.late and isinstance(failure, PermissionDeniedError):
                self.trouble = None
                self._put(WatchEvent("resync", None, self._query))
                self._put(WatchEvent("bootstrapped", None, self._query))
                return
            lasting = time.monotonic() - connected_at > self._patience or odd_failures > _ODD_FAILURES
            if lasting or not (isinstance(failure, UnreachableError) or code in BROKEN):
                raise failure
            self.trouble = failure
            if time.monotonic() - opened_at > pause:
                pause = _FIRST_PAUSE
            self._stopped.wait(pause * random.uniform(0.5, 1))  # noqa: S311 -- spreads the reconnects
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _read(self) -> tuple[OmniError | None, grpc.StatusCode | None]:
        """Read one stream to its end; returns why it ended, nothing if the next one may be opened at once."""
        try:
            self._open()
            for message in self._call:
                self.trouble = None  # the first message is empty and confirms the watch
                self._channel.link.heard()
                for event in message.event:
                    if event.event_type == state_pb2.ERRORED:
                        self._bookmark = None
                        self._call.cancel()
                        return UnreachableError(f"Omni ended the watch of {self._query}: {quoted(event.error)}"), None
                    self._report(event)
        except grpc.RpcError as error:
            code = error.code()
            if code is grpc.StatusCode.FAILED_PRECONDITION and self._bookmark is not None:
                self._bookmark = None
                return None, code
            return self._channel.error(error, f"watch {self._query}", _METHOD), code
        return UnreachableError(f"Omni ended the watch of {self._query}"), None

    def _open(self) -> None:
        if self._bookmark is None and self._reported_something:
            self._put(WatchEvent("resync", None, self._query))
            self._reported_something = self._bootstrapped = False
        options = state_pb2.WatchOptions(
            label_query=label_query(self._query.labels or {}),
            bootstrap_contents=self._query.id is None and self._bookmark is None,
            start_from_bookmark=self._bookmark,
            aggregated=True,
        )
        request = state_pb2.WatchRequest(
            namespace=self._query.type.namespace,
            type=self._query.type.name,
            id=self._query.id,
            options=options,
            api_version=API_VERSION,
        )
        stub = self._channel.stub(StateStub, f"watch {self._query}", _METHOD)
        with self._lock:
            if self._stopped.is_set():
                raise OmniError("the watch is closed")
            self._call = stub.Watch(request, metadata=self._channel.signed(_METHOD))

    def _report(self, event: state_pb2.Event) -> None:
        if kind := _KINDS.get(event.event_type):
            self._reported_something = True
            self._put(WatchEvent(kind, from_wire(event.resource), self._query))
        if not self._bootstrapped and (event.event_type == state_pb2.BOOTSTRAPPED or (kind and self._query.id)):
            self._reported_something = self._bootstrapped = True
            self._put(WatchEvent("bootstrapped", None, self._query))
        if event.HasField("bookmark"):
            self._bookmark = event.bookmark


def label_query(
    *alternatives: Mapping[str, str | None], without: Collection[str] = ()
) -> list[resource_pb2.LabelQuery]:
    """A query on the wire for resources that have all labels of one of the mappings; the value `None` means any value.

    They have none of the labels `without`. Only EQUAL, EXISTS and NOT_EXISTS are used: every Omni knows them.
    """
    absent = [resource_pb2.LabelTerm(key=key, op=resource_pb2.LabelTerm.NOT_EXISTS) for key in without]
    return [resource_pb2.LabelQuery(terms=[*_terms(labels), *absent]) for labels in alternatives if labels]


def _terms(labels: Mapping[str, str | None]) -> list[resource_pb2.LabelTerm]:
    return [
        resource_pb2.LabelTerm(key=key, op=resource_pb2.LabelTerm.EXISTS)
        if value is None
        else resource_pb2.LabelTerm(key=key, op=resource_pb2.LabelTerm.EQUAL, value=[value])
        for key, value in labels.items()
    ]
