"""The State service: access rules, then Omni's validations, then the store."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from ksail_pulumi.omni.api import resource_pb2, state_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    ETCD_BACKUP,
    LABEL_CLUSTER,
    MOST_STORED_BYTES,
    RUNNING,
    TEARING_DOWN,
    Resource,
    stored_bytes,
)
from ksail_pulumi.simulator import access, envelope, queries, validations, virtual
from ksail_pulumi.simulator.faults import Faults
from ksail_pulumi.simulator.store import Store, StoreError, Verb, named, not_found
from ksail_pulumi.simulator.validations import Context
from ksail_pulumi.simulator.verification import Identity
from ksail_pulumi.simulator.watches import Watch


class State:
    """The methods of `cosi.resource.State`; they raise `StoreError` where Omni refuses."""

    def __init__(
        self, store: Store, context: Context, virtual_types: virtual.Virtual, types: access.Table, faults: Faults
    ) -> None:
        self._store = store
        self._situation = context
        self._virtual = virtual_types
        self._types = types
        self._faults = faults

    def get(self, identity: Identity, request: state_pb2.GetRequest) -> state_pb2.GetResponse:
        kind = self._check(identity, "read", request.type).type
        if kind in access.VIRTUAL:
            return state_pb2.GetResponse(resource=envelope.encode(self._virtual.get(identity, kind, request.id)))
        return state_pb2.GetResponse(resource=envelope.encode(self._existing(request)))

    def list(self, identity: Identity, request: state_pb2.ListRequest) -> Iterator[state_pb2.ListResponse]:
        """Read all resources that match a query, ordered by ID."""
        kind = self._check(identity, "read", request.type).type
        if kind in access.VIRTUAL:
            for resource in self._virtual.list(identity, kind):
                yield state_pb2.ListResponse(resource=envelope.encode(resource))
            return
        matches = queries.predicate(request.options.label_query, request.options.id_query)
        cluster = queries.cluster_of(request.options.label_query, LABEL_CLUSTER)
        if kind == ETCD_BACKUP and cluster is None:
            text = "failed to validate: cluster ID must be specified in query"
            raise StoreError(grpc.StatusCode.UNKNOWN, text)
        for resource in self._store.members(request.type, request.namespace, cluster):
            if matches(resource):
                yield state_pb2.ListResponse(resource=envelope.encode(resource))

    def create(self, identity: Identity, request: state_pb2.CreateRequest) -> state_pb2.CreateResponse:
        envelope.check(request.HasField("resource"), request.resource)
        kind = self._check(identity, "create", request.resource.metadata.type).type
        resource = envelope.decode(request.resource, kind)
        if resource.owner and resource.owner != request.options.owner:
            name = named(kind.name, resource.type.namespace, resource.id)
            text = f'failed to set owner on create "{name}": owner is already set to "{resource.owner}"'
            raise StoreError(grpc.StatusCode.UNKNOWN, text)
        validations.check_create(self._situation, resource)
        _check_size(request.resource)
        stored = self._store.create(resource, owner=request.options.owner)
        self._record("create", stored, identity)
        return state_pb2.CreateResponse(resource=envelope.encode(stored))

    def update(self, identity: Identity, request: state_pb2.UpdateRequest) -> state_pb2.UpdateResponse:
        envelope.check(request.HasField("new_resource"), request.new_resource)
        metadata = request.new_resource.metadata
        kind = self._check(identity, "update", metadata.type).type
        current = self._existing(metadata)
        options = request.options
        expected = options.expected_phase if options.HasField("expected_phase") else None
        envelope.check_phase(expected or RUNNING)
        resource = envelope.decode(request.new_resource, kind)
        if resource.phase == TEARING_DOWN or current.tearing_down:
            # Omni treats a change of a resource that is torn down as a part of its destruction.
            validations.check_destroy(self._situation, current)
        else:
            validations.check_update(self._situation, current, resource)
        _check_size(request.new_resource)
        stored = self._store.update(resource, owner=options.owner, expected_phase=expected)
        self._record("update", stored, identity)
        return state_pb2.UpdateResponse(resource=envelope.encode(stored))

    def teardown(self, identity: Identity, request: state_pb2.TeardownRequest) -> state_pb2.TeardownResponse:
        """Mark a resource for destruction."""
        ready = self._tear_down(identity, request, request.options.owner)
        return state_pb2.TeardownResponse(destroy_ready=ready)

    def start_destruction(self, identity: Identity, request: state_pb2.TeardownAndDestroyRequest) -> bool:
        """The first half of TeardownAndDestroy; returns whether the second can follow at once."""
        return self._tear_down(identity, request, request.options.owner)

    def is_held(self, request: state_pb2.TeardownAndDestroyRequest) -> bool:
        """Whether a resource that is torn down still has finalizers.

        Raises:
            StoreError: It is gone: Omni's own controller destroyed it first.
        """
        try:
            return bool(self._store.get(request.type, request.namespace, request.id).finalizers)
        except StoreError as error:
            raise not_found(request.type, request.namespace, request.id, "failed to destroy: ") from error

    def finish_destruction(self, request: state_pb2.TeardownAndDestroyRequest) -> state_pb2.TeardownAndDestroyResponse:
        """The second half of TeardownAndDestroy."""
        resource = self._existing(request)
        self._store.destroy(resource.type, resource.id, owner=request.options.owner)
        return state_pb2.TeardownAndDestroyResponse()

    def destroy(self, identity: Identity, request: state_pb2.DestroyRequest) -> state_pb2.DestroyResponse:
        """Remove a resource that has no finalizers."""
        self._check(identity, "destroy", request.type)
        resource = self._existing(request)
        validations.check_destroy(self._situation, resource)
        self._store.destroy(resource.type, resource.id, owner=request.options.owner)
        self._record("destroy", resource, identity)
        return state_pb2.DestroyResponse()

    def watch(self, identity: Identity, request: state_pb2.WatchRequest) -> Watch:
        """Start a watch on a resource or a type."""
        kind = self._check(identity, "read", request.type).type
        if kind in access.VIRTUAL:
            text = f'unsupported resource type for watch "{request.type}"'
            raise StoreError(grpc.StatusCode.UNIMPLEMENTED, text)
        return Watch(self._store, request)

    def _tear_down(
        self,
        identity: Identity,
        request: state_pb2.TeardownRequest | state_pb2.TeardownAndDestroyRequest,
        owner: str,
    ) -> bool:
        self._check(identity, "destroy", request.type)
        resource = self._existing(request)
        validations.check_destroy(self._situation, resource)
        ready = self._store.teardown(resource.type, resource.id, owner=owner)
        if not resource.tearing_down:
            self._record("teardown", resource, identity)
        return ready

    def _check(self, identity: Identity, action: access.Action, type_name: str) -> access.Access:
        types = {} if type_name in self._faults.missing_types else self._types
        return access.check(types, identity, action, type_name)

    def _existing(self, named: validations.Named) -> Resource:
        if named.namespace not in access.NAMESPACES:
            try:
                return self._store.get(named.type, named.namespace, named.id)
            except StoreError as error:
                raise not_found(named.type, named.namespace, named.id, "failed to get: ") from error
        return self._store.get(named.type, named.namespace, named.id)

    def _record(self, verb: Verb, resource: Resource, identity: Identity) -> None:
        cluster = resource.id if resource.type == CLUSTER else resource.cluster
        self._store.record(verb, resource, identity.email, cluster)


def _check_size(resource: resource_pb2.Resource) -> None:
    """Refuse what Omni's client for etcd refuses.

    Raises:
        StoreError: `RESOURCE_EXHAUSTED`.
    """
    size = stored_bytes(resource.SerializeToString())
    if size > MOST_STORED_BYTES:
        text = f"trying to send message larger than max ({size} vs. {MOST_STORED_BYTES})"
        raise StoreError(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
