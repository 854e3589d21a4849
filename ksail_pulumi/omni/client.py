"""The client of one Omni."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING

from ksail_pulumi.omni.channel import Channel, Connection
from ksail_pulumi.omni.management import Management
from ksail_pulumi.omni.state import State

if TYPE_CHECKING:
    from ksail_pulumi.omni.kubernetes import KubernetesApi

_clients: dict[Connection, Client] = {}
_lock = threading.Lock()


class Client:
    """The client of one Omni. Can be used from any thread.

    Attributes:
        endpoint: The URL.
        key: The service account key.
        state: The resources.
        management: All other calls.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._use(Channel(connection))

    def _use(self, channel: Channel) -> None:
        self._channel = channel
        self.endpoint = channel.endpoint.url
        self.key = channel.key
        self.state = State(channel)
        self.management = Management(channel)

    def until(self, at: float) -> Client:
        """The same client for calls that end at a time of `time.monotonic`; an earlier end stays."""
        limited = copy.copy(self)
        limited._use(self._channel.until(at))
        return limited

    def kubernetes(self, server: str, token: str) -> KubernetesApi:
        """The Kubernetes API of a cluster, given the server and the token of a kubeconfig.

        Raises:
            UnreachableError: The server is not a valid address.
        """
        from ksail_pulumi.omni.kubernetes import KubernetesApi  # rarely needed, and slow to import

        return KubernetesApi(server, token, self._channel.trust, self._channel.ends_at)

    @property
    def silent_since(self) -> float | None:
        """When the last message came, by `time.monotonic`, if the last call got no answer; None if it got one."""
        link = self._channel.link
        return link.heard_at if link.silent else None

    def heard_since(self, began: float) -> float:
        """When the last message came, by `time.monotonic`; `began` if none has come since."""
        return max(began, self._channel.link.heard_at or began)

    def close(self) -> None:
        """End all calls and watches; the next `connect` makes a new client."""
        with _lock:
            if _clients.get(self._connection) is self:
                del _clients[self._connection]
        self._channel.close()


def connect(connection: Connection) -> Client:
    """The client for a connection, one per connection and process. Makes no call yet.

    Raises:
        SettingsError: The endpoint, the key or the CA file is not usable.
    """
    with _lock:
        if connection not in _clients:
            _clients[connection] = Client(connection)
        return _clients[connection]
