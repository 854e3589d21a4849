"""Pulumi's `create`, `read`, `update` and `delete`: properties in, the verbs of `lifecycle`, properties out."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pulumi.dynamic import CreateResult, ReadResult, UpdateResult

from ksail_pulumi.errors import KsailPulumiError, NotFoundError
from ksail_pulumi.lifecycle.create import create as create_cluster
from ksail_pulumi.lifecycle.delete import delete as delete_cluster
from ksail_pulumi.lifecycle.read import read as read_cluster
from ksail_pulumi.lifecycle.session import DEFAULT_SECONDS, Deadline, Session
from ksail_pulumi.lifecycle.update import update as update_cluster
from ksail_pulumi.omni.client import Client, connect
from ksail_pulumi.plan.desired import OwnershipMark
from ksail_pulumi.provider.properties import ADOPT, OWNER, found, inputs_of, refreshed, stored
from ksail_pulumi.spec.cluster import parse_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ksail_pulumi.lifecycle.outputs import ClusterOutputs
    from ksail_pulumi.provider.host import Call
    from ksail_pulumi.provider.settings import Settings


def create(call: Call, settings: Settings, inputs: Mapping[str, Any]) -> CreateResult:
    """Make the cluster, or go on with it where an earlier create stopped."""
    spec = parse_cluster(inputs_of(inputs))
    with _saving(call, inputs):
        outputs = create_cluster(
            spec, _mark(inputs), _session(call, settings, inputs, "create"), adopt=bool(inputs.get(ADOPT))
        )
    call.progress(_in_short(outputs))
    return CreateResult(outputs.name, stored(outputs, inputs))


def update(call: Call, settings: Settings, olds: Mapping[str, Any], news: Mapping[str, Any]) -> UpdateResult:
    """Bring the cluster to the new inputs; versions that are left out stay as they are."""
    spec = parse_cluster(inputs_of(news))
    with _saving(call, news):
        outputs = update_cluster(spec, _mark(news), _session(call, settings, news, "update"), old=olds)
    call.progress(_in_short(outputs))
    return UpdateResult(stored(outputs, news))


def read(settings: Settings, id_: str, properties: Mapping[str, Any]) -> ReadResult:
    """Look at the cluster: for a refresh, where `properties` are stored outputs, or for `OmniCluster.get`."""
    is_refresh = "schema" in properties
    client = _client(settings, properties)
    outputs = read_cluster(id_, client, old=properties if is_refresh else None)
    if outputs is None and is_refresh:
        return ReadResult("", {})
    if outputs is None:
        raise NotFoundError(f"there is no cluster {id_!r} in Omni at {client.endpoint}")
    if not is_refresh:
        return ReadResult(id_, found(outputs))
    outs, inputs = refreshed(outputs, properties)
    return ReadResult(id_, outs, inputs)


def delete(call: Call, settings: Settings, id_: str, properties: Mapping[str, Any]) -> None:
    """Delete the cluster and wait until it is gone; one that is gone already is no error."""
    on_delete = properties.get("onDelete") or {}
    delete_cluster(
        id_,
        _session(call, settings, properties, "delete"),
        mark=_mark(properties),
        on_disconnected=on_delete.get("disconnectedMachines", "fail"),
    )


def _in_short(outputs: ClusterOutputs) -> str:
    """What stays on the resource's row, in place of the last thing that was waited for."""
    machines = "1 machine" if len(outputs.nodes) == 1 else f"{len(outputs.nodes)} machines"
    versions = f"Talos {outputs.inputs['talosVersion']}, Kubernetes {outputs.inputs['kubernetesVersion']}"
    return f"{machines}, {versions}, {'ready' if outputs.ready else 'not ready yet'}"


def _client(settings: Settings, properties: Mapping[str, Any]) -> Client:
    return connect(settings.connection(properties))


def _session(call: Call, settings: Settings, properties: Mapping[str, Any], verb: str) -> Session:
    return Session(
        client=_client(settings, properties),
        deadline=Deadline.after(call.timeout or DEFAULT_SECONDS[verb]),
        progress=call.progress,
        warn=call.warning,
        cancelled=call.cancelled,
    )


def _mark(properties: Mapping[str, Any]) -> OwnershipMark:
    return OwnershipMark(str(properties.get(OWNER, "")))


@contextmanager
def _saving(call: Call, inputs: Mapping[str, Any]) -> Iterator[None]:
    """Let the engine save a cluster that Omni has accepted, though the verb failed after that."""
    try:
        yield
    except KsailPulumiError as error:
        if error.outputs is None:
            raise
        provider = {"__provider": inputs["__provider"]}
        saved = stored(error.outputs, inputs)
        raise call.partial_failure(error.outputs.name, saved | provider, inputs, str(error)) from None
