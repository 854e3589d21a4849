"""A connection over which nothing comes any more, although nobody has closed it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal

import pytest

from ksail_pulumi.errors import UnreachableError, WaitTimeoutError
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import Client
from ksail_pulumi.simulator.faults import Write
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab

LATE = 2.0
"""The most that an error may come after the deadline, in seconds."""


class Link:
    """A connection to a server in this process; after `cut` it stays open and carries nothing."""

    def __init__(self, port: int) -> None:
        self.is_cut = threading.Event()
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in (self._listener, *self._ends):
            end.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server_port))
            self._ends += (client, server)
            for source, target in ((client, server), (server, client)):
                thread = threading.Thread(target=self._copy, args=(source, target), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not self.is_cut.is_set():
                    target.sendall(data)


@pytest.fixture
def link(simulator: Simulator) -> Iterator[Link]:
    link = Link(int(simulator.endpoint.rpartition(":")[2]))
    yield link
    link.close()


@pytest.fixture
def far(simulator: Simulator, link: Link, cluster_name: str) -> Iterator[Lab]:
    client = Client(Connection(f"grpc://127.0.0.1:{link.port}", simulator.service_account_key))
    yield Lab(client, cluster_name)
    client.close()


def test_a_wait_that_hears_nothing_any_more_ends_in_time_and_says_so(
    far: Lab, simulator: Simulator, link: Link
) -> None:
    simulator.faults.never_join |= set(range(6))
    far.on_progress = lambda line: link.is_cut.set() if "machines" in line else None
    deadline = far.session(seconds=4).deadline
    with pytest.raises(WaitTimeoutError) as raised:
        far.create(session=far.session(seconds=4))
    assert time.monotonic() - deadline.at < LATE
    text = str(raised.value)
    assert f"cluster {far.name} is not ready after 4s: Omni has not answered since " in text
    assert " UTC (" in text
    assert "Before that: 0/1 machines" in text
    assert raised.value.outputs.name == far.name


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_write_that_gets_no_answer_ends_in_time(
    far: Lab, simulator: Simulator, link: Link, when: Literal["before", "after"]
) -> None:
    def cut(moment: str, write: Write) -> None:
        if moment == when and write.type.startswith("MachineSets."):
            link.is_cut.set()

    simulator.faults.on_write(cut)
    session = far.session(seconds=3)
    with pytest.raises(UnreachableError, match=r"cannot create MachineSets.*: Omni at .* did not answer in time"):
        far.create(session=session)
    assert time.monotonic() - session.deadline.at < LATE


def test_a_deletion_that_hears_nothing_any_more_ends_in_time(far: Lab, simulator: Simulator, link: Link) -> None:
    far.create(waitFor="none")
    simulator.faults.unreachable |= set(range(6))
    far.on_progress = lambda line: link.is_cut.set()
    session = far.session(seconds=3)
    with pytest.raises(WaitTimeoutError, match="is not deleted after 3s: Omni has not answered since "):
        far.delete(session=session)
    assert time.monotonic() - session.deadline.at < LATE
