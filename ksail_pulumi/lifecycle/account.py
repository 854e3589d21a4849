"""Shares what was read of no single cluster (versions, classes, free machines) between the checks of a run."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ksail_pulumi.errors import OmniError, PermissionDeniedError
from ksail_pulumi.omni.resources import LABEL_CLUSTER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from ksail_pulumi.omni.channel import Call
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource, ResourceType
    from ksail_pulumi.omni.state import State
    from ksail_pulumi.plan.parts.part import Part

FRESH_SECONDS = 10.0
"""How long a reading is shared, in seconds. A program declares its clusters within seconds, unless it waits for other
resources in between. What others change in Omni during this time could just as well change after the preview."""


@dataclass(frozen=True)
class Question:
    """What is read with one call.

    Attributes:
        type: The type of the resources.
        id: The ID of the only one; `""` for all of the type.
        labels: Labels that each must have, with their values; None for any value.
        clusters: The clusters one of which each must belong to; None for any or none.
        ids: The IDs of those that are read; None for all.
        late: Omni 1.0 does not have the type, and answers PERMISSION_DENIED for it.
        keep: Reduces a list to what is needed of it.
    """

    type: ResourceType
    id: str = ""
    labels: tuple[tuple[str, str | None], ...] = ()
    clusters: frozenset[str] | None = None
    ids: frozenset[str] | None = None
    late: bool = False
    keep: Callable[[Iterable[Resource]], list[Resource]] = list

    @classmethod
    def about(cls, part: Part, cluster: str) -> Question:
        """All of one kind of part: of a cluster, or of all machines where the parts stay with their machines."""
        clusters = None if part.of_machine else frozenset({cluster})
        return cls(part.type, clusters=clusters, late=part.late)

    def send(self, state: State) -> Call[Any]:
        if self.id:
            return state.start_find(self.type, self.id)
        labels = dict(self.labels)
        if self.clusters is None:
            return state.start_list(self.type, labels, ids=self.ids, keep=self.keep)
        alternatives = ({**labels, LABEL_CLUSTER: name} for name in sorted(self.clusters))
        return state.start_list(self.type, *alternatives, ids=self.ids, keep=self.keep)

    def answer(self, call: Call[Any]) -> Sequence[Resource]:
        try:
            found = call.result()
        except PermissionDeniedError:
            if not self.late:
                raise
            return []
        if self.id:
            return [] if found is None else [found]
        answer: Sequence[Resource] = found
        return answer


class Reading:
    """Questions and their answers; any number of threads can ask: each question is sent once."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self._lock = threading.Lock()
        self._answers: dict[Question, _Answer] = {}

    def send(self, client: Client, questions: Iterable[Question]) -> None:
        """Send the questions that have not been sent.

        Raises:
            OmniError: There is no connection.
        """
        with self._lock, _forgetting(self):
            for question in questions:
                if question not in self._answers:
                    self._answers[question] = _Answer(question, question.send(client.state))

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
            found = self._answers[question].result()
        return question.answer(question.send(client.state)) if found is None else found


class _Answer:
    def __init__(self, question: Question, call: Call[Any]) -> None:
        self._question = question
        self._lock = threading.Lock()
        self._call: Call[Any] | None = call
        self._found: Sequence[Resource] | None = None

    def result(self) -> Sequence[Resource] | None:
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

    It is stale `FRESH_SECONDS` after it began, and from the moment that this process begins to write to that Omni.
    """
    return _shared.reading(client)


@contextmanager
def writing(client: Client) -> Iterator[None]:
    """Share no reading of this Omni while the block runs, nor an older one afterwards."""
    with _shared.writing(client.endpoint):
        yield
