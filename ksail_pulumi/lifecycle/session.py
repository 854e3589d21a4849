"""The context of one operation: Omni, deadline, progress and cancellation."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ksail_pulumi.errors import CancelledError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ksail_pulumi.lifecycle.presence import Presence
    from ksail_pulumi.omni.client import Client

DEFAULT_SECONDS = {"create": 30 * 60.0, "update": 60 * 60.0, "delete": 20 * 60.0}
"""Default timeouts in seconds. On hardware an upgrade takes minutes per machine."""

GRACE_SECONDS = 60.0
"""How long a failure must last before it is final: Omni also reports failures that pass within seconds."""


STALL_SECONDS = 60.0
"""How long a wait may be without progress until it names the machines that hold it up."""

SYNC_ROUND_SECONDS = 30.0
"""How often Omni compares the manifests of a cluster with the objects in Kubernetes."""

LATE_SECONDS = 1.0
"""How long after the deadline calls may still take together: an explanation, and the end of a creation mark."""


@dataclass(frozen=True)
class Deadline:
    """A deadline on the monotonic clock.

    Attributes:
        seconds: The whole timeout.
        at: The deadline, by `time.monotonic`.
    """

    seconds: float
    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(seconds, time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds until the deadline, 0 after it."""
        return max(0.0, self.at - time.monotonic())


def _silent(_: str) -> None:
    """Ignores all messages."""


@dataclass(frozen=True)
class Session:
    """One run of one operation.

    Attributes:
        client: The Omni of the cluster; its calls end with the session.
        deadline: When waiting ends with an error.
        progress: Called with one line of progress at a time, from the calling thread.
        cancelled: Set from any thread to end a wait at once.
        grace: How long a failure must last before it is final, in seconds.
        stall: How long a wait may be without progress until it names what holds it up, in seconds.
        sync_round: How long a change of manifests counts as unproved if Omni reports no error, in seconds.
        warn: Called with a warning although the operation succeeds.
        presence: The cluster that must exist during a wait; None if it need not.
        unlimited: The client whose calls do not end with the session. Default: the client that is given.
    """

    client: Client
    deadline: Deadline
    progress: Callable[[str], None] = _silent
    cancelled: threading.Event = field(default_factory=threading.Event)
    grace: float = GRACE_SECONDS
    stall: float = STALL_SECONDS
    sync_round: float = SYNC_ROUND_SECONDS
    warn: Callable[[str], None] = _silent
    presence: Presence | None = None
    unlimited: Client | None = None

    def __post_init__(self) -> None:
        if self.unlimited is None:
            object.__setattr__(self, "unlimited", self.client)
        object.__setattr__(self, "client", self.client.until(self.deadline.at + LATE_SECONDS))

    def extended(self) -> Session:
        """The same session with its whole timeout again, from now on."""
        return replace(self, client=self.unlimited or self.client, deadline=Deadline.after(self.deadline.seconds))

    def check_cancelled(self, what: str, state: str = "") -> None:
        """Raise `CancelledError` if the user has interrupted; `what` names the interrupted work, `state` its state."""
        if self.cancelled.is_set():
            text = f"{what} was interrupted; changes already written to Omni are kept"
            raise CancelledError(f"{text}\n{state[:1].upper()}{state[1:]}".rstrip())
