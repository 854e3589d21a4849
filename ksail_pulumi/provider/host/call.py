"""What Pulumi's dynamic provider host knows and does not pass on to a provider.

Pulumi runs a dynamic provider in a process of its own (`python -m pulumi.dynamic ENGINE_ADDRESS`) behind a small gRPC
server that hands the provider the properties and nothing else. This module reaches the rest: the request (URN, custom
timeouts) and the call's context through the frames of the calling servicer, the engine through the address on the
command line, the server itself by `host_server`.

None of that is a promise of Pulumi or gRPC. So every ability is probed where it is used, and without it:

    URN                   is empty; no cluster that exists is continued or taken over, because its mark names a URN
    timeout               is empty
    a clean error         the message is the exception's text, which the host wraps in a traceback
    partial failure       a plain failure; the cluster stays in Omni as an unfinished creation
    log, progress         lines on stderr, which the engine shows without a resource
    concurrent calls      the host's own limit (4)
    cancel                a wait ends when the engine hangs up, which is after the second Ctrl-C
"""

from __future__ import annotations

import asyncio
import functools
import re
import sys
import threading
import traceback
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
from pulumi.runtime import rpc

from ksail_pulumi.errors import KsailPulumiError
from ksail_pulumi.provider.host import server as host_server
from ksail_pulumi.provider.secrecy import gate_for
from ksail_pulumi.redaction import Gate, behind, without_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

    from google.protobuf.message import Message
    from google.protobuf.struct_pb2 import Struct
    from pulumi.runtime.proto.engine_pb2_grpc import EngineStub

_ENGINE_TIMEOUT = 5.0
"""Seconds that a log line may take; it is dropped after that, for it must never hold up the work it tells about."""

_STATUS_TRAILER = "grpc-status-details-bin"
_UNKNOWN_CODE = 2
"""gRPC's code UNKNOWN. The host ends every failed call with it, and grpc-go believes the trailer only if it agrees."""


class CallError(Exception):
    """Ends a call of the engine; its text is the whole message."""


@dataclass(frozen=True)
class Call:
    """One call of the engine, as far as the host lets us see it.

    Attributes:
        urn: The resource's URN; `""` where it is not known.
        timeout: Seconds that the user gave this call (`customTimeouts`); 0 where none are known.
        cancelled: Set when the user interrupts, or when the engine is gone.
        gate: What every text of the call passes through.
    """

    urn: str
    timeout: float
    cancelled: threading.Event
    context: grpc.ServicerContext | None
    gate: Gate = field(default_factory=Gate, repr=False)

    def progress(self, message: str) -> None:
        """Show what is going on now, on the resource's own row; the next message replaces it."""
        _log(self.urn, "INFO", self.gate.ours(message), ephemeral=True)

    def info(self, message: str) -> None:
        """Tell the user something that stays on the screen."""
        _log(self.urn, "INFO", self.gate.ours(message))

    def warning(self, message: str) -> None:
        """Warn the user; the call goes on."""
        _log(self.urn, "WARNING", self.gate.ours(message))

    @property
    def can_save(self) -> bool:
        """Whether the engine can save a resource although the call fails."""
        return self.context is not None

    def after_answer(self, action: Callable[[], None]) -> None:
        """Run `action` once the engine has the answer of this call; not at all if the engine is gone.

        The process lives until it has run: the engine gives a provider five seconds to end (pulumi 3.276). Where the
        host does not tell when a call is over, `action` runs at once.
        """
        if self.context is None:
            action()
            return
        if not self.context.is_active():
            return
        answered = threading.Event()

        def wait() -> None:
            answered.wait()
            action()

        threading.Thread(target=wait, name="ksail-pulumi-after-answer", daemon=False).start()
        if not self.context.add_callback(answered.set):
            answered.set()

    def failure(self, message: str) -> CallError:
        """The exception to raise so that the user reads `message` and no traceback."""
        message = self.gate.ours(message)
        self._answer(message)
        return CallError(message)

    def partial_failure(
        self, id_: str, outputs: Mapping[str, Any], inputs: Mapping[str, Any], reason: str
    ) -> CallError:
        """The exception to raise so that the engine saves the resource and fails the update with `reason`.

        The next `pulumi up` then calls `update`, whether or not anything has changed. Both mappings need their
        `__provider`, for they go into the state as they are.
        """
        from pulumi.runtime.proto import provider_pb2

        reason = self.gate.ours(reason)
        detail = provider_pb2.ErrorResourceInitFailed(
            id=id_, properties=_struct(outputs), inputs=_struct(inputs), reasons=[reason]
        )
        self._answer(reason, detail)
        return CallError(reason)

    def _answer(self, message: str, *details: Message) -> None:
        """Put the error where the engine reads it: into the trailer that holds gRPC's rich status."""
        if self.context is None:
            return
        from google.rpc import status_pb2

        status = status_pb2.Status(code=_UNKNOWN_CODE, message=message)
        for detail in details:
            status.details.add().Pack(detail)
        self.context.set_trailing_metadata(((_STATUS_TRAILER, status.SerializeToString()),))
        # A call that was aborted is not logged as a crash by gRPC; hosts before Pulumi 3.260 would print a traceback.
        # abort() itself ends in a nameless exception; ours, raised by the caller, takes its place.
        with suppress(Exception):
            self.context.abort(grpc.StatusCode.UNKNOWN, message)


