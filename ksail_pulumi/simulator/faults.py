"""Faults of a simulated Omni, which can be set at any time while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, MutableSet
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

Listener = Callable[[], None]


@dataclass(frozen=True)
class Write:
    """A write request: `Create`, `Update`, `Teardown`, `TeardownAndDestroy` or `Destroy` of a resource.

    Attributes:
        verb: The method's name.
        type: The resource's type.
        id: The resource's ID.
    """

    verb: str
    type: str
    id: str


WriteListener = Callable[[Literal["before", "after"], Write], None]


class MachineSelection(MutableSet[str | int]):
    """A set of emulated machines, each by ID or by number (from 0). Listeners are called when it changes."""

    def __init__(self, machines: Iterable[str | int] = ()) -> None:
        self._machines = set(machines)
        self._listeners: list[Listener] = []

    def __contains__(self, machine: object) -> bool:
        return machine in self._machines

    def __iter__(self) -> Iterator[str | int]:
        return iter(tuple(self._machines))

    def __len__(self) -> int:
        return len(self._machines)

    def add(self, value: str | int) -> None:
        if value not in self._machines:
            self._machines.add(value)
            self._tell()

    def discard(self, value: str | int) -> None:
        if value in self._machines:
            self._machines.discard(value)
            self._tell()

    def listen(self, listener: Listener) -> None:
        """Call a function after every change, in the thread that made it."""
        self._listeners.append(listener)

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()


class Faults:
    """The faults of a simulator. All can be changed while it runs.

    Attributes:
        never_join: Machines that never become ready after they get the configuration of a cluster.
        disconnected: Machines without a connection to Omni: they have the label `disconnected`.
        unreachable: Machines that cannot be reached although Omni shows them as connected.
        reject_config: Machines that refuse every new configuration.
        stuck_health_checks: Whether the health checks of clusters never pass.
        failing_backups: Whether backups of etcd fail.
        no_backup_store: Whether Omni has no store for backups of etcd. It takes none then, and reports no failure.
        no_kubernetes_proxy: Whether the Kubernetes APIs of clusters cannot be reached through Omni.
        missing_types: The names of types that Omni does not have, as an older one: every call is refused.
        unavailable: How many of the next calls are answered with UNAVAILABLE; the server counts down.
        round_trip: Extra duration of every call in seconds, as over a slow link.
    """

    def __init__(
        self,
        *,
        never_join: Iterable[str | int] = (),
        disconnected: Iterable[str | int] = (),
        unreachable: Iterable[str | int] = (),
        reject_config: Iterable[str | int] = (),
        stuck_health_checks: bool = False,
        failing_backups: bool = False,
        no_backup_store: bool = False,
        no_kubernetes_proxy: bool = False,
        missing_types: Iterable[str] = (),
        unavailable: int = 0,
        round_trip: float = 0.0,
    ) -> None:
        self.never_join = MachineSelection(never_join)
        self.disconnected = MachineSelection(disconnected)
        self.unreachable = MachineSelection(unreachable)
        self.reject_config = MachineSelection(reject_config)
        self.stuck_health_checks = stuck_health_checks
        self.failing_backups = failing_backups
        self._no_backup_store = no_backup_store
        self.no_kubernetes_proxy = no_kubernetes_proxy
        self.missing_types = set(missing_types)
        self.unavailable = unavailable
        self.round_trip = round_trip
        self._listeners: list[Listener] = []
        self._breakers: list[Listener] = []
        self._write_listeners: list[WriteListener] = []
        self._lock = threading.Lock()

    @property
    def no_backup_store(self) -> bool:
        return self._no_backup_store

    @no_backup_store.setter
    def no_backup_store(self, value: bool) -> None:
        self._no_backup_store = value
        for listener in tuple(self._listeners):
            listener()

    def take_unavailable(self) -> bool:
        """Whether this call is answered with UNAVAILABLE; counts it."""
        with self._lock:
            if self.unavailable <= 0:
                return False
            self.unavailable -= 1
            return True

    def break_watches(self) -> None:
        """Break every open watch, as a lost connection does."""
        with self._lock:
            breakers = tuple(self._breakers)
        for breaker in breakers:
            breaker()

    def on_break(self, callback: Listener) -> None:
        """Call a function at every `break_watches()`."""
        with self._lock:
            self._breakers.append(callback)

    def on_write(self, listener: WriteListener) -> None:
        """Call a function right before and right after every write of a client, in the server's thread.

        If the function raises `StoreError` before a write, the write is not made. After a write, the client has no
        answer yet. After a refused write it is not called.
        """
        with self._lock:
            self._write_listeners.append(listener)

    @contextmanager
    def around(self, write: Write) -> Iterator[None]:
        """Call the listeners before and after the block, which makes the write."""
        with self._lock:
            listeners = tuple(self._write_listeners)
        for listener in listeners:
            listener("before", write)
        yield
        for listener in listeners:
            listener("after", write)

    def listen(self, listener: Listener) -> None:
        """Call a function whenever the faults of machines or of the store for backups change."""
        self._listeners.append(listener)
        for selection in (self.never_join, self.disconnected, self.unreachable, self.reject_config):
            selection.listen(listener)
