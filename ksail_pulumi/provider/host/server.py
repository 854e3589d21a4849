"""Changes the gRPC server of Pulumi's dynamic provider host: more concurrent calls, and a Cancel that works.

Neither Pulumi nor gRPC has an API for this, so private attributes are used. They are tested with pulumi 3.243 to 3.272
and grpcio 1.71 to 1.85. If one is missing, the host keeps its own behaviour: four concurrent calls, and a Cancel that
has no effect.
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
"""The maximum number of concurrent calls; a thread is started only when all others are busy."""

_CANCEL = "/pulumirpc.ResourceProvider/Cancel"
_lock = threading.Lock()


def prepare(on_cancel: Callable[[], None]) -> None:
    """Give the server of this process more threads, and call `on_cancel` when the engine sends Cancel."""
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
    """The state of each gRPC server in this process that serves Pulumi's provider protocol."""
    # The host has no reference to its server (pulumi 3.272). gRPC serves in a thread whose target gets the server state
    # as an argument (grpcio 1.85: `_serve(state)`), which CPython 3.11 keeps in `Thread._args`.
    # A search through the frames of the threads is not reliable: a frame that has returned has no caller.
    for thread in threading.enumerate():
        for argument in getattr(thread, "_args", None) or ():
            if hasattr(argument, "generic_handlers") and _cancel_handler(argument) is not None:
                yield argument


def _cancel_handler(state: Any) -> Any:
    # grpcio 1.85 has the handlers of generated services in `registered_method_handlers`, others in `generic_handlers`.
    registered = getattr(state, "registered_method_handlers", {}).get(_CANCEL)
    if registered is not None:
        return registered
    for handler in getattr(state, "generic_handlers", ()):
        found = handler.service(_CancelDetails())
        if found is not None:
            return found
    return None


def _raise_workers(state: Any) -> None:
    # `_ServerState.thread_pool` is the executor that the host passed to `grpc.server` (grpcio 1.71 to 1.85).
    pool: Any = getattr(state, "thread_pool", None)
    if getattr(pool, "_max_workers", WORKERS) >= WORKERS:
        return
    # Private parts of ThreadPoolExecutor (CPython 3.11). `submit` holds `_shutdown_lock`, starts a thread if
    # `_idle_semaphore` has no free one and there are fewer than `_max_workers`.
    with pool._shutdown_lock:
        queued = pool._work_queue.qsize()
        pool._idle_semaphore = _FreeThreads(pool._threads, len(pool._threads) + queued)
        pool._max_workers = WORKERS
    # `submit` starts at most one thread, so calls that are already queued need one more `submit` each.
    for _ in range(queued):
        pool.submit(lambda: None)


class _FreeThreads:
    """Replaces the `_idle_semaphore` of an executor, which counts its free threads.

    The executor calls `acquire` for each submitted call and `release` after each finished one. Its own semaphore also
    counts a thread as free that continues with a queued call, so calls wait behind long ones although a new thread
    could run them.
    """

    def __init__(self, threads: Collection[threading.Thread], calls: int) -> None:
        # `calls` may be too high, which starts a few threads too many. Too low would make calls wait.
        self._lock = threading.Lock()
        self._threads = threads
        self._calls = calls

    def acquire(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - the executor passes timeout=0
        with self._lock:
            self._calls += 1
            return self._calls <= len(self._threads)

    def release(self) -> None:
        with self._lock:
            self._calls -= 1


def _hear_cancel(state: Any, on_cancel: Callable[[], None]) -> None:
    """Put our Cancel handler before that of the host, which does nothing and is called afterwards."""
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
    # Both places are set: grpcio 1.85 looks into `registered_method_handlers` first.
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
