"""The gRPC channel to an Omni: opened on first use, with signatures, deadlines and retries."""

from __future__ import annotations

import copy
import functools
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import grpc

from ksail_pulumi.omni.endpoint import Endpoint, normalise_endpoint
from ksail_pulumi.omni.link import FirstConnectionError, Link
from ksail_pulumi.omni.proxy import proxy_for
from ksail_pulumi.omni.signature import KEY_SOURCE, ServiceAccountKey, signed_metadata
from ksail_pulumi.omni.status import nobody_listens, omni_error
from ksail_pulumi.omni.tls import Trust, file_roots, system_roots, trust_whoever_answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ksail_pulumi.errors import OmniError

__all__ = ["UNARY_DEADLINE", "Call", "Channel", "Connection", "Endpoint", "Service", "normalise_endpoint"]

T = TypeVar("T")
S = TypeVar("S")

UNARY_DEADLINE = 30.0
"""The time limit of a call in seconds, including retries; Omni answers in milliseconds."""

_SHORTEST = 0.05
"""The time limit in seconds of a call after the end of its time: Omni may still answer at once."""

BROKEN = (
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.DATA_LOSS,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)
"""A stream ends with one of these when its connection breaks, a proxy times out or the server stops."""

_NO_ANSWER = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
_STREAM_PAUSES = (0.2, 0.4, 0.8, 1.6)
_OWN_RETRIES = "Watch"
"""The method that gRPC does not send again: who calls it does, with a new signature."""
_SIGNED = 16
"""How many signatures are kept; a few methods are called in one second."""

# Retries reuse the signature of a call, which Omni accepts for 5 minutes; 4 retries take about 6 s.
_SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.25s",
                "maxBackoff": "5s",
                "backoffMultiplier": 2.5,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        },
        {"name": [{"service": "cosi.resource.State", "method": _OWN_RETRIES}]},
    ]
}
_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ("grpc.max_receive_message_length", 128 * 1024 * 1024),  # a list in one message: 5.5 kB for each of 20,000 machines
    ("grpc.max_metadata_size", 1024 * 1024),  # long validation errors are sent as metadata
    ("grpc.keepalive_time_ms", 60_000),  # as Omni's own client
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),  # keeps an idle watch alive
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.use_local_subchannel_pool", 1),  # a new channel must not share the backoff of another one
    ("grpc.primary_user_agent", "ksail-pulumi"),
)


@dataclass(frozen=True)
class Service:
    """One of Omni's gRPC services.

    Attributes:
        name: The full name, `cosi.resource.State`.
        stub: The generated stub class.
    """

    name: str
    stub: Callable[[grpc.Channel], Any]


@dataclass(frozen=True)
class Connection:
    """How to reach an Omni, as set by the user.

    Attributes:
        endpoint: The URL.
        service_account_key: The value of `OMNI_SERVICE_ACCOUNT_KEY`; not shown.
        ca_file: A PEM file with the authorities to trust instead of the system's.
        insecure_skip_tls_verify: Trust any certificate of the server.
        key_source: Where the user set the key, for error texts.
    """

    endpoint: str
    service_account_key: str = field(repr=False)
    ca_file: str = ""
    insecure_skip_tls_verify: bool = False
    key_source: str = field(default=KEY_SOURCE, compare=False)


