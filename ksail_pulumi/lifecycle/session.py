"""What surrounds one verb: which Omni, until when, who listens, and whether the user has had enough."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ksail_pulumi.errors import CancelledError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ksail_pulumi.lifecycle.presence import Presence
    from ksail_pulumi.omni.client import Client

DEFAULT_SECONDS = {"create": 30 * 60.0, "update": 60 * 60.0, "delete": 20 * 60.0}
"""How long a verb may take when the user sets no timeout. An upgrade takes minutes a machine on hardware."""

GRACE_SECONDS = 60.0
"""How long a failure must stand before it is final: Omni's statuses report failures that pass within seconds."""


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock.

    Attributes:
        seconds: The whole time that was given.
        at: The moment itself, in seconds of `time.monotonic`.
    """

    seconds: float
    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(seconds, time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds that are left, 0 when it has passed."""
        return max(0.0, self.at - time.monotonic())


def _silent(_: str) -> None:
    """What nobody listens to."""


@dataclass(frozen=True)
class Session:
    """One run of one verb.

    Attributes:
        client: The Omni that the cluster lives in.
        deadline: When waiting ends with an explained error.
        progress: Called with one line at a time that says what is going on, from the calling thread.
        cancelled: Set from any thread to end a wait at once.
        grace: Seconds that a failure must stand before it is final.
        warn: Called with what the user has to see to although the verb succeeds.
        presence: The cluster that must not go away while the verb waits; None where it may.
    """

    client: Client
    deadline: Deadline
    progress: Callable[[str], None] = _silent
    cancelled: threading.Event = field(default_factory=threading.Event)
    grace: float = GRACE_SECONDS
    warn: Callable[[str], None] = _silent
    presence: Presence | None = None

    def check_cancelled(self, what: str) -> None:
        """Raise `CancelledError` if the user has interrupted; `what` says what was under way."""
        if self.cancelled.is_set():
            raise CancelledError(f"{what} was interrupted; changes already written to Omni are kept")
