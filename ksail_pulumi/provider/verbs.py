"""Pulumi's `create`, `read`, `update` and `delete`, implemented with `lifecycle`."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pulumi.dynamic import CreateResult, ReadResult, UpdateResult

from ksail_pulumi.errors import KsailPulumiError, LifecycleError, NotFoundError
from ksail_pulumi.lifecycle.create import create as create_cluster
from ksail_pulumi.lifecycle.delete import delete as delete_cluster
from ksail_pulumi.lifecycle.lease import finish_creation
from ksail_pulumi.lifecycle.outputs import inputs_in
from ksail_pulumi.lifecycle.read import read as read_cluster
from ksail_pulumi.lifecycle.update import update as update_cluster
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.client import Client, connect
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.provider.credentials import see
from ksail_pulumi.provider.earlier import earlier_clusters
from ksail_pulumi.provider.identity import adopts, identity_of, keep, mark_of
from ksail_pulumi.provider.properties import CHOSEN, CREATE_FIRST, OWNER, REFUSED, VERSIONS, found, refreshed, stored
from ksail_pulumi.provider.run import this_run
from ksail_pulumi.provider.secrecy import marked
from ksail_pulumi.provider.sessions import perhaps_gone, session_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ksail_pulumi.lifecycle.outputs import ClusterOutputs
    from ksail_pulumi.provider.host.call import Call
    from ksail_pulumi.provider.settings import Settings


def create(call: Call, settings: Settings, inputs: Mapping[str, Any]) -> CreateResult:
    """Create the cluster, or continue an earlier create of this resource."""
    hidden = this_run.remembered(call.urn)
    _refuse_replacement(call)
    chosen = {key: value for key, value in hidden.get(CHOSEN, {}).items() if key not in inputs}
    spec = parse_cluster({**inputs_in(inputs), **chosen})
    session = session_for(call, settings, inputs, "create")
    client = _client(settings, inputs)  # unlike that of the session, it may finish the creation after the deadline
    with _saving(call, inputs, client):
        outputs = create_cluster(
            spec,
            OwnershipMark(str(inputs.get(OWNER, ""))),
            session,
            adopt=adopts(call.urn, client.endpoint, spec.name),
            resumable=bool(call.urn),
            create_first=bool(hidden.get(CREATE_FIRST)),
            earlier=earlier_clusters(call.urn, settings, inputs),
        )
    return CreateResult(outputs.name, _answer(call, settings, outputs, inputs, client))


def update(call: Call, settings: Settings, id_: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> UpdateResult:
    """Change the cluster to the new inputs; omitted versions stay as they are."""
    identity = identity_of(id_, olds, OwnershipMark(str(news.get(OWNER, "")), frozenset({str(olds.get(OWNER, ""))})))
    spec = parse_cluster(inputs_in(news))
    session = session_for(call, settings, news, "update")
    # Until all parts are rewritten, the former mark is valid too.
    client = _client(settings, news)
    with _saving(call, {**news, OWNER: olds.get(OWNER, news.get(OWNER))}, client):
        outputs = update_cluster(spec, identity, session, old=olds, earlier=earlier_clusters(call.urn, settings, news))
    return UpdateResult(_answer(call, settings, outputs, news, client))


def read(call: Call, settings: Settings, id_: str, properties: Mapping[str, Any]) -> ReadResult:
    """Read the cluster: for a refresh, with stored outputs as `properties`, or for `OmniCluster.get`."""
    with perhaps_gone(call.urn):
        return _read(call, settings, id_, properties)


def _read(call: Call, settings: Settings, id_: str, properties: Mapping[str, Any]) -> ReadResult:
    if "schema" not in properties:
        client = _client(settings, properties)
        outputs = read_cluster(id_, client)
        if outputs is None:
            raise NotFoundError(f"cluster {id_!r} not found in Omni at {client.endpoint}")
        return ReadResult(id_, found(outputs.to_wire()))
    identity = identity_of(id_, properties, mark_of(properties, call.urn))
    client = _client(settings, properties)
    outputs = read_cluster(id_, client, identity=identity, old=properties, inform=call.info)
    if outputs is None:
        call.warning(
            f"cluster {id_!r} no longer exists in Omni at {client.endpoint}, or is being deleted: it is removed from "
            "the state, and the next `pulumi up` creates it again"
        )
        return ReadResult("", {})
    outs, inputs = refreshed(outputs, properties, client.endpoint)
    return ReadResult(id_, outs, inputs)


def delete(call: Call, settings: Settings, id_: str, properties: Mapping[str, Any]) -> None:
    """Delete the cluster and wait until it is gone. It is not an error if it is gone already."""
    _refuse_replacement(call)
    identity = identity_of(id_, properties, mark_of(properties, call.urn))
    on_delete = properties.get("onDelete") or {}
    session = session_for(call, settings, properties, "delete")
    keep(call.urn, id_, properties)
    this_run.deletes(call.urn, session.client.endpoint, id_)
    with perhaps_gone(call.urn):
        delete_cluster(
            id_,
            session,
            identity=identity,
            on_disconnected=on_delete.get("disconnectedMachines", "fail"),
            backup_first="delete" in (properties.get("backupBefore") or ()),
        )
    call.progress("gone")


def _refuse_replacement(call: Call) -> None:
    """Refuse to create, or to delete for a replacement, if `check` could not reach Omni or found too few machines.

    Raises:
        LifecycleError: With the reason.
    """
    if reason := this_run.remembered(call.urn).get(REFUSED):
        raise LifecycleError(reason)


def _answer(
    call: Call, settings: Settings, outputs: ClusterOutputs, inputs: Mapping[str, Any], client: Client
) -> dict[str, Any]:
    """The outputs for the engine; the creation is finished once the engine has them."""
    call.progress(_in_short(outputs))
    see(settings, inputs, {"clusterUuid": outputs.cluster_uuid})
    return stored(_recorded(call, outputs, client), inputs, client.endpoint, marked(call.urn, inputs))


def _recorded(call: Call, outputs: ClusterOutputs, client: Client) -> ClusterOutputs:
    """Remove the creation mark once a state has the cluster with its UUID."""
    if not outputs.creation or not outputs.cluster_uuid:
        return outputs
    call.after_answer(lambda: finish_creation(client, outputs.name, outputs.creation))
    return replace(outputs, creation="")


def _in_short(outputs: ClusterOutputs) -> str:
    """The final message on the row of the resource."""
    machines = "1 machine" if len(outputs.nodes) == 1 else f"{len(outputs.nodes)} machines"
    versions = f"Talos {outputs.inputs['talosVersion']}, Kubernetes {outputs.inputs['kubernetesVersion']}"
    return f"{machines}, {versions}, {'ready' if outputs.ready else 'not ready yet'}"


def _client(settings: Settings, properties: Mapping[str, Any]) -> Client:
    return connect(settings.connection(properties))


@contextmanager
def _saving(call: Call, inputs: Mapping[str, Any], client: Client) -> Iterator[None]:
    """Let the engine save a cluster that Omni has accepted, if the operation fails after that."""
    try:
        yield
    except KsailPulumiError as error:
        if error.outputs is None:
            raise
        provider = {"__provider": inputs["__provider"]}
        outputs = _recorded(call, error.outputs, client) if call.can_save else error.outputs
        if outputs.reverted:
            # The next preview compares with what the cluster has: it shows the upgrade again.
            inputs = {**inputs, **{key: outputs.inputs[key] for key in VERSIONS if key in inputs}}
        saved = stored(outputs, inputs, client.endpoint, marked(call.urn, inputs))
        raise call.partial_failure(error.outputs.name, saved | provider, inputs, str(error)) from None
