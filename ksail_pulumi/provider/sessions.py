"""How long one call of the engine may use Omni, and its session."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import UnreachableError
from ksail_pulumi.lifecycle.session import DEFAULT_SECONDS, Deadline, Session
from ksail_pulumi.omni.client import connect
from ksail_pulumi.plan.ownership import forgetting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ksail_pulumi.provider.host.call import Call
    from ksail_pulumi.provider.settings import Settings


LOOK_SECONDS = 10.0
"""How long in seconds the check of a cluster waits after the last answer of Omni, and how long the calls in the check
of another resource may take; then the check continues without Omni."""


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
