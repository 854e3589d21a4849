"""Event streams recorded from a real Omni v1.10 with emulated machines, replayed into a view."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from ksail_pulumi.omni.resources import PREFIX, TYPES, Resource
from ksail_pulumi.omni.watch import Query, WatchEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.lifecycle.waiting.view import ClusterView
    from ksail_pulumi.omni.resources import ResourceType

CAPTURED = Path(__file__).parent / "captured"


@dataclass(frozen=True)
class Row:
    """One line of a capture: what happened `at` seconds after the cluster's creation began; `step`: a write ended."""

    at: float
    step: str = ""
    event: WatchEvent | None = None


def capture(name: str) -> list[Row]:
    lines = (CAPTURED / f"{name}.jsonl").read_text().splitlines()
    return [_row(json.loads(line)) for line in lines]


def _row(line: dict[str, Any]) -> Row:
    if "type" not in line:
        return Row(line["at"], step=line["step"])
    kind = TYPES[line["type"] + ".omni.sidero.dev"]
    resource = Resource(
        kind,
        line["id"],
        json_format.ParseDict(line.get("spec", {}), kind.spec()),
        labels={PREFIX + key: value for key, value in line.get("labels", {}).items()},
        phase=line.get("phase", "running"),
    )
    return Row(line["at"], event=WatchEvent(line["kind"], resource, Query(kind)))


def bootstrapped(*types: ResourceType) -> Iterator[WatchEvent]:
    """What every watch tells at its beginning where nothing exists yet."""
    for kind in types:
        yield WatchEvent("bootstrapped", None, Query(kind))


def view_of(view: ClusterView, types: tuple[ResourceType, ...], *resources: Resource) -> ClusterView:
    """Fill a view by hand; all of `types` count as known whole."""
    for event in bootstrapped(*types):
        view.apply(event.query.type, event)
    for resource in resources:
        view.apply(resource.type, WatchEvent("created", resource, Query(resource.type)))
    return view
