"""How long one call of the engine may use Omni, and its session."""

from __future__ import annotations

import contextvars
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ksail_pulumi.errors import UnreachableError
from ksail_pulumi.lifecycle.session import DEFAULT_SECONDS, Deadline, Session
from ksail_pulumi.omni.client import connect
from ksail_pulumi.plan.ownership import forgetting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ksail_pulumi.omni.channel import Connection
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.provider.host.call import Call
    from ksail_pulumi.provider.settings import Settings

T = TypeVar("T")

LOOK_SECONDS = 10.0
"""How long in seconds a check waits after the last answer of Omni; then it continues without Omni."""


def ask(client: Client, question: Callable[[], T]) -> T:
    """The answer to a question to Omni in a check, which must not hold up the engine if Omni is silent.

    Args:
        client: The Omni that is asked.
        question: Asks, in another thread. It goes on after this gives up, until its calls end: it must not write to
            Omni or report to the engine.

    Raises:
        UnreachableError: No message came over this connection for `LOOK_SECONDS`. While other calls get answers, a
            check lasts until its own calls end, each by its own deadline.
        Exception: The one of the question.
    """
    answers: list[T] = []
    errors: list[Exception] = []

    def answer() -> None:
        try:
            answers.append(question())
        except Exception as error:
            errors.append(error)

    # Runs in a copy of this context, which holds the redaction gate for Omni's texts.
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(answer,), name="ksail-pulumi-check", daemon=True)
    began = time.monotonic()
    thread.start()
    # An `up` of hundreds of clusters keeps a processor busy for longer, while Omni answers.
    while thread.is_alive() and (left := client.heard_since(began) + LOOK_SECONDS - time.monotonic()) > 0:
        thread.join(left)
    if errors:
        raise errors[0]
    if not answers:
        text = f"Omni at {client.endpoint} did not answer within {LOOK_SECONDS:g} s"
        raise UnreachableError(f"{text}: check the network, and whether Omni is overloaded")
    return answers[0]


def left_omni(connection: Connection) -> Client:
    """The Omni that a resource leaves. Its calls end before `ask` reports the other one as silent."""
    return connect(connection).until(time.monotonic() + LOOK_SECONDS / 2)


def session_for(call: Call, settings: Settings, properties: Mapping[str, Any], verb: str) -> Session:
    """The session for `create`, `update` or `delete` of a resource with these properties."""
    return Session(
        client=connect(settings.connection(properties)),
        deadline=Deadline.after(call.timeout or DEFAULT_SECONDS[verb]),
        progress=call.progress,
        warn=call.warning,
        cancelled=call.cancelled,
    )


@contextmanager
def perhaps_gone(urn: str) -> Iterator[None]:
    """Say how a resource leaves the stack if the Omni of it no longer exists.

    Raises:
        UnreachableError: The one from the block, with that in addition.
    """
    try:
        yield
    except UnreachableError as error:
        how = f"If this Omni no longer exists, remove the resource from the stack with {forgetting(urn)}"
        error.args = (f"{str(error).removesuffix('.')}. {how}",)
        raise
