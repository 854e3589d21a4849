"""The gRPC methods: authentication, latency, errors and broken connections.

Everything runs in one event loop, so a thousand slow calls at once need only one thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, NoReturn, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from ksail_pulumi.omni.api import management_pb2, state_pb2
from ksail_pulumi.simulator import yaml_specs
from ksail_pulumi.simulator.audit_log import CALLER, AuditLog
from ksail_pulumi.simulator.clock import Clock
from ksail_pulumi.simulator.faults import Faults, Write
from ksail_pulumi.simulator.management import Management
from ksail_pulumi.simulator.state import State
from ksail_pulumi.simulator.store import Event, HistoryLostError, Store, StoreError
from ksail_pulumi.simulator.verification import Identity, InvalidSignatureError, Verifier
from ksail_pulumi.simulator.watches import Watch

Context = grpc.aio.ServicerContext[Any, Any]
Reply = TypeVar("Reply", bound=Message)

USER_AGENT = "ksail-pulumi"
"""How the user agent of this package's client begins."""

_STATE = "/cosi.resource.State/"
_MANAGEMENT = "/management.ManagementService/"
_RESOURCE_SERVICE = "omni.resources.ResourceService"
"""The former API of the same resources, which the simulator only refuses."""


class _Signal:
    """Wakes one watch."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self.broken = False


class Services(grpc.GenericRpcHandler):
    """All methods of the server; each first checks the signature of the caller."""

    def __init__(
        self, state: State, management: Management, store: Store, verifier: Verifier, faults: Faults, *, clock: Clock
    ) -> None:
        self._state = state
        self._management = management
        self._verifier = verifier
        self._faults = faults
        self._store = store
        self._clock = clock
        self._audit_log = AuditLog(store)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = False
        self._signals: dict[tuple[str, str], set[_Signal]] = {}
        self._changed: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._handlers = self._methods()
        self._unsubscribe: Callable[[], None] = lambda: None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Subscribe to the store. Called in the event loop of the calls."""
        self._loop = loop
        self._unsubscribe = self._store.subscribe(self._note)
        self._faults.on_break(self._break)

    def end(self) -> None:
        """End all waiting calls. Called in the event loop."""
        self._unsubscribe()
        self._ended = True
        self._wake_all()
        self._loop = None

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        """The handler of a call; for an unknown method, one that reports it."""
        handler = self._handlers.get(details.method)
        if handler is not None:
            return handler
        _, service, method = details.method.split("/", 2) if details.method.count("/") == 2 else ("", "", "")
        known = any(name.startswith(f"/{service}/") for name in self._handlers)
        text = f"unknown method {method} for service {service}" if known else f"unknown service {service}"

        async def refuse(_request: bytes, context: Context) -> NoReturn:
            if service == _RESOURCE_SERVICE and not dict(_metadata(context)).get("runtime"):
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "missing runtime metadata")
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, text)

        return grpc.unary_unary_rpc_method_handler(refuse)

    # -- the methods

    def _methods(self) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
        state, management = self._state, self._management
        unary: dict[str, tuple[Callable[..., Any], Any]] = {
            f"{_STATE}Get": (state.get, state_pb2.GetRequest),
            f"{_STATE}Create": (state.create, state_pb2.CreateRequest),
            f"{_STATE}Update": (state.update, state_pb2.UpdateRequest),
            f"{_STATE}Destroy": (state.destroy, state_pb2.DestroyRequest),
            f"{_STATE}Teardown": (state.teardown, state_pb2.TeardownRequest),
            f"{_STATE}TeardownAndDestroy": (self._teardown_and_destroy, state_pb2.TeardownAndDestroyRequest),
        }
        unary |= {f"{_MANAGEMENT}{name}": method for name, method in management.methods.items()}
        streams: dict[str, tuple[Callable[..., Iterable[Any]], Any]] = {
            f"{_STATE}List": (state.list, state_pb2.ListRequest),
            f"{_MANAGEMENT}ReadAuditLog": (self._audit_log.read, management_pb2.ReadAuditLogRequest),
            f"{_MANAGEMENT}MachineLogs": (management.machine_logs, management_pb2.MachineLogsRequest),
            f"{_MANAGEMENT}KubernetesSyncManifests": (
                management.kubernetes_sync_manifests,
                management_pb2.KubernetesSyncManifestRequest,
            ),
        }
        handlers = {name: self._unary(name, *method) for name, method in unary.items()}
        handlers |= {name: self._stream(name, *method) for name, method in streams.items()}
        handlers[f"{_STATE}Watch"] = grpc.unary_stream_rpc_method_handler(
            self._watch,
            request_deserializer=state_pb2.WatchRequest.FromString,
            response_serializer=state_pb2.WatchResponse.SerializeToString,
        )
        return handlers

    def _unary(self, name: str, method: Callable[..., Any], request_type: Any) -> grpc.RpcMethodHandler[Any, Any]:
        async def answer(request: Any, context: Context) -> Any:
            identity = await self._admit(name, context)
            try:
                with self._written(name, request):
                    reply = method(identity, request, *self._extra(name, context))
                    if asyncio.iscoroutine(reply):
                        reply = await reply
            except StoreError as error:
                await self._refuse(context, error)
            await self._travel()
            return _readable(reply, context)

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=request_type.FromString,
            response_serializer=lambda reply: reply.SerializeToString(),
        )

    def _stream(
        self, name: str, method: Callable[..., Iterable[Any]], request_type: Any
    ) -> grpc.RpcMethodHandler[Any, Any]:
        async def answer(request: Any, context: Context) -> AsyncIterator[Any]:
            identity = await self._admit(name, context)
            try:
                replies = list(method(identity, request, *self._extra(name, context)))
            except StoreError as error:
                await self._refuse(context, error)
            await self._travel()
            for reply in replies:
                yield _readable(reply, context)

        return grpc.unary_stream_rpc_method_handler(
            answer,
            request_deserializer=request_type.FromString,
            response_serializer=lambda reply: reply.SerializeToString(),
        )

    def _written(self, name: str, request: Any) -> AbstractContextManager[None]:
        """Call the write listeners before and after a call."""
        resource: Any
        match request:
            case state_pb2.CreateRequest():
                resource = request.resource.metadata
            case state_pb2.UpdateRequest():
                resource = request.new_resource.metadata
            case state_pb2.TeardownRequest() | state_pb2.TeardownAndDestroyRequest() | state_pb2.DestroyRequest():
                resource = request
            case _:
                return contextlib.nullcontext()
        return self._faults.around(Write(name.removeprefix(_STATE), resource.type, resource.id))

    def _extra(self, name: str, context: Context) -> tuple[str, ...]:
        """Management calls get the cluster that the metadata names."""
        if not name.startswith(_MANAGEMENT):
            return ()
        given = _metadata(context)
        return (next((value for wanted in ("cluster", "context") for key, value in given if key == wanted), ""),)

    async def _watch(self, request: state_pb2.WatchRequest, context: Context) -> AsyncIterator[state_pb2.WatchResponse]:
        identity = await self._admit(f"{_STATE}Watch", context)
        with self._listening(request) as signal:
            try:
                watch = self._state.watch(identity, request)
            except StoreError as error:
                await self._refuse(context, error)
            await self._travel()
            for events in watch.first():
                yield _readable(state_pb2.WatchResponse(event=events), context)
            try:
                while not self._ended:
                    if signal.broken:
                        await context.abort(grpc.StatusCode.UNAVAILABLE, "the connection was broken")
                    signal.news.clear()
                    for response in _news(watch, aggregated=request.options.aggregated):
                        yield _readable(response, context)
                    await signal.news.wait()
            except HistoryLostError:
                for event in watch.overrun():
                    yield state_pb2.WatchResponse(event=[event])

    async def _teardown_and_destroy(
        self, identity: Identity, request: state_pb2.TeardownAndDestroyRequest
    ) -> state_pb2.TeardownAndDestroyResponse:
        with self._listening(request) as signal:
            self._state.start_destruction(identity, request)
            while not self._ended and self._state.is_held(request):
                signal.news.clear()
                await signal.news.wait()
            return self._state.finish_destruction(request)

    @contextlib.contextmanager
    def _listening(self, request: state_pb2.WatchRequest | state_pb2.TeardownAndDestroyRequest) -> Iterator[_Signal]:
        """A signal for every change in the type and namespace of a request."""
        signal, key = _Signal(), (request.type, request.namespace)
        listeners = self._signals.setdefault(key, set())
        listeners.add(signal)
        try:
            yield signal
        finally:
            listeners.discard(signal)
            if not listeners:
                del self._signals[key]

    # -- authentication and answers

    async def _admit(self, method: str, context: Context) -> Identity:
        self._clock.give_way()
        await self._travel()
        if self._faults.take_unavailable():
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the server is not available")
        given = _metadata(context)
        try:
            identity = self._verifier.verify(method, given)
        except InvalidSignatureError:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "invalid signature")
        CALLER.set(identity)  # for this call only: gRPC answers each in a task of its own
        if method.startswith(_STATE):
            await _refuse_proxied(dict(given), context)
        return identity

    async def _refuse(self, context: Context, error: StoreError) -> NoReturn:
        await self._travel()
        await context.abort(error.code, error.text)

    async def _travel(self) -> None:
        """Wait for half a round trip."""
        if self._faults.round_trip:
            await asyncio.sleep(self._faults.round_trip / 2)

    # -- waking watches

    def _note(self, event: Event) -> None:
        """Record a change, in the thread that made it; many changes cause one wake-up."""
        with self._lock:
            first = not self._changed
            self._changed.add((event.resource.type.name, event.resource.type.namespace))
        if first:
            self._in_loop(self._wake)

    def _wake(self) -> None:
        with self._lock:
            changed, self._changed = self._changed, set()
        for key in changed:
            for signal in self._signals.get(key, ()):
                signal.news.set()

    def _break(self) -> None:
        self._in_loop(self._wake_all, True)

    def _in_loop(self, callback: Callable[..., None], *arguments: Any) -> None:
        loop = self._loop  # another thread may end it at the same time
        if loop is not None:
            loop.call_soon_threadsafe(callback, *arguments)

    def _wake_all(self, broken: bool = False) -> None:
        for signals in self._signals.values():
            for signal in signals:
                signal.broken = broken
                signal.news.set()


def _news(watch: Watch, *, aggregated: bool) -> Iterable[state_pb2.WatchResponse]:
    events = watch.news()
    if aggregated:
        return [state_pb2.WatchResponse(event=events)] if events else []
    return [state_pb2.WatchResponse(event=[event]) for event in events]


def _readable(reply: Reply, context: Context) -> Reply:
    """A reply as Omni sends it: with each spec as YAML too.

    This package's client does not read the YAML, which would make up most of the time of a long list.
    """
    if not dict(_metadata(context)).get("user-agent", "").startswith(USER_AGENT):
        yaml_specs.add(reply)
    return reply


def _metadata(context: Context) -> list[tuple[str, Any]]:
    return [(str(key), value) for key, value in context.invocation_metadata() or ()]


async def _refuse_proxied(given: dict[str, Any], context: Context) -> None:
    """Refuse calls that Omni's router forwards to the Talos API of a node: emulated machines have none."""
    if given.get("runtime") == "Talos":
        text = "at least one of cluster, node, or nodes must be specified"
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, text)
    if "node" in given:
        text = "node not found, cannot resolve its management address"
        await context.abort(grpc.StatusCode.UNKNOWN, text)
