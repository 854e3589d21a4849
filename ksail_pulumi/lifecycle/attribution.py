"""Who made the changes that a refresh has found, by Omni's audit log."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.errors import OmniError
from ksail_pulumi.plan.parts.table import PART_OF

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ksail_pulumi.omni.audit import AuditEntry
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import ResourceType

SECONDS = 2.0
"""How long the look-up may delay a refresh, in seconds."""

DAYS = 30
"""How far back the log is read. Omni keeps it for 30 days unless it is set up otherwise."""

_VERBS = {
    "create": "added",
    "update": "changed",
    "update_with_conflicts": "changed",
    "teardown": "removed",
    "destroy": "removed",
}
_ACCOUNTS = "@serviceaccount.omni.sidero.dev"


def who_changed(
    changed: Sequence[tuple[ResourceType, str]],
    client: Client,
    *,
    present: Collection[tuple[ResourceType, str]],
    created: datetime | None,
) -> str:
    """One line on who made the last change of each resource, and when; `""` if that is not known.

    It is not known without a role that may read the log, if the log is off or slow, where a controller of Omni made the
    change, and for changes of which Omni keeps no record. What our own service account wrote last is left out: that
    was this resource.

    Args:
        changed: The types and IDs of the resources; only the first few are looked up.
        client: The Omni.
        present: The types and IDs of the resources that exist.
        created: When the cluster was created; older entries are about another one of its name.
    """
    asked = changed[: listing.LIMIT]
    since = datetime.now(UTC) - timedelta(days=DAYS)
    since = max(since, created) if created else since
    made: dict[tuple[str, str, ResourceType], list[tuple[AuditEntry, str]]] = {}
    for (kind, resource_id), entry in zip(asked, _last_changes(asked, client, since), strict=True):
        if entry is None or entry.email in ("", client.key.name, f"{client.key.name}{_ACCOUNTS}"):
            continue
        # What contradicts Omni is not the last change: that one left no entry, or only one of a controller.
        if (_VERBS[entry.verb] == "removed") != ((kind, resource_id) in present):
            made.setdefault((entry.email, _VERBS[entry.verb], kind), []).append((entry, resource_id))
    lines = [_line(email, verb, kind, changes) for (email, verb, kind), changes in made.items()]
    return f"Omni's audit log: {'; '.join(lines)}" if lines else ""


def _line(email: str, verb: str, kind: ResourceType, changes: Sequence[tuple[AuditEntry, str]]) -> str:
    ids = listing.names([resource_id for _, resource_id in changes])
    at = max(entry.at for entry, _ in changes)
    return f"{email} {verb} {PART_OF[kind].nouns[len(changes) > 1]} {ids} on {at:%Y-%m-%d at %H:%M:%S} UTC"


def _last_changes(
    asked: Sequence[tuple[ResourceType, str]], client: Client, since: datetime
) -> list[AuditEntry | None]:
    """The last change of each resource; None where the log does not answer in time, or has none."""
    management = client.until(time.monotonic() + SECONDS).management
    found: list[AuditEntry | None] = []
    try:
        calls = [management.start_last_change(kind, each, since=since, timeout=SECONDS) for kind, each in asked]
    except OmniError:
        return [None] * len(asked)
    for call in calls:
        try:
            found.append(call.result())
        except OmniError:
            found.append(None)
    return found
