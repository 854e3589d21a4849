"""Attempts that were made on a real Omni v1.10.4, made again here: the same codes and the same texts.

`data/refusals.jsonl` has one attempt a line. What had to be there before is in `given`, as calls of the lab. Versions
in names of resources depend on history and are not compared.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.empty_pb2 import Empty

from ksail_pulumi.omni.api import management_pb2, resource_pb2, state_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.simulator import access, envelope
from ksail_pulumi.simulator.server import Simulator

ATTEMPTS = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "refusals.jsonl").read_text(encoding="utf-8").splitlines()
]
FEWEST = 394


def test_all_recorded_attempts_are_there() -> None:
    assert len(ATTEMPTS) >= FEWEST


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=[attempt["what"] for attempt in ATTEMPTS])
def test_answers_as_omni_did(attempt: dict[str, Any], still: Simulator, caller: Any, lab: Any) -> None:
    for given in attempt.get("given", ()):
        name, *arguments = given
        options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        getattr(lab, name)(*arguments, **options)
    method = attempt["method"]
    code, message = "OK", ""
    try:
        BY_METHOD.get(method, manage)(Attempt(attempt, still, caller))
    except grpc.RpcError as error:
        code, message = error.code().name, error.details()
    assert (code, unversioned(message)) == (attempt["code"], unversioned(attempt.get("message", "")))


class Attempt:
    """One attempt, with its request made whole."""

    def __init__(self, attempt: dict[str, Any], omni: Simulator, caller: Any) -> None:
        self.method: str = attempt["method"]
        name = attempt.get("type", "")
        self.type = name if "." in name else f"{name}.omni.sidero.dev"
        self.request: dict[str, Any] = expanded(attempt["request"])
        self.omni = omni
        self.caller = caller

    @property
    def address(self) -> dict[str, str]:
        known = access.TABLE.get(self.type)
        namespace = self.request.get("namespace", known.type.namespace if known else "default")
        return {"namespace": namespace, "type": self.type, "id": self.request.get("id", "")}

    def spec(self, data: dict[str, Any], onto: Any = None) -> bytes:
        known = access.TABLE.get(self.type)
        if known is None:
            return b""
        spec = known.type.spec()
        if onto is not None:
            spec.CopyFrom(onto)
        for key, value in data.items():
            camel = {field.json_name: field.name for field in spec.DESCRIPTOR.fields}
            spec.ClearField(camel[key])
            if value is not None:
                json_format.ParseDict({key: value}, spec)
        if "backup_in" in self.request:
            spec.backup_at.FromDatetime(datetime.now(UTC) + timedelta(seconds=self.request["backup_in"]))
        return spec.SerializeToString()


def create(attempt: Attempt) -> None:
    request = attempt.request
    if "raw" in request:
        attempt.caller.call("Create", json_format.ParseDict(request["raw"], state_pb2.CreateRequest()))
        return
    metadata = resource_pb2.Metadata(**attempt.address, version="undefined", phase="running")
    metadata.labels.update(request.get("labels", {}))
    metadata.annotations.update(request.get("annotations", {}))
    override(metadata, request)
    resource = resource_pb2.Resource(metadata=metadata)
    if not request.get("without_spec"):
        proto = base64.b64decode(request["proto_spec"]) if "proto_spec" in request else b""
        proto = proto or attempt.spec(request.get("spec", {}))
        resource.spec.CopyFrom(resource_pb2.Spec(proto_spec=proto, yaml_spec=request.get("yaml_spec", "")))
    options = state_pb2.CreateOptions(owner=request.get("options", {}).get("owner", ""))
    attempt.caller.call("Create", state_pb2.CreateRequest(resource=resource, options=options))


def update(attempt: Attempt) -> None:
    request = attempt.request
    known = access.TABLE[attempt.type].type
    found = attempt.omni.store.find(known, request.get("id", "")) or Resource(known, request["id"], known.spec())
    resource = envelope.encode(found)
    resource.spec.proto_spec = attempt.spec(request.get("set_spec", {}), onto=found.spec)
    for entries, changes in (
        (resource.metadata.labels, request.get("set_labels", {})),
        (resource.metadata.annotations, request.get("set_annotations", {})),
    ):
        for key, value in changes.items():
            if value is None:
                entries.pop(key, None)
            else:
                entries[key] = value
    override(resource.metadata, request)
    options = json_format.ParseDict(request.get("options", {}), state_pb2.UpdateOptions())
    attempt.caller.call("Update", state_pb2.UpdateRequest(new_resource=resource, options=options))


def read(attempt: Attempt) -> None:
    attempt.caller.call("Get", state_pb2.GetRequest(**attempt.address))


def remove(attempt: Attempt) -> None:
    kind = getattr(state_pb2, f"{attempt.method}Request")
    wire = json_format.ParseDict({**attempt.address, "options": attempt.request.get("options", {})}, kind())
    attempt.caller.call(attempt.method, wire)


def list_all(attempt: Attempt) -> None:
    address = attempt.address
    wire = state_pb2.ListRequest(namespace=address["namespace"], type=address["type"])
    if "query" in attempt.request:
        term = json_format.ParseDict(attempt.request["query"], resource_pb2.LabelTerm())
        wire.options.label_query.add().terms.append(term)
    if "label" in attempt.request:
        wire.options.label_query.add().terms.add(key=attempt.request["label"])
    wire.options.id_query.regexp = attempt.request.get("regexp", "")
    list(attempt.caller.stream("List", wire))


def watch(attempt: Attempt) -> None:
    if "options" in attempt.request:
        wire = json_format.ParseDict(attempt.request, state_pb2.WatchRequest())
    else:
        wire = state_pb2.WatchRequest(**attempt.address, options=state_pb2.WatchOptions(), api_version=1)
    stream = attempt.caller.stream("Watch", wire)
    next(stream)
    next(stream)
    stream.cancel()


def use_former_api(attempt: Attempt) -> None:
    name = "/omni.resources.ResourceService/Get"
    call = attempt.caller.channel.unary_unary(name)
    call(b"", metadata=attempt.caller.metadata(name), timeout=60)


def audit(attempt: Attempt) -> None:
    list(attempt.caller.stream("ReadAuditLog", management_pb2.ReadAuditLogRequest(**attempt.request)))


def manage(attempt: Attempt) -> None:
    kind = getattr(management_pb2, f"{attempt.method}Request", Empty)
    wire = json_format.ParseDict(attempt.request.get("request", {}), kind())
    attempt.caller.call(attempt.method, wire, attempt.request.get("metadata", {}))


BY_METHOD: dict[str, Callable[[Attempt], None]] = {
    "Create": create,
    "Update": update,
    "Get": read,
    "List": list_all,
    "Watch": watch,
    "Teardown": remove,
    "Destroy": remove,
    "TeardownAndDestroy": remove,
    "ReadAuditLog": audit,
    "ResourceGet": use_former_api,
}


def override(metadata: resource_pb2.Metadata, request: dict[str, Any]) -> None:
    for key, value in request.get("metadata", {}).items():
        if isinstance(value, list):
            del metadata.finalizers[:]
            metadata.finalizers.extend(value)
        else:
            setattr(metadata, key, value)
    if "owner" in request.get("options", {}) and "set_labels" in request:
        metadata.owner = request["options"]["owner"]


def expanded(value: Any) -> Any:
    """Write out `$times k 1025`: 1025 times the letter k."""
    if isinstance(value, str) and value.startswith("$times "):
        _, letter, count = value.split(" ")
        return letter * int(count)
    if isinstance(value, dict):
        return {expanded(key): expanded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [expanded(item) for item in value]
    return value


def unversioned(message: str) -> str:
    return re.sub(r"@\d+\)", "@N)", message)
