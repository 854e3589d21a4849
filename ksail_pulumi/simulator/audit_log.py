"""The audit log: what users and Omni's own controllers have changed, as ReadAuditLog returns it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import grpc

from ksail_pulumi.omni.api import management_pb2
from ksail_pulumi.omni.resources import CLUSTER, CONFIG_PATCH, Resource
from ksail_pulumi.simulator.access import USER_MANAGED
from ksail_pulumi.simulator.store import Event, Store, StoreError
from ksail_pulumi.simulator.verification import Identity

CALLER: ContextVar[Identity | None] = ContextVar("ksail-pulumi-simulator-caller", default=None)
"""Who makes the call that is being answered; None in the threads of the controllers."""

READERS = ("Auditor", "Admin")
"""The roles that may read the log. Operator, which is between them, may not."""

_TYPES = frozenset(kind.name for kind in USER_MANAGED)
_EVENT_TYPES = {"create": 1, "update": 2, "destroy": 4, "teardown": 5, "audit_log_access": 8}
_ORDERS = {1: "event_ts", 2: "event_type", 3: "resource_type", 4: "resource_id", 5: "cluster", 6: "actor"}


@dataclass(frozen=True)
class _Row:
    """An entry.

    Attributes:
        by: The values that a request can filter and sort by.
        text: The entry on the wire, JSON.
    """

    by: Mapping[str, Any] = field(repr=False)
    text: str = field(repr=False)


class AuditLog:
    """Records the changes of a store."""

    def __init__(self, store: Store) -> None:
        self._rows: list[_Row] = []
        self._now = store.now
        store.subscribe(self._note)

    def read(
        self, identity: Identity, request: management_pb2.ReadAuditLogRequest, _cluster: str
    ) -> Iterator[management_pb2.ReadAuditLogResponse]:
        """The entries that match, one JSON object a line; the end date is exclusive. Each reading is an entry too."""
        if identity.role not in READERS:
            text = f'unauthorized: role "{identity.role}" is not one of the allowed roles [{" ".join(READERS)}]'
            raise StoreError(grpc.StatusCode.PERMISSION_DENIED, text)
        if request.follow and request.order_by_field:
            raise StoreError(grpc.StatusCode.INVALID_ARGUMENT, "order_by_field cannot be combined with follow")
        start, end = _day("start", request.start_time), _day("end", request.end_time)
        start = request.start_ts_ms or start
        rows = [row for row in tuple(self._rows) if _asked_for(request, row, start, end)]
        if request.order_by_field in _ORDERS:
            order = _ORDERS[request.order_by_field]
            rows.sort(key=lambda row: row.by[order], reverse=request.order_by_dir == 2)
        filters = {name: getattr(request, name) for name in ("search", "resource_type", "resource_id", "actor")}
        self._add("audit_log_access", {"audit_log_access": {key: text for key, text in filters.items() if text}})
        for row in rows:
            yield management_pb2.ReadAuditLogResponse(audit_log=row.text.encode() + b"\n")

    def _note(self, event: Event) -> None:
        resource, old = event.resource, event.old
        if resource.type.name not in _TYPES:
            return
        verb = {"created": "create", "updated": "update", "destroyed": "destroy"}[event.kind]
        if old is not None and resource.tearing_down and not old.tearing_down:
            verb = "teardown"
        elif old is not None and resource.spec == old.spec:
            return  # Omni logs no change of labels and annotations only
        self._add(verb, _data(verb, resource), resource)

    def _add(self, verb: str, data: Mapping[str, Any], resource: Resource | None = None) -> None:
        identity, at = CALLER.get(), int(self._now().timestamp() * 1000)
        named = {"resource_type": resource.type.name, "resource_id": resource.id} if resource else {}
        row = {"event_type": verb, **named, "event_data": {**data, "session": _session(identity)}, "event_ts": at}
        cluster = "" if resource is None else resource.id if resource.type == CLUSTER else resource.cluster
        by = {
            "event_ts": at,
            "event_type": verb,
            "resource_type": named.get("resource_type", ""),
            "resource_id": named.get("resource_id", ""),
            "cluster": "" if verb == "destroy" and resource and resource.type != CLUSTER else cluster,
            "actor": identity.email if identity else "",
        }
        self._rows.append(_Row(by, json.dumps(row, separators=(",", ":"))))


def _session(identity: Identity | None) -> dict[str, str]:
    if identity is None:
        return {"user_agent": "Omni-Internal-Agent"}
    return {
        "user_agent": "grpc-go/1.83.0",  # that of Omni's own proxy, whichever client it is
        "user_id": identity.user_id,
        "role": identity.role,
        "email": identity.email,
        "fingerprint": identity.fingerprint,
    }


def _data(verb: str, resource: Resource) -> dict[str, Any]:
    """The resource in an entry, for the types that tests need: a patch has its whole text."""
    if resource.type == CONFIG_PATCH:
        rest = {} if verb == "destroy" else {"labels": dict(resource.labels), "data": resource.spec.data}
        return {"config_patch": {"id": resource.id, **rest}}
    if resource.type == CLUSTER:
        spec = resource.spec
        versions = {"kubernetes_version": spec.kubernetes_version, "talos_version": spec.talos_version}
        return {"cluster": {"id": resource.id, **({} if verb == "destroy" else versions)}}
    return {}


def _day(which: str, text: str) -> int:
    """A date in milliseconds of Unix time; 0 for none."""
    if not text:
        return 0
    try:
        if not re.match("[0-9]{4}", text):
            raise ValueError(f'parsing time "{text}" as "2006-01-02": cannot parse "{text}" as "2006"')
        if len(text) > 10:
            raise ValueError(f'parsing time "{text}": extra text: "{text[10:]}"')
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError as error:
        refusal = f"invalid {which} time: {error}"
        raise StoreError(grpc.StatusCode.INVALID_ARGUMENT, refusal) from error


def _asked_for(request: management_pb2.ReadAuditLogRequest, row: _Row, start: int, end: int) -> bool:
    wanted = {
        "event_type": next((verb for verb, number in _EVENT_TYPES.items() if number == request.event_type), ""),
        "resource_type": request.resource_type,
        "resource_id": request.resource_id,
        "cluster": request.cluster_id,
        "actor": request.actor,
    }
    at = row.by["event_ts"]
    return (
        at >= start
        and not (request.end_time and at >= end)
        and request.search in row.text
        and all(value in ("", row.by[name]) for name, value in wanted.items())
    )
