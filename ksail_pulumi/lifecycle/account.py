"""Shares one reading of what belongs to no single cluster (machines, versions, classes) between the checks of a run."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ksail_pulumi.errors import OmniError
from ksail_pulumi.lifecycle.parts import collect, start_list
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CONFIG_PATCH,
    FEATURES_CONFIG,
    LABEL_MACHINE,
    MACHINE_CLASS,
    MACHINE_SET_NODE,
    MACHINE_STATUS,
    SYS_VERSION,
    TALOS_VERSION,
)
from ksail_pulumi.plan.parts.table import PARTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.omni.state import State

FRESH_SECONDS = 10.0
"""How long a reading is shared, in seconds. A program declares its clusters within seconds, unless it waits for other
resources in between. What others change in Omni during this time could just as well change after the preview."""


@dataclass(frozen=True)
class Account:
    """What belongs to no single cluster, as in `Snapshot`.

    Attributes:
        of_machines: The resources that stay with their machines.
        machine_patches: The patches of machines in no particular cluster.
    """

    clusters: Sequence[Resource]
    nodes: Sequence[Resource]
    statuses: Sequence[Resource]
    talos_versions: Sequence[Resource]
    machine_classes: Sequence[Resource]
    features: Resource | None
    sys_version: Resource | None
    of_machines: Sequence[Resource]
    machine_patches: Sequence[Resource]


class Reading:
    """One reading; any number of threads can send it and wait for its result: it is sent once."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self._lock = threading.Lock()
        self._calls: _Calls | None = None
        self._account: Account | None = None
        self._failed = False

    def send(self, client: Client) -> None:
        """Send the calls, unless that is done.

        Raises:
            OmniError: There is no connection.
        """
        with self._failing():
            if self._calls is None:
                self._calls = _Calls(client.state)
                self._failed = False

    def result(self, client: Client) -> Account:
        """Wait for the answers.

        Raises:
            OmniError: A call failed. It is not shared: who waits as well reads again, and gets an error of its own.
        """
        with self._failing():
            if self._account is None and self._calls is not None and not self._failed:
                self._account = self._calls.results()
            if self._account is not None:
                return self._account
        again = Reading()
        again.send(client)
        return again.result(client)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except OmniError:
                self._failed = True
                _shared.forget(self)
                raise


class _Calls:
    def __init__(self, state: State) -> None:
        self._clusters = state.start_list(CLUSTER)
        self._nodes = state.start_list(MACHINE_SET_NODE)
        self._of_machines = [(part, start_list(state, part, "")) for part in PARTS if part.of_machine]
        self._machine_patches = state.start_list(CONFIG_PATCH, {LABEL_MACHINE: None})
        self._statuses = state.start_list(MACHINE_STATUS)
        self._talos_versions = state.start_list(TALOS_VERSION)
        self._machine_classes = state.start_list(MACHINE_CLASS)
        self._features = state.start_find(FEATURES_CONFIG, "features-config")
        self._sys_version = state.start_find(SYS_VERSION, "current")

    def results(self) -> Account:
        return Account(
            clusters=self._clusters.result(),
            nodes=self._nodes.result(),
            statuses=self._statuses.result(),
            talos_versions=self._talos_versions.result(),
            machine_classes=self._machine_classes.result(),
            features=self._features.result(),
            sys_version=self._sys_version.result(),
            of_machines=[each for part, call in self._of_machines for each in collect(part, call)],
            machine_patches=self._machine_patches.result(),
        )


class _Shared:
    """The readings that may be shared, one for each client."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readings: WeakKeyDictionary[Client, Reading] = WeakKeyDictionary()
        self._writers: Counter[str] = Counter()

    def reading(self, client: Client) -> Reading:
        with self._lock:
            if self._writers[client.endpoint]:
                return Reading()
            found = self._readings.get(client)
            if found is None or time.monotonic() - found.began > FRESH_SECONDS:
                found = self._readings[client] = Reading()
            return found

    def forget(self, reading: Reading) -> None:
        with self._lock:
            for client in [client for client, each in self._readings.items() if each is reading]:
                del self._readings[client]

    @contextmanager
    def writing(self, endpoint: str) -> Iterator[None]:
        with self._lock:
            self._writers[endpoint] += 1
            for client in [each for each in self._readings if each.endpoint == endpoint]:
                del self._readings[client]
        try:
            yield
        finally:
            with self._lock:
                self._writers[endpoint] -= 1


_shared = _Shared()


def shared_reading(client: Client) -> Reading:
    """A reading for a check: the one of an earlier check, or a new one if that is stale.

    It is stale `FRESH_SECONDS` after it was sent, and from the moment that this process begins to write to that Omni.
    """
    return _shared.reading(client)


@contextmanager
def writing(client: Client) -> Iterator[None]:
    """Share no reading of this Omni while the block runs, nor an older one afterwards."""
    with _shared.writing(client.endpoint):
        yield
