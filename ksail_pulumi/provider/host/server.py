"""The gRPC server of Pulumi's dynamic provider host, opened up: it serves more calls at once, and hears the Cancel.

The host lets nobody near its server, and gRPC nobody near the inside of one. Where they are not what they are known to
be, they stay as they are: four calls at once, and a Cancel that does nothing.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

WORKERS = 256
"""How many calls of the engine are served at once; a thread is started only when all others are busy."""

_CANCEL = "/pulumirpc.ResourceProvider/Cancel"
_lock = threading.Lock()


def prepare(on_cancel: Callable[[], None]) -> None:
    """Give the server of this process more threads, and have `on_cancel` called when the engine sends Cancel."""
    with _lock:
        for state in _server_states():
            with suppress(Exception):
                _raise_workers(state)
            with suppress(Exception):
                _hear_cancel(state, on_cancel)


class _CancelDetails(grpc.HandlerCallDetails):
    method = _CANCEL
    invocation_metadata = ()


def _server_states() -> Iterator[Any]:
    """The state of each gRPC server in this process that serves Pulumi's provider protocol.

    A server's thread runs a function of its state. Looking for that function among the threads' frames would miss it
    now and then: a frame that has returned in the meantime no longer knows who called it.
    """
    for thread in threading.enumerate():
        for argument in getattr(thread, "_args", None) or ():
            if hasattr(argument, "generic_handlers") and _cancel_handler(argument) is not None:
                yield argument


def _cancel_handler(state: Any) -> Any:
    """The server's handler of Cancel, wherever this version of gRPC keeps it."""
    registered = getattr(state, "registered_method_handlers", {}).get(_CANCEL)
    if registered is not None:
        return registered
    for handler in getattr(state, "generic_handlers", ()):
        found = handler.service(_CancelDetails())
        if found is not None:
            return found
    return None


def _raise_workers(state: Any) -> None:
    pool: Any = getattr(state, "thread_pool", None)
    if getattr(pool, "_max_workers", WORKERS) >= WORKERS:
        return
    with pool._shutdown_lock:  # which the executor holds while it takes a call
        queued = pool._work_queue.qsize()
        pool._idle_semaphore = _FreeThreads(pool._threads, len(pool._threads) + queued)
        pool._max_workers = WORKERS
    # Calls that are queued already get a thread only when something more is submitted.
    for _ in range(queued):
        pool.submit(lambda: None)


class _FreeThreads:
    """Tells an executor whether one of its threads is free, in place of its own count.

    That counts a thread as free which goes straight on to a queued call, and lets calls wait behind long ones for it.
    The executor asks with each call that it takes, and tells of each that is over.
    """

    def __init__(self, threads: Collection[threading.Thread], calls: int) -> None:
        """Start from so many calls. Too many make a few threads more than are needed, too few would make calls wait."""
        self._lock = threading.Lock()
        self._threads = threads
        self._calls = calls

    def acquire(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - the executor's way to ask without waiting
        with self._lock:
            self._calls += 1
            return self._calls <= len(self._threads)

    def release(self) -> None:
        with self._lock:
            self._calls -= 1


def _hear_cancel(state: Any, on_cancel: Callable[[], None]) -> None:
    """Put a handler of ours before the host's, which does nothing. The host's is called all the same."""
    original = _cancel_handler(state)
    behaviour = getattr(original, "unary_unary", None)
    if behaviour is None or isinstance(behaviour, _CancelBehaviour):
        return
    ours = grpc.unary_unary_rpc_method_handler(
        _CancelBehaviour(behaviour, on_cancel),
        request_deserializer=original.request_deserializer,
        response_serializer=original.response_serializer,
    )
    service, _, method = _CANCEL.strip("/").partition("/")
    if _CANCEL in getattr(state, "registered_method_handlers", {}):
        state.registered_method_handlers[_CANCEL] = ours
    handlers = getattr(state, "generic_handlers", None)
    if isinstance(handlers, list):
        handlers.insert(0, grpc.method_handlers_generic_handler(service, {method: ours}))


@dataclass(frozen=True)
class _CancelBehaviour:
    original: Callable[[Any, grpc.ServicerContext], Any]
    on_cancel: Callable[[], None]

    def __call__(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.on_cancel()
        return self.original(request, context)
