"""Reads a large list once for all operations that ask at the same time, each as fresh as if it read alone."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from ksail_pulumi.errors import OmniError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ksail_pulumi.lifecycle.question import Question
    from ksail_pulumi.omni.channel import Call
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource


class Joined:
    """One reading of a list, for all who ask before it is sent. Each is sent when the one before it has ended."""

    def __init__(self, list_: _List, before: Joined | None) -> None:
        self._list = list_
        self._before = before
        self._lock = threading.Lock()
        self._call: Call[Any] | None = None
        self._ended = False
        self._found: Sequence[Resource] | None = None

    def start(self, client: Client) -> None:
        """Send it, once the one before it has ended.

        Raises:
            OmniError: There is no connection.
        """
        with self._lock:
            self._start(client)

    def result(self, client: Client) -> Sequence[Resource] | None:
        """Wait for the answer; None if an earlier caller got an error.

        Raises:
            OmniError: The call failed.
        """
        with self._lock:
            if not self._ended:
                self._read(client)
            return self._found

    def send(self, client: Client) -> None:
        self._call = self._list.question.send(client.state)

    def _start(self, client: Client) -> None:
        if self._before is not None:
            with suppress(OmniError):
                self._before.result(client)
            self._before = None
            self._list.begun(self)
            self.send(client)

    def _read(self, client: Client) -> None:
        try:
            self._start(client)
            if self._call is not None:
                self._found = self._list.question.answer(self._call)
        finally:
            self._call, self._ended = None, True
            self._list.ended(self)


class _List:
    """The readings of one list: one is under way, and who asks meanwhile waits for the one that follows it."""

    def __init__(self, key: object, question: Question) -> None:
        self.question = question
        self._key = key
        self._under_way: Joined | None = None
        self._next: Joined | None = None

    def join(self) -> tuple[Joined, bool]:
        """The reading to wait for, and whether it is to be sent at once."""
        if self._under_way is None and self._next is None:
            self._under_way = Joined(self, None)
            return self._under_way, True
        self._next = self._next or Joined(self, self._under_way)
        return self._next, False

    def begun(self, reading: Joined) -> None:
        """Let nobody else join a reading."""
        with _lock:
            self._under_way, self._next = reading, None

    def ended(self, reading: Joined) -> None:
        with _lock:
            if self._under_way is reading:
                self._under_way = None
            if self._under_way is None and self._next is None:
                _lists.pop(self._key, None)


_lock = threading.Lock()
_lists: dict[object, _List] = {}


def join(client: Client, question: Question) -> Joined:
    """Ask a question together with all who ask it at the same time.

    Raises:
        OmniError: There is no connection.
    """
    key = (client.endpoint, client.key, question)
    with _lock:
        reading, first = _lists.setdefault(key, _List(key, question)).join()
    if first:
        reading.send(client)
    return reading