@contextmanager
def call(*properties: Mapping[str, Any]) -> Iterator[Call]:
    """Serve one call of the engine: `with host.call(props) as call:` around the body of a provider's method.

    Whatever leaves the body goes to the engine as an `Exception`: errors of ours as their message alone, and a
    `SystemExit` or its like, which would leave the engine waiting for ever, as a failure. No text shows what is secret
    in the properties that the call is about.
    """
    request, context = _servicer_frame(sys._getframe(1))
    cancelled = _calls.begin()
    if context is not None:
        # Called when the call is over, too; nobody waits for the event then.
        context.add_callback(cancelled.set)
    urn = str(getattr(request, "urn", ""))
    found = Call(
        urn=urn,
        timeout=float(getattr(request, "timeout", 0.0)),
        cancelled=cancelled,
        context=context,
        gate=gate_for(urn, *properties),
    )
    try:
        with behind(found.gate):
            yield found
    except KsailPulumiError as error:
        raise found.failure(str(error)) from None
    except CallError:
        raise
    except Exception as error:
        # A mistake of ours. Its text may hold anything, so it goes the way of other people's texts.
        raise found.failure(found.gate.theirs("".join(traceback.format_exception(error)))) from None
    except BaseException as error:
        raise found.failure(f"the provider was stopped by {type(error).__name__}") from error
    finally:
        _calls.end(cancelled)


def warn(message: str) -> None:
    """Warn the user of something that concerns no resource in particular."""
    _log("", "WARNING", without_keys(message))


def prepare() -> None:
    """Make the host serve many calls at once and hear the engine's Cancel; once a process is enough."""
    host_server.prepare(_calls.cancel)


class _Calls:
    """The calls under way, so that a Cancel reaches all of them and all that come after it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: set[threading.Event] = set()
        self._cancelled = False

    def begin(self) -> threading.Event:
        event = threading.Event()
        with self._lock:
            self._events.add(event)
            if self._cancelled:
                event.set()
        return event

    def end(self, event: threading.Event) -> None:
        with self._lock:
            self._events.discard(event)

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            for event in self._events:
                event.set()


# One host is one process and serves one deployment, so what belongs to the host belongs to the module.
_calls = _Calls()


def _servicer_frame(frame: FrameType | None) -> tuple[Message | None, grpc.ServicerContext | None]:
    """The `request` and `context` of the servicer method that called us."""
    while frame is not None:
        request, context = frame.f_locals.get("request"), frame.f_locals.get("context")
        if isinstance(context, grpc.ServicerContext) and _is_pulumi_request(request):
            return request, context
        frame = frame.f_back
    return None, None


def _is_pulumi_request(value: object) -> bool:
    name = getattr(getattr(value, "DESCRIPTOR", None), "full_name", "")
    return isinstance(name, str) and name.startswith("pulumirpc.")


def _log(urn: str, severity: str, message: str, *, ephemeral: bool = False) -> None:
    from pulumi.runtime.proto import engine_pb2

    engine = _engine()
    if engine is not None:
        line = engine_pb2.LogRequest(
            severity=engine_pb2.LogSeverity.Value(severity), message=message, urn=urn, ephemeral=ephemeral
        )
        try:
            engine.Log(line, timeout=_ENGINE_TIMEOUT)
        except grpc.RpcError:
            pass
        else:
            return
    name = urn.rpartition("::")[2]
    prefix = "" if severity == "INFO" else f"{severity.lower()}: "
    print(f"{prefix}{name}: {message}" if name else f"{prefix}{message}", file=sys.stderr, flush=True)


@functools.cache
def _engine() -> EngineStub | None:
    """The engine, if its address stands where Pulumi puts it: last on the command line of the host."""
    from pulumi.runtime.proto import engine_pb2_grpc

    address = sys.argv[-1] if sys.argv else ""
    if not re.fullmatch(r"[\w.\[\]:-]+:\d+", address):
        return None
    return engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))


def _struct(properties: Mapping[str, Any]) -> Struct:
    """Properties on the wire, as the host itself writes them."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(rpc.serialize_properties(dict(properties), {}))
    finally:
        loop.close()
