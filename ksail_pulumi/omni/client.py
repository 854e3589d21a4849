"""The client of one Omni."""

from __future__ import annotations

import threading

from ksail_pulumi.omni.channel import Channel, Connection
from ksail_pulumi.omni.management import Management
from ksail_pulumi.omni.state import State

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
        self._channel = Channel(connection)
        self.endpoint = self._channel.endpoint.url
        self.key = self._channel.key
        self.state = State(self._channel)
        self.management = Management(self._channel)

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
