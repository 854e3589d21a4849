"""Asks Omni for what no wait watches, for an explanation."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ksail_pulumi.errors import OmniError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource, ResourceType

ASK_SECONDS = 0.75
"""How long an explanation may wait for Omni, in seconds."""


def ask(asked: Sequence[tuple[ResourceType, str]], client: Client | None) -> list[Resource]:
    """Those of the resources that exist; none if Omni refuses, or does not answer at once.

    An explanation with less in it is better than another error in its place.
    """
    if client is None:
        return []
    state = client.until(time.monotonic() + ASK_SECONDS).state
    try:
        calls = [state.start_find(kind, resource_id) for kind, resource_id in asked]
        return [found for call in calls if (found := call.result()) is not None]
    except OmniError:
        return []