class Channel:
    """A gRPC channel whose calls are signed. It is opened by the first call and can be used from any thread.

    Raises:
        SettingsError: The endpoint, the key or the CA file of the connection is not usable.
    """

    def __init__(self, connection: Connection) -> None:
        self.endpoint = normalise_endpoint(connection.endpoint)
        self.key = ServiceAccountKey.parse(connection.service_account_key, connection.key_source)
        self._trust: Trust | None = None
        if self.endpoint.secure and not connection.insecure_skip_tls_verify:
            self._trust = Trust(file_roots(connection.ca_file) if connection.ca_file else system_roots())
        self.link = Link(self.endpoint, self._trust, self._open)
        self._until = float("inf")
        self._sign = functools.lru_cache(maxsize=_SIGNED)(functools.partial(signed_metadata, self.key))

    @property
    def ends_at(self) -> float:
        """When calls end at the latest, by `time.monotonic`."""
        return self._until

    @property
    def trust(self) -> Trust | None:
        """What certificates are checked against; None: whoever answers is trusted."""
        return self._trust

    def until(self, at: float) -> Channel:
        """The same channel for calls that end at a time of `time.monotonic`."""
        limited = copy.copy(self)
        limited._until = min(self._until, at)
        return limited

    def stub(self, kind: Callable[[grpc.Channel], S], doing: str, method: str) -> S:
        """The generated stub of a service on this channel, `channel.stub(StateStub, …)`.

        Raises:
            UnreachableError: There is no connection, and there never was one.
            OmniError: The channel is closed.
        """
        try:
            return self.link.stub(kind)
        except FirstConnectionError as failure:
            code, words = grpc.StatusCode.UNAVAILABLE, str(failure)
        raise omni_error(code, words, doing=doing, method=method, endpoint=self.endpoint, key=self.key)

    def signed(self, method: str, metadata: Sequence[tuple[str, str]] = ()) -> tuple[tuple[str, str], ...]:
        """The metadata of a call that begins now, with its signature.

        Calls of one second share it: it covers the method, the headers and the second, not the request.

        Not an interceptor of gRPC: with one, a call takes a quarter more of CPU.

        Args:
            method: The full gRPC method.
            metadata: Additional metadata; signed if Omni's signature covers it.

        Raises:
            SettingsError: The key has expired in the meantime.
        """
        return self._sign(method, tuple(metadata), int(time.time()))

    def start(
        self,
        service: Service,
        rpc: str,
        request: Any,
        convert: Callable[[Any], T],
        *,
        doing: str,
        metadata: Sequence[tuple[str, str]] = (),
        recover: Callable[[OmniError], T] | None = None,
    ) -> Call[T]:
        """Send a request with a single answer.

        Args:
            service: The gRPC service.
            rpc: The name of the method.
            request: The request message.
            convert: Makes the result from the answer.
            doing: The purpose of the call, as words after "cannot"; for error texts.
            metadata: Additional metadata; signed if Omni's signature covers it.
            recover: Makes a result from a failure, or raises it.
        """
        method = f"/{service.name}/{rpc}"
        send = getattr(self.stub(service.stub, doing, method), rpc).future
        future = send(request, metadata=self.signed(method, metadata), **self._patience(UNARY_DEADLINE))
        return Call(self, lambda: convert(future.result()), doing=doing, method=method, recover=recover)

    def start_stream(
        self,
        service: Service,
        rpc: str,
        request: Any,
        convert: Callable[[Iterable[Any]], T],
        *,
        doing: str,
        timeout: float = UNARY_DEADLINE,
        metadata: Sequence[tuple[str, str]] = (),
        repeatable: bool = False,
    ) -> Call[T]:
        """Send a request that a stream of messages answers, all within `timeout` seconds; else as `start`.

        The stream ends when `convert` returns. A `repeatable` request is sent again if the stream breaks after a
        message; gRPC does so only before the first.
        """
        method = f"/{service.name}/{rpc}"
        send = getattr(self.stub(service.stub, doing, method), rpc)
        until = time.monotonic() + timeout

        def open_stream() -> Iterator[Any]:
            patience = self._patience(until - time.monotonic())
            stream: Iterator[Any] = send(request, metadata=self.signed(method, metadata), **patience)
            return stream

        first = open_stream()
        pauses = _STREAM_PAUSES if repeatable else ()
        own = rpc == _OWN_RETRIES
        return Call(self, lambda: _read(first, open_stream, convert, pauses, own=own), doing=doing, method=method)

    def close(self) -> None:
        """End all calls and watches."""
        self.link.close()

    def error(self, error: grpc.RpcError, doing: str, method: str) -> OmniError:
        """Convert an error of gRPC into ours."""
        code, details = error.code(), error.details() or ""
        worked = self.link.worked
        if code in _NO_ANSWER:
            self.link.silent = True
        elif code not in BROKEN:  # those may also come from our side of the connection
            self.link.heard()
        if code is grpc.StatusCode.UNAVAILABLE and not worked and nobody_listens(details):
            details = self.link.closer_look or details
        endpoint, key = self.endpoint, self.key
        return omni_error(code, details, doing=doing, method=method, endpoint=endpoint, key=key, worked=worked)

    def _patience(self, timeout: float) -> dict[str, Any]:
        """How long a call waits; a connection that had worked is waited for."""
        limit = max(_SHORTEST, min(timeout, self._until - time.monotonic()))
        return {"timeout": limit, "wait_for_ready": self.link.worked or None}

    def _open(self) -> grpc.Channel:
        options = list(_OPTIONS)
        proxy = proxy_for(self.endpoint)
        options.append(("grpc.http_proxy", proxy) if proxy else ("grpc.enable_http_proxy", 0))
        if not self.endpoint.secure:
            return grpc.insecure_channel(self.endpoint.target, options)
        trust = self._trust or trust_whoever_answers(self.endpoint)
        if trust.name:
            options.append(("grpc.ssl_target_name_override", trust.name))
        return grpc.secure_channel(self.endpoint.target, grpc.ssl_channel_credentials(trust.roots), options)


def _read(
    stream: Any,
    open_again: Callable[[], Any],
    convert: Callable[[Iterable[Any]], T],
    pauses: Sequence[float],
    *,
    own: bool,
) -> T:
    """Convert a stream; open it again if it breaks after a message, or before if all retries are our `own`."""
    left = iter(pauses)
    while True:
        received = _Counted(stream)
        try:
            return convert(received)
        except grpc.RpcError as error:
            pause = next(left, None)
            broken = error.code() in (*BROKEN, grpc.StatusCode.UNAVAILABLE)
            if pause is None or not (broken and (received.some or own)):
                raise
        finally:
            stream.cancel()
        time.sleep(pause)
        stream = open_again()


class _Counted:
    """The messages of a stream, and whether there were any."""

    def __init__(self, stream: Iterator[Any]) -> None:
        self._stream = stream
        self.some = False

    def __iter__(self) -> Iterator[Any]:
        for message in self._stream:
            self.some = True
            yield message


class Call(Generic[T]):
    """A running call: start many, then collect their results."""

    def __init__(
        self,
        channel: Channel,
        outcome: Callable[[], T],
        *,
        doing: str,
        method: str,
        recover: Callable[[OmniError], T] | None = None,
    ) -> None:
        self._channel = channel
        self._outcome = outcome
        self._doing = doing
        self._method = method
        self._recover = recover

    def result(self) -> T:
        """Wait for the answer. Can be called once.

        Raises:
            OmniError: The class says what kind of failure it was, see `ksail_pulumi.errors`.
        """
        try:
            outcome = self._outcome()
            self._channel.link.heard()
            return outcome
        except grpc.RpcError as error:
            failure = self._channel.error(error, self._doing, self._method)
            # The error is the finished call, which this object keeps: its frames would keep all that the callers have
            # read, in a cycle.
            error.__traceback__ = None
        try:
            if self._recover is None:
                raise failure
            return self._recover(failure)
        finally:
            del failure  # else the frame, which the traceback of a failure keeps, keeps the failure
