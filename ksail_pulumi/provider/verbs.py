"""Pulumi's `create`, `read`, `update` and `delete`: properties in, the verbs of `lifecycle`, properties out."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pulumi.dynamic import CreateResult, ReadResult, UpdateResult

from ksail_pulumi.errors import KsailPulumiError, LifecycleError, NotFoundError
from ksail_pulumi.lifecycle.create import create as create_cluster
from ksail_pulumi.lifecycle.delete import delete as delete_cluster
from ksail_pulumi.lifecycle.outputs import inputs_in
from ksail_pulumi.lifecycle.read import read as read_cluster
from ksail_pulumi.lifecycle.session import DEFAULT_SECONDS, Deadline, Session
from ksail_pulumi.lifecycle.update import update as update_cluster
from ksail_pulumi.omni.client import Client, connect
from ksail_pulumi.omni.resources import CLUSTER
from ksail_pulumi.plan.desired import OwnershipMark
from ksail_pulumi.provider.properties import ADOPT, OMNI, OWNER, found, refreshed, stored
from ksail_pulumi.spec.cluster import parse_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ksail_pulumi.lifecycle.outputs import ClusterOutputs
    from ksail_pulumi.provider.host import Call
    from ksail_pulumi.provider.settings import Settings


def create(call: Call, settings: Settings, inputs: Mapping[str, Any]) -> CreateResult:
    """Make the cluster, or go on with it where an earlier create stopped."""
    spec = parse_cluster(inputs_in(inputs))
    session = _session(call, settings, inputs, "create")
    with _saving(call, inputs, session.client.endpoint):
        outputs = create_cluster(spec, _mark(inputs), session, adopt=bool(inputs.get(ADOPT)))
    call.progress(_in_short(outputs))
    return CreateResult(outputs.name, stored(outputs, inputs, session.client.endpoint))


def update(call: Call, settings: Settings, olds: Mapping[str, Any], news: Mapping[str, Any]) -> UpdateResult:
    """Bring the cluster to the new inputs; versions that are left out stay as they are."""
    spec = parse_cluster(inputs_in(news))
    session = _session(call, settings, news, "update")
    with _saving(call, news, session.client.endpoint):
        outputs = update_cluster(spec, _mark(news), session, old=olds)
    call.progress(_in_short(outputs))
    return UpdateResult(stored(outputs, news, session.client.endpoint))


def read(settings: Settings, id_: str, properties: Mapping[str, Any]) -> ReadResult:
    """Look at the cluster: for a refresh, where `properties` are stored outputs, or for `OmniCluster.get`."""
    is_refresh = "schema" in properties
    client = _client(settings, properties)
    outputs = read_cluster(id_, client, old=properties if is_refresh else None)
    if outputs is None and is_refresh:
        _refuse_another_omni(id_, client, properties)
        return ReadResult("", {})
    if outputs is None:
        raise NotFoundError(f"there is no cluster {id_!r} in Omni at {client.endpoint}")
    if not is_refresh:
        return ReadResult(id_, found(outputs))
    outs, inputs = refreshed(outputs, properties, client.endpoint)
    return ReadResult(id_, outs, inputs)


def delete(call: Call, settings: Settings, id_: str, properties: Mapping[str, Any]) -> None:
    """Delete the cluster and wait until it is gone; one that is gone already is no error."""
    on_delete = properties.get("onDelete") or {}
    session = _session(call, settings, properties, "delete")
    _refuse_another_omni(id_, session.client, properties)
    delete_cluster(
        id_,
        session,
        mark=_mark(properties),
        on_disconnected=on_delete.get("disconnectedMachines", "fail"),
    )
    call.progress("gone")


def _refuse_another_omni(name: str, client: Client, properties: Mapping[str, Any]) -> None:
    """A cluster that is missing in another Omni than it was last seen in is not gone.

    Raises:
        LifecycleError: It was seen elsewhere, and is not here.
    """
    seen_in = properties.get(OMNI, client.endpoint)
    if seen_in != client.endpoint and client.state.find(CLUSTER, name) is None:
        raise LifecycleError(
            f"cluster {name!r} was last seen in Omni at {seen_in}, and Omni at {client.endpoint} has no such cluster: "
            "let `omni:endpoint` or OMNI_ENDPOINT point to the former again; or, if the cluster is gone together with "
            "that Omni, drop it from the stack with `pulumi state delete`"
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
def _saving(call: Call, inputs: Mapping[str, Any], endpoint: str) -> Iterator[None]:
    """Let the engine save a cluster that Omni has accepted, though the verb failed after that."""
    try:
        yield
    except KsailPulumiError as error:
        if error.outputs is None:
            raise
        provider = {"__provider": inputs["__provider"]}
        saved = stored(error.outputs, inputs, endpoint)
        raise call.partial_failure(error.outputs.name, saved | provider, inputs, str(error)) from None
