"""The connection to one Omni: opened by the first call, shared by all calls of this process."""

from __future__ import annotations

import functools
import queue
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

from ksail_pulumi.errors import OmniError
from ksail_pulumi.omni.status import nobody_listens
from ksail_pulumi.omni.tls import look_closer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ksail_pulumi.omni.endpoint import Endpoint
    from ksail_pulumi.omni.tls import Trust

S = TypeVar("S")

REFUSED_SECONDS = 1.0
"""How long the first connection is tried where nothing listens."""

CONNECT_SECONDS = 5.0
"""How long the first connection may take before its server is looked at."""

_LOOK_SECONDS = 3.0
_MOMENT_SECONDS = 10.0
_FAILED, _READY = grpc.ChannelConnectivity.TRANSIENT_FAILURE, grpc.ChannelConnectivity.READY


class FirstConnectionError(Exception):
    """The first connection failed; the text has the words of gRPC for it."""


class Link:
    """A connection and what is known of it. Can be used from any thread.

    Until a first call has been answered, the address may be wrong, so attempts end soon. After that, a connection that
    breaks is waited for.

    Attributes:
        worked: Whether Omni has answered a call.
        heard_at: When the last message came, by `time.monotonic`; None before the first one.
        silent: Whether the last call got no answer.
    """

    def __init__(self, endpoint: Endpoint, trust: Trust | None, connect: Callable[[], grpc.Channel]) -> None:
        self.worked = False
        self.heard_at: float | None = None
        self.silent = False
        self._endpoint = endpoint
        self._trust = trust
        self._connect = connect
        self._lock = threading.Lock()
        self._connecting = threading.Lock()
        self._connected = False
        self._failure: tuple[float, str] | None = None
        self._channel: grpc.Channel | None = None
        self._stubs: dict[Any, Any] = {}
        self._closed = False

    def stub(self, kind: Callable[[grpc.Channel], S]) -> S:
        """The generated stub of a service; the first one opens the connection.

        Raises:
            FirstConnectionError: There is no connection, and there never was one.
            UnreachableError: The certificate of the server could not be fetched (`insecureSkipTlsVerify`).
            OmniError: The link is closed.
        """
        with self._lock:
            if self._closed:
                raise OmniError(f"the connection to Omni at {self._endpoint.url} is closed")
            if self._channel is None:
                self._channel = self._connect()
                # An open channel can keep the interpreter from exiting (grpcio 1.85).
                weakref.finalize(self, self._channel.close)
            if kind not in self._stubs:
                self._stubs[kind] = kind(self._channel)
            stub: S = self._stubs[kind]
            channel = self._channel
        if not self._connected:
            self._first_connection(channel)
        return stub

    def heard(self) -> None:
        """Record that a message came from Omni."""
        self.worked, self.silent, self.heard_at = True, False, time.monotonic()

    def close(self) -> None:
        """End all calls."""
        with self._lock:
            self._closed = True
            if self._channel is not None:
                self._channel.close()

    @functools.cached_property
    def closer_look(self) -> str:
        """The result of `look_closer`, computed once: a thousand calls may fail together."""
        return self._look()

    def _first_connection(self, channel: grpc.Channel) -> None:
        """Wait for the first connection, once for all threads that ask for it at the same time."""
        began = time.monotonic()
        with self._connecting:
            if self._connected:
                return
            if self._failure is None or self._failure[0] < began:
                words = self._still_fails(began) or ("" if _comes_up(channel) else self._look())
                # Without a reason, the call itself finds out: it may be HTTP/2 that does not work.
                self._connected = not words
                self._failure = (time.monotonic(), words) if words else None
            if self._failure is not None:
                raise FirstConnectionError(self._failure[1])

    def _still_fails(self, now: float) -> str:
        """The words for a connection that failed a moment ago and fails again; `""` if it is worth another wait."""
        if self._failure is None or now - self._failure[0] > _MOMENT_SECONDS:
            return ""
        known = self._failure[1]
        if not nobody_listens(known):
            return known  # to look again would take seconds
        words = self._look()
        return words if nobody_listens(words) else ""

    def _look(self) -> str:
        return look_closer(self._endpoint, self._trust, _LOOK_SECONDS)


def _comes_up(channel: grpc.Channel) -> bool:
    """Whether a channel connects; gRPC tries again by itself meanwhile."""
    states: queue.SimpleQueue[grpc.ChannelConnectivity] = queue.SimpleQueue()
    began = time.monotonic()
    limit = CONNECT_SECONDS
    channel.subscribe(states.put, try_to_connect=True)
    try:
        while (left := began + limit - time.monotonic()) > 0:
            try:
                state = states.get(timeout=left)
            except queue.Empty:
                return False
            if state is _READY:
                return True
            if state is _FAILED:
                limit = REFUSED_SECONDS
        return False
    finally:
        channel.unsubscribe(states.put)
