"""Resources in the form that omnictl prints them in, so that golden pairs can be compared with its output by eye."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ksail_pulumi.plan.parts.table import PARTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ksail_pulumi.omni.resources import Resource


def rendered(resource: Resource) -> dict[str, Any]:
    """A resource as omnictl's YAML has it, without what the server sets."""
    metadata: dict[str, Any] = {"type": resource.type.name, "id": resource.id}
    if resource.labels:
        metadata["labels"] = dict(resource.labels)
    if resource.annotations:
        metadata["annotations"] = dict(resource.annotations)
    return {"metadata": metadata, "spec": _message(resource.spec)}


def by_type(resources: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rendered resources in Omni's order of types, and by ID: those of one type are written at the same time."""
    ranks = [part.type.name for part in PARTS]
    return sorted(resources, key=lambda each: (ranks.index(each["metadata"]["type"]), each["metadata"]["id"]))


def _message(message: Any) -> dict[str, Any]:
    fields = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.is_repeated:
            value = [_message(each) if field.message_type else each for each in value]
        elif field.message_type and not message.HasField(field.name):
            value = None
        elif field.message_type:
            value = _message(value)
        elif isinstance(value, bytes):
            value = list(value)
        fields[field.name.replace("_", "")] = value
    return fields
