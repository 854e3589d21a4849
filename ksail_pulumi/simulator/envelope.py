"""Resources on the wire as the server reads and writes them, with its texts for malformed ones."""

from __future__ import annotations

import re
from dataclasses import replace

import grpc
from google.protobuf.message import DecodeError

from ksail_pulumi.omni.api import resource_pb2
from ksail_pulumi.omni.resources import RUNNING, TEARING_DOWN, Resource, ResourceType, to_wire
from ksail_pulumi.simulator.store import StoreError

encode = to_wire


def decode(wire: resource_pb2.Resource, resource_type: ResourceType) -> Resource:
    """Decode the resource of a request.

    Raises:
        StoreError: The spec cannot be parsed (Omni answers `UNKNOWN`).
    """
    metadata = wire.metadata
    spec = resource_type.spec()
    try:
        spec.ParseFromString(wire.spec.proto_spec)
    except DecodeError as error:
        raise StoreError(grpc.StatusCode.UNKNOWN, "unexpected EOF") from error
    if metadata.namespace != resource_type.namespace:
        resource_type = replace(resource_type, namespace=metadata.namespace)
    return Resource(
        type=resource_type,
        id=metadata.id,
        spec=spec,
        labels=dict(metadata.labels),
        annotations=dict(metadata.annotations),
        version=0 if metadata.version == "undefined" else int(metadata.version),
        phase=metadata.phase,
        owner=metadata.owner,
        finalizers=tuple(metadata.finalizers),
    )


def check(has_resource: bool, wire: resource_pb2.Resource) -> None:
    """Check what Omni checks before it knows the type.

    Raises:
        StoreError: A part is missing or malformed.
    """
    if not has_resource:
        raise StoreError(grpc.StatusCode.INVALID_ARGUMENT, "resource is missing")
    if not wire.HasField("metadata"):
        raise StoreError(grpc.StatusCode.UNKNOWN, "metadata is missing")
    if not wire.HasField("spec"):
        raise StoreError(grpc.StatusCode.UNKNOWN, "spec is missing")
    version, phase = wire.metadata.version, wire.metadata.phase
    if version != "undefined" and (fault := _integer_fault(version)):
        text = f'error parsing version: strconv.ParseInt: parsing "{version}": {fault}'
        raise StoreError(grpc.StatusCode.UNKNOWN, text)
    check_phase(phase)


def check_phase(phase: str) -> None:
    """Check the name of a phase.

    Raises:
        StoreError: There is no such phase.
    """
    if phase not in (RUNNING, TEARING_DOWN):
        raise StoreError(grpc.StatusCode.UNKNOWN, f"unknown phase: {phase}")


def _integer_fault(text: str) -> str:
    """Why Go cannot parse a 64-bit integer (https://pkg.go.dev/strconv#ParseInt); empty if it can."""
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        return "invalid syntax"
    significant = text.lstrip("+-0")
    return "value out of range" if len(significant) > 19 or int(f"0{significant}") >= 1 << 63 else ""
