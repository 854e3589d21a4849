"""Shares what was read of no single cluster (versions, classes, free machines) between the checks of a run."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ksail_pulumi.errors import OmniError
from ksail_pulumi.lifecycle.joined import Joined, join
from ksail_pulumi.plan.reservations import Reserving

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from typing import Any

    from ksail_pulumi.lifecycle.question import Question
    from ksail_pulumi.omni.channel import Call
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource

FRESH_SECONDS = 10.0
"""How long a reading is shared, in seconds. A program declares its clusters within seconds, unless it waits for other
resources in between. What others change in Omni during this time could just as well change after the preview."""


class Reading:
    """Questions and their answers; any number of threads can ask: each question is sent once.

    Attributes:
        shared: Whether other operations get the same reading.
        began: When, by `time.monotonic`.
        reserving: Chooses machines, from this reading, for the clusters of the program that come first.
    """

    def __init__(self, joining: Collection[Question] = (), *, shared: bool = False) -> None:
        """Begin.

        Args:
            joining: Questions that other readings ask at the same time: that is done together.
            shared: Whether other operations get the same reading.
        """
        self.shared = shared
        self._joining = joining
        self.began = time.monotonic()
        self.reserving = Reserving()
        self._lock = threading.Lock()
        self._answers: dict[Question, _Answer | Joined] = {}

    def send(self, client: Client, questions: Iterable[Question]) -> None:
        """Send the questions that have not been sent.

        Raises:
            OmniError: There is no connection.
        """
        with self._lock, _forgetting(self):
            for question in questions:
                if question not in self._answers:
                    alone = question not in self._joining
                    self._answers[question] = _Answer(question, client) if alone else join(client, question)

    def ask(self, client: Client, question: Question) -> Sequence[Resource]:
        """The answer to a question, which is sent unless it has been.

        Raises:
            OmniError: The call failed.
        """
        self.send(client, [question])
        return self.result(client, question)

    def result(self, client: Client, question: Question) -> Sequence[Resource]:
        """Wait for the answer to a question that has been sent.

        Raises:
            OmniError: The call failed. That is not shared: who waits as well asks again, and gets an error of its own.
        """
        with _forgetting(self):
            # All at once: otherwise each that waits for another reading would take a round trip of its own.
            for each in list(self._answers.values()):
                if isinstance(each, Joined):
                    each.start(client)
            found = self._answers[question].result(client)
        return question.answer(question.send(client.state)) if found is None else found


class _Answer:
    def __init__(self, question: Question, client: Client) -> None:
        self._question = question
        self._lock = threading.Lock()
        self._call: Call[Any] | None = question.send(client.state)
        self._found: Sequence[Resource] | None = None

    def result(self, _: Client) -> Sequence[Resource] | None:
        """The answer; None if an earlier caller got an error."""
        with self._lock:
            if self._call is not None:
                call, self._call = self._call, None
                self._found = self._question.answer(call)
            return self._found


@contextmanager
def _forgetting(reading: Reading) -> Iterator[None]:
    """Do not share a reading after an error."""
    try:
        yield
    except OmniError:
        _shared.forget(reading)
        raise


class _Shared:
    """The readings that may be shared, one for each client."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readings: WeakKeyDictionary[Client, Reading] = WeakKeyDictionary()
        self._writers: Counter[str] = Counter()

    def reading(self, client: Client, joining: Collection[Question]) -> Reading:
        with self._lock:
            if self._writers[client.endpoint]:
                return Reading(joining)
            found = self._readings.get(client)
            if found is None or time.monotonic() - found.began > FRESH_SECONDS:
                found = self._readings[client] = Reading(shared=True)
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


def shared_reading(client: Client, joining: Collection[Question] = ()) -> Reading:
    """A reading for a check: the one of an earlier check, or a new one if that is stale.

    It is stale `FRESH_SECONDS` after it began, and from the moment that this process begins to write to that Omni.
    While it writes, each check has a reading of its own, and asks the questions `joining` together with others.
    """
    return _shared.reading(client, joining)


@contextmanager
def writing(client: Client) -> Iterator[None]:
    """Share no reading of this Omni while the block runs, nor an older one afterwards."""
    with _shared.writing(client.endpoint):
        yield
