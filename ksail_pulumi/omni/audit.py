"""Entries of Omni's audit log: who has changed a resource last, and when."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

VERBS = ("create", "update", "update_with_conflicts", "teardown", "destroy")
"""The entries about a change of a resource; the others are about access."""


@dataclass(frozen=True)
class AuditEntry:
    """A change of a resource.

    Attributes:
        verb: One of `VERBS`.
        email: Who made it; `""` for Omni's own controllers.
        at: When.
        type: The name of the resource's type.
        id: The resource's ID.
    """

    verb: str
    email: str
    at: datetime
    type: str
    id: str


def changes_of_users(texts: Iterable[bytes]) -> list[AuditEntry]:
    """The changes that users made, oldest first; nothing of the resources themselves is kept."""
    entries = (_entry(line) for text in texts for line in text.splitlines())
    return sorted((each for each in entries if each is not None and each.email), key=lambda each: each.at)


def last_change(texts: Iterable[bytes]) -> AuditEntry | None:
    """The last change in entries about one resource, whatever their order; None if there is none.

    Where a user removes a resource, a controller destroys it afterwards; this does not count. Nothing of the resource
    itself is kept: the entries of patches have their whole text.
    """
    last: AuditEntry | None = None
    for text in texts:
        for line in text.splitlines():
            found = _entry(line)
            if found is not None and (last is None or found.at >= last.at):
                last = found
    return last


def _entry(line: bytes) -> AuditEntry | None:
    try:
        row: dict[str, Any] = json.loads(line)
        session = row["event_data"]["session"]
        found = AuditEntry(
            str(row["event_type"]),
            str(session.get("email") or ""),
            datetime.fromtimestamp(row["event_ts"] / 1000, UTC),
            str(row.get("resource_type", "")),
            str(row.get("resource_id", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError):
        return None  # of another form than Omni 1.10's
    if found.verb not in VERBS or (found.verb == "destroy" and not found.email):
        return None
    return found
