"""The YAML form of specs, which omnictl prints: as go-yaml writes Omni's structs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from google.protobuf.message import Message

from ksail_pulumi.omni.api import resource_pb2, state_pb2
from ksail_pulumi.simulator.access import RESOURCE_DEFINITIONS, table

_TYPES = table(3)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_DEFINITION = {
    "resource_type": "type",
    "display_type": "displayType",
    "default_namespace": "defaultNamespace",
    "aliases": "aliases",
    "all_aliases": "allAliases",
    "print_columns": "printColumns",
}
_KEPT = {"ClusterMachineSpec": ("kubernetes_version",)}
"""Fields that have a YAML name of their own in Omni."""

_WITH_RESOURCE = (
    state_pb2.GetResponse,
    state_pb2.ListResponse,
    state_pb2.CreateResponse,
    state_pb2.UpdateResponse,
)


def add(reply: Message) -> None:
    """Add the YAML form to each resource of a reply."""
    for resource in _resources(reply):
        if not resource.spec.yaml_spec and resource.metadata.type in _TYPES:
            spec = _TYPES[resource.metadata.type].type.spec()
            spec.ParseFromString(resource.spec.proto_spec)
            resource.spec.yaml_spec = yaml.dump(_form(spec), Dumper=_DUMPER, sort_keys=False, indent=4)


def _form(spec: Message) -> dict[str, Any]:
    if spec.DESCRIPTOR is RESOURCE_DEFINITIONS.spec.DESCRIPTOR:
        fields = {name: getattr(spec, field) for field, name in _DEFINITION.items()}
        return {name: value if isinstance(value, str) else list(value) for name, value in fields.items()}
    return _fields(spec)


def _resources(reply: Message) -> Iterator[resource_pb2.Resource]:
    if isinstance(reply, state_pb2.WatchResponse):
        for event in reply.event:
            yield event.resource
            if event.HasField("old"):
                yield event.old
    elif isinstance(reply, _WITH_RESOURCE):
        yield reply.resource


def _fields(message: Message) -> dict[str, Any]:
    """Every field under its lowercase Go name, also where it is zero."""
    kept = _KEPT.get(message.DESCRIPTOR.name, ())
    return {
        field.name if field.name in kept else field.name.replace("_", "").lower(): _field(message, field)
        for field in message.DESCRIPTOR.fields
    }


def _field(message: Message, field: Any) -> Any:
    value = getattr(message, field.name)
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        of_messages = entry.fields_by_name["value"].message_type is not None
        return {key: _fields(value[key]) if of_messages else _scalar(value[key]) for key in sorted(value)}
    if hasattr(value, "extend"):  # a repeated field
        return [_fields(item) if entry is not None else _scalar(item) for item in value]
    if field.has_presence and not message.HasField(field.name):
        return None
    return _fields(value) if entry is not None else _scalar(value)


def _scalar(value: Any) -> Any:
    return list(value) if isinstance(value, bytes) else value
