"""The last change of a cluster, from what Omni keeps of it: what `timeline` draws.

Omni has no history of statuses. It keeps when each resource was created and when it changed last, and an audit log of
what users wrote, which only some roles may read. So the end of a change is known, and often also its beginning; what
happened in between, and changes before the last one, are not.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.errors import OmniError
from ksail_pulumi.lifecycle.lanes import Moment, changed_at, lanes_of, settled_at
from ksail_pulumi.lifecycle.overview import not_found
from ksail_pulumi.lifecycle.status import TYPES, healthy
from ksail_pulumi.lifecycle.waiting.view import ClusterView, read_into
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_BOOTSTRAP_STATUS,
    CLUSTER_MACHINE,
    KUBERNETES_UPGRADE_STATUS,
    LOAD_BALANCER_STATUS,
    MACHINE_SET,
    MACHINE_SET_NODE,
    TALOS_UPGRADE_STATUS,
)
from ksail_pulumi.pictures.timeline import Lane, Timeline, lasting
from ksail_pulumi.plan.parts.table import PARTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ksail_pulumi.omni.audit import AuditEntry
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource

TOGETHER = timedelta(minutes=2)
"""Writes belong to one change if not more than this is between two of them: an `up` may wait in between."""

AUDIT_SECONDS = 5.0
"""How long the look-up in the audit log may take, in seconds."""

_VERBS = {"create": "added", "teardown": "removed", "destroy": "removed"}


@dataclass(frozen=True)
class Write:
    """Something that a user wrote to Omni.

    Attributes:
        at: When.
        type: The name of the resource's type.
        id: The resource's ID.
        verb: `added`, `changed`, `removed`, or `written` where it is not known which.
        by: Who; `""` if that is not known.
    """

    at: datetime
    type: str
    id: str
    verb: str = "written"
    by: str = ""


def read_timeline(client: Client, name: str) -> Timeline:
    """The last change of a cluster.

    Raises:
        NotFoundError: The account has no cluster of this name.
        OmniError: Omni did not answer.
    """
    kinds = (*dict.fromkeys((*TYPES, CLUSTER_MACHINE, CLUSTER_BOOTSTRAP_STATUS, LOAD_BALANCER_STATUS)),)
    written_kinds = [part.type for part in PARTS if not (part.of_machine or part.late) and part.type not in kinds]
    view = ClusterView(name)
    read_into(view, client.state, (*kinds, *written_kinds))
    cluster = view.one(CLUSTER)
    if cluster is None:
        raise not_found(name)
    log = _audit_log(client, cluster)
    kept = [each for kind in (CLUSTER, MACHINE_SET, MACHINE_SET_NODE, *written_kinds) for each in view.all(kind)]
    return timeline_of(view, kept, log, datetime.now(UTC))


def timeline_of(
    view: ClusterView, written: Iterable[Resource], log: Sequence[AuditEntry] | None, now: datetime
) -> Timeline:
    """The last change of a cluster.

    Args:
        view: What Omni has of it.
        written: What users make of it.
        log: What users changed, oldest first; None if that cannot be read.
        now: The time.
    """
    writes = _last_together(_logged(log) if log else list(_kept(view, written)))
    begin, last = writes[0].at, writes[-1].at
    done = healthy(view)
    nodes = {each.id: each.at for each in writes if each.type == MACHINE_SET_NODE.name}
    moment = Moment(begin, settled_at(view, last) if done else now, nodes, done)
    lanes = lanes_of(view, moment)
    ends = [lane.end for lane in lanes if lane.end is not None]
    latest = max((last, *ends))
    end = latest if done else max(latest, now)
    first = Lane("written to Omni", begin, begin, last, _count(len(writes)), marks=tuple(each.at for each in writes))
    return Timeline(
        view.cluster,
        (f"{begin:%Y-%m-%d %H:%M:%S} UTC", _duration(begin, end, done=done), *_who(writes), *_what(writes)),
        (first, *lanes),
        begin,
        end,
        tuple(_notes(log, lanes)),
    )


def _audit_log(client: Client, cluster: Resource) -> list[AuditEntry] | None:
    """What users changed since the cluster exists; None if the log cannot be read."""
    # The times of resources may be whole seconds.
    since = (cluster.created or datetime.now(UTC)) - timedelta(seconds=1)
    with suppress(OmniError):
        management = client.until(time.monotonic() + AUDIT_SECONDS).management
        return management.start_changes_of_users(cluster.id, since=since, timeout=AUDIT_SECONDS).result()
    return None


def _logged(log: Iterable[AuditEntry]) -> list[Write]:
    return [Write(each.at, each.type, each.id, _VERBS.get(each.verb, "changed"), each.email) for each in log]


def _kept(view: ClusterView, written: Iterable[Resource]) -> Iterable[Write]:
    """The writes that resources show: their creation and their last change, of which the reason is not kept."""
    for each in written:
        if each.owner or each.created is None:
            continue
        yield Write(each.created, each.type.name, each.id, "added")
        if each.type != CLUSTER or _upgraded(view, each):
            yield Write(changed_at(each), each.type.name, each.id)


def _upgraded(view: ClusterView, cluster: Resource) -> bool:
    """Whether the last write of a cluster began an upgrade. Marks of `pulumi up` and locks are writes too."""
    statuses = [view.one(kind) for kind in (TALOS_UPGRADE_STATUS, KUBERNETES_UPGRADE_STATUS)]
    return any(status is not None and changed_at(status) >= changed_at(cluster) for status in statuses)


def _last_together(writes: Sequence[Write]) -> list[Write]:
    """The writes of the last change; each resource with its first write in it, and with its removal."""
    ordered = sorted(writes, key=lambda each: each.at)
    first = len(ordered) - 1
    while first > 0 and ordered[first].at - ordered[first - 1].at <= TOGETHER:
        first -= 1
    found: dict[tuple[str, str, bool], Write] = {}
    for each in ordered[first:]:
        found.setdefault((each.type, each.id, each.verb == "removed"), each)
    return sorted(found.values(), key=lambda each: each.at)


def _count(number: int) -> str:
    return f"{number} {'resource' if number == 1 else 'resources'}"


def _duration(begin: datetime, end: datetime, *, done: bool) -> str:
    return f"took {lasting(end - begin)}" if done else f"not finished after {lasting(end - begin)}"


def _who(writes: Iterable[Write]) -> list[str]:
    names = sorted({each.by for each in writes if each.by})
    return [f"by {listing.names(names)}"] if names else []


def _what(writes: Iterable[Write]) -> Iterable[str]:
    """How many of each kind were added, changed and removed."""
    nouns = {part.type.name: part.nouns for part in PARTS}
    counts: dict[tuple[str, str], int] = {}
    for each in writes:
        counts[each.verb, each.type] = counts.get((each.verb, each.type), 0) + 1
    for verb in ("added", "changed", "removed", "written"):
        kinds = [
            f"{count} {nouns[kind][count > 1]}"
            for (its, kind), count in counts.items()
            if its == verb and kind in nouns
        ]
        if kinds:
            yield f"{verb}: {listing.names(kinds)}"


def _notes(log: Sequence[AuditEntry] | None, lanes: Sequence[Lane]) -> Iterable[str]:
    if not log:
        yield (
            "Omni's audit log has no entries or cannot be read (it needs the role Auditor or Admin): what was removed "
            "and who changed it is not known."
        )
    if any(lane.since is None for lane in lanes):
        yield "A thin line waits or works: Omni keeps only when a status changed last, not when its work began."
