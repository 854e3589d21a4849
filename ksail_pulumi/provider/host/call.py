"""Access to what Pulumi's dynamic provider host does not pass to a provider.

Pulumi runs a dynamic provider in its own process (`python -m pulumi.dynamic ENGINE_ADDRESS`) behind a small gRPC server
that passes only the properties. This module finds the rest: the request (URN, custom timeouts) and the context of the
call in the stack frames of the servicer, the engine by the address on the command line, and the server through
`host.server`.

None of this is a public API of Pulumi or gRPC; it is tested with pulumi 3.243 to 3.272. Each part is optional. If it is
missing:

    URN                   is empty; no existing cluster is continued or taken over, because the owner mark needs a URN
    timeout               is 0, so the default timeout applies
    a clean error         the host prints the message with a traceback
    partial failure       a plain failure; the cluster stays in Omni as an unfinished creation
    log, progress         lines on stderr, which the engine shows without a resource
    concurrent calls      the limit of the host (4)
    cancel                a wait ends when the engine closes the connection, after the second Ctrl-C
    end of the engine     the process stays after a kill of the engine
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
from ksail_pulumi.provider.host.process import end_with_engine, import_faster, is_host
from ksail_pulumi.provider.secrecy import gate_for
from ksail_pulumi.redaction import Gate, behind, without_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

    from google.protobuf.message import Message
    from google.protobuf.struct_pb2 import Struct
    from pulumi.runtime.proto.engine_pb2_grpc import EngineStub

_ENGINE_TIMEOUT = 5.0
"""Time limit of a log call in seconds. After it the line goes to stderr, so logging never blocks the operation."""

_STATUS_TRAILER = "grpc-status-details-bin"
_UNKNOWN_CODE = 2
"""gRPC's code UNKNOWN. The host ends every failed call with it, and grpc-go ignores a trailer with another code."""


class CallError(Exception):
    """Ends a call of the engine with its text as the message."""


@dataclass(frozen=True)
class Call:
    """A call of the engine.

    Attributes:
        urn: The URN of the resource; `""` if unknown.
        timeout: The custom timeout of this call in seconds; 0 if there is none.
        cancelled: Set when the user interrupts, or when the engine has ended.
        context: The gRPC context of the call; None if it was not found.
        gate: Redacts all texts of the call.
    """

    urn: str
    timeout: float
    cancelled: threading.Event
    context: grpc.ServicerContext | None
    gate: Gate = field(default_factory=Gate, repr=False)

    def progress(self, message: str) -> None:
        """Show progress on the row of the resource; the next message replaces it."""
        _log(self.urn, "INFO", self.gate.ours(message), ephemeral=True)

    def info(self, message: str) -> None:
        """Show a message that stays on the screen."""
        _log(self.urn, "INFO", self.gate.ours(message))

    def warning(self, message: str) -> None:
        """Show a warning."""
        _log(self.urn, "WARNING", self.gate.ours(message))

    @property
    def can_save(self) -> bool:
        """Whether the engine can save a resource when the call fails."""
        return self.context is not None

    def after_answer(self, action: Callable[[], None]) -> None:
        """Run `action` once the engine has the answer of this call; not at all if the engine has ended.

        Without a context `action` runs at once.
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

        # Not a daemon: the process must not end before the action has run. The engine waits five seconds for the end
        # of a provider (pulumi 3.276).
        threading.Thread(target=wait, name="ksail-pulumi-after-answer", daemon=False).start()
        if not self.context.add_callback(answered.set):
            answered.set()

    def failure(self, message: str) -> CallError:
        """The exception to raise; the user sees `message` without a traceback."""
        message = self.gate.ours(message)
        self._answer(message)
        return CallError(message)

    def partial_failure(
        self, id_: str, outputs: Mapping[str, Any], inputs: Mapping[str, Any], reason: str
    ) -> CallError:
        """The exception to raise; the engine saves the resource and fails the update with `reason`.

        The next `pulumi up` then calls `update`, even without a change. Both mappings are stored as they are, so they
        need their `__provider`.
        """
        from pulumi.runtime.proto import provider_pb2

        reason = self.gate.ours(reason)
        detail = provider_pb2.ErrorResourceInitFailed(
            id=id_, properties=_struct(outputs), inputs=_struct(inputs), reasons=[reason]
        )
        self._answer(reason, detail)
        return CallError(reason)

    def _answer(self, message: str, *details: Message) -> None:
        # The host turns every exception into UNKNOWN with a traceback (pulumi 3.272). The engine prefers the rich
        # status in this trailer.
        if self.context is None:
            return
        from google.rpc import status_pb2

        status = status_pb2.Status(code=_UNKNOWN_CODE, message=message)
        for detail in details:
            status.details.add().Pack(detail)
        self.context.set_trailing_metadata(((_STATUS_TRAILER, status.SerializeToString()),))
        # gRPC does not log an aborted call as a crash; with pulumi before 3.260 it would print a traceback. `abort`
        # raises a bare Exception; the caller raises ours instead.
        with suppress(Exception):
            self.context.abort(grpc.StatusCode.UNKNOWN, message)


@contextmanager
def call(*properties: Mapping[str, Any]) -> Iterator[Call]:
    """Serve one call of the engine: `with host.call(props) as call:` around the body of a provider's method.

    Every exception from the body reaches the engine as an `Exception`: our errors with their message only, and a
    `SystemExit` or similar, after which the engine would wait forever, as a failure. No text shows the secrets in the
    properties.
    """
    # The host calls a provider without request and context (pulumi 3.272), but they are locals of its servicer method.
    request, context = _servicer_frame(sys._getframe(1))
    cancelled = _calls.begin()
    if context is not None:
        # Also called at the normal end of the call, when nothing waits for the event.
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
        # A bug in this package. Its text may contain values of the user, so it is redacted like a text of Omni.
        raise found.failure(found.gate.theirs("".join(traceback.format_exception(error)))) from None
    except BaseException as error:
        raise found.failure(f"the provider was stopped by {type(error).__name__}") from error
    finally:
        _calls.end(cancelled)


def warn(message: str) -> None:
    """Show a warning that does not belong to a resource."""
    _log("", "WARNING", without_keys(message))


def prepare() -> None:
    """Let the host serve many calls at once, react to Cancel, and end with the engine. Needed once in a process."""
    import_faster()
    host_server.prepare(_calls.cancel)
    if is_host():
        end_with_engine(_calls.cancel)


class _Calls:
    """The running calls. A Cancel ends them and all later ones."""

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


# A host is one process for one deployment, so its state can be global.
_calls = _Calls()


def _servicer_frame(frame: FrameType | None) -> tuple[Message | None, grpc.ServicerContext | None]:
    """The locals `request` and `context` of the servicer method that called us (pulumi 3.243 to 3.272)."""
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
    """The engine, if its address is the last argument of the host, as in pulumi 3.243 to 3.272."""
    from pulumi.runtime.proto import engine_pb2_grpc

    address = sys.argv[-1] if sys.argv else ""
    if not re.fullmatch(r"[\w.\[\]:-]+:\d+", address):
        return None
    return engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))


def _struct(properties: Mapping[str, Any]) -> Struct:
    # The function that the host uses itself (pulumi 3.243 to 3.272); it is async but does no I/O here.
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(rpc.serialize_properties(dict(properties), {}))
    finally:
        loop.close()
