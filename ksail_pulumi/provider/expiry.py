"""Warns of a service account key that is about to expire. The key contains its date, so no call is made."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import SettingsError
from ksail_pulumi.provider.run import this_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.provider.host.call import Call
    from ksail_pulumi.provider.settings import Settings

BEFORE = timedelta(days=14)
"""How long before the expiry of a key the warning is shown."""


def warn_of_expiry(call: Call, settings: Settings, inputs: Mapping[str, Any]) -> None:
    """Warn, once a run, of the key that a resource with these inputs uses.

    Other problems with a key are reported where the key is used.
    """
    try:
        key, source = settings.key_for(inputs)
        name, end = _end_of(key)
    except SettingsError:
        return
    left = end - datetime.now(UTC) if end is not None else None
    if end is None or left is None or left > BEFORE:
        return
    days = "today" if left < timedelta(days=1) else f"in {left.days} days" if left.days > 1 else "tomorrow"
    line = (
        f"the key of omni service account {name!r} expires {days}, on {end:%Y-%m-%d at %H:%M:%S} UTC. Renew it in Omni "
        f"(Settings, Service Accounts, or `omnictl serviceaccount renew {name}`), and set {source} to the new one"
    )
    if this_run.is_news("", line):
        call.warning(line)


@functools.cache
def _end_of(key: str) -> tuple[str, datetime | None]:
    from ksail_pulumi.omni.signature import ServiceAccountKey

    parsed = ServiceAccountKey.parse(key)
    return parsed.name, parsed.expires_at
