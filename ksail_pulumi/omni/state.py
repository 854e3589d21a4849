"""Omni's resources over the wire: the service `cosi.resource.State`, which omnictl uses too."""

# ruff: noqa: A002 -- `type` and `id` are what Omni calls them

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from ksail_pulumi.errors import ConflictError, NotFoundError, UnreachableError, UnsupportedError
from ksail_pulumi.omni.api import resource_pb2, state_pb2
from ksail_pulumi.omni.api.state_pb2_grpc import StateStub
from ksail_pulumi.omni.channel import Call, Service
from ksail_pulumi.omni.resources import ALL, RUNNING, TEARING_DOWN, Resource, ResourceType, from_wire, to_wire
from ksail_pulumi.omni.watch import API_VERSION, Query, Watch, label_query
from ksail_pulumi.redaction import quoted

if TYPE_CHECKING:
    import threading

    from ksail_pulumi.errors import OmniError
    from ksail_pulumi.omni.channel import Channel

T = TypeVar("T")
Resources = list[Resource]

_all: Callable[[Iterable[Resource]], Resources] = list  # in the class, `list` is a method

_STATE = Service("cosi.resource.State", StateStub)
_MODIFY_ATTEMPTS = 10
_MODIFY_PAUSE = 0.05


class State:
    """Reads, writes and watches resources.

    `start_…` sends the request and returns a `Call`: a loop of those sends thousands of calls at once, without
    threads; `Call.result()` then waits for each.

    A call without a connection is retried for a few seconds. If the first attempt succeeded and only its answer was
    lost, the retry fails on its own work: a create raises `AlreadyExistsError`, an update `ConflictError`, a destroy
    `NotFoundError`.

    All verbs raise subclasses of `OmniError`.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def get(self, type: ResourceType, id: str) -> Resource:
        """Read one resource; `NotFoundError` if there is none."""
        resource: Resource = self._start_get(type, id, recover=None).result()
        return resource

    def find(self, type: ResourceType, id: str) -> Resource | None:
        """Read one resource, `None` if there is none."""
        return self.start_find(type, id).result()

    def list(self, type: ResourceType, labels: Mapping[str, str | None] | None = None) -> Resources:
        """All resources of a type that have all these labels; the value `None` means any value."""
        return self.start_list(type, labels or {}).result()

    def create(self, resource: Resource) -> Resource:
        """Write a new resource; returns it as stored."""
        return self.start_create(resource).result()

    def update(self, resource: Resource) -> Resource:
        """Replace a resource; `ConflictError` if its version is no longer the stored one."""
        return self.start_update(resource).result()

    def modify(self, type: ResourceType, id: str, change: Callable[[Resource], Resource]) -> Resource:
        """Read a resource, change it, and write it back; start over after a conflicting write by someone else.

        Nothing is written if `change` returns its argument. Finalizers are always kept.
        """
        attempt = 0
        while True:
            actual = self.get(type, id)
            desired = replace(change(actual), version=actual.version, finalizers=actual.finalizers)
            if desired == actual:
                return actual
            try:
                return self.update(desired)
            except ConflictError as error:
                attempt += 1
                if attempt == _MODIFY_ATTEMPTS:
                    error.args = (
                        f"{error}. Others changed it during each of {attempt} attempts: run the command again",
                    )
                    raise
                time.sleep(random.uniform(0, _MODIFY_PAUSE * attempt))  # noqa: S311

    def teardown(self, type: ResourceType, id: str) -> bool:
        """Mark a resource for removal; true if it has no finalizers left.

        Omni (since 1.2, and for all types since 1.9) destroys it itself once its finalizers are gone.
        """
        return self.start_teardown(type, id).result()

    def destroy(self, type: ResourceType, id: str) -> None:
        """Remove a resource; `ConflictError` while it has finalizers."""
        self._channel.start(
            _STATE,
            "Destroy",
            state_pb2.DestroyRequest(
                namespace=type.namespace, type=type.name, id=id, options=state_pb2.DestroyOptions()
            ),
            lambda _: None,
            doing=f"destroy {type.name}({type.namespace}/{id})",
        ).result()

    def watch(self, *queries: Query, cancelled: threading.Event | None = None) -> Watch:
        """Follow one or more queries in one stream of events; see `Watch`."""
        return Watch(self._channel, queries, cancelled=cancelled)

    def start_find(self, type: ResourceType, id: str) -> Call[Resource | None]:
        return self._start_get(type, id, recover=_none_if_missing)

    def start_list(
        self,
        type: ResourceType,
        *labels: Mapping[str, str | None],
        without: Collection[str] = (),
        ids: Collection[str] | None = None,
        keep: Callable[[Iterable[Resource]], Resources] = _all,
    ) -> Call[Resources]:
        """Start to read all resources that have all labels of one of the mappings, and one of the IDs, ordered by ID.

        None of the labels `without` is on them. `keep` gets them one by one.

        Omni sends each resource of a list in a message of its own, which takes several times the CPU of its content.
        The beginning of an aggregated watch is the same list in a few messages: that is read where the type allows so
        many together.
        """
        # Omni searches the ID for the expression
        expression = "" if ids is None else f"^(?:{'|'.join(map(re.escape, sorted(ids)))})$"
        query: dict[str, Any] = {
            "label_query": label_query(*labels, without=without),
            "id_query": resource_pb2.IDQuery(regexp=expression),
        }
        kind = {"namespace": type.namespace, "type": type.name}
        if (ALL if ids is None else len(ids)) <= type.together:
            options = state_pb2.WatchOptions(bootstrap_contents=True, aggregated=True, **query)
            rpc, resources = "Watch", _first_contents
            request: Any = state_pb2.WatchRequest(options=options, api_version=API_VERSION, **kind)
        else:
            rpc, resources = "List", _contents
            request = state_pb2.ListRequest(options=state_pb2.ListOptions(**query), **kind)
        return self._channel.start_stream(
            _STATE,
            rpc,
            request,
            lambda responses: keep(map(from_wire, resources(responses))),
            doing=f"list {type.name}",
            repeatable=True,
        )

    def start_create(self, resource: Resource) -> Call[Resource]:
        request = state_pb2.CreateRequest(resource=to_wire(resource), options=state_pb2.CreateOptions())
        return self._channel.start(_STATE, "Create", request, _resource, doing=f"create {resource}")

    def start_update(self, resource: Resource) -> Call[Resource]:
        options = state_pb2.UpdateOptions(expected_phase=RUNNING)
        request = state_pb2.UpdateRequest(new_resource=to_wire(resource), options=options)
        return self._channel.start(_STATE, "Update", request, _resource, doing=f"update {resource}")

    def start_teardown(self, type: ResourceType, id: str) -> Call[bool]:
        def without_rpc(failure: OmniError) -> bool:
            if not isinstance(failure, UnsupportedError):
                raise failure
            # Omni before 1.8 has no Teardown; setting the phase does the same.
            torn_down = self.modify(type, id, lambda resource: replace(resource, phase=TEARING_DOWN))
            return not torn_down.finalizers

        return self._channel.start(
            _STATE,
            "Teardown",
            state_pb2.TeardownRequest(
                namespace=type.namespace, type=type.name, id=id, options=state_pb2.TeardownOptions()
            ),
            lambda response: bool(response.destroy_ready),
            doing=f"tear down {type.name}({type.namespace}/{id})",
            recover=without_rpc,
        )

    def _start_get(
        self,
        type: ResourceType,
        id: str,
        recover: Callable[[OmniError], T] | None,
    ) -> Call[Any]:
        return self._channel.start(
            _STATE,
            "Get",
            state_pb2.GetRequest(namespace=type.namespace, type=type.name, id=id, options=state_pb2.GetOptions()),
            _resource,
            doing=f"read {type.name}({type.namespace}/{id})",
            recover=recover,
        )


def _contents(responses: Iterable[Any]) -> Iterator[Any]:
    return (response.resource for response in responses)


def _first_contents(responses: Iterable[Any]) -> Iterator[Any]:
    """What existed when a watch began, ordered by ID."""
    found: list[Any] = []
    for response in responses:
        for event in response.event:
            match event.event_type:
                case state_pb2.CREATED:
                    found.append(event.resource)
                case state_pb2.BOOTSTRAPPED:
                    return iter(sorted(found, key=lambda resource: str(resource.metadata.id)))
                case state_pb2.ERRORED:
                    raise UnreachableError(f"Omni ended the list: {quoted(event.error)}. Run the command again")
    raise UnreachableError("Omni ended the list before its end. Run the command again")


def _resource(response: Any) -> Resource:
    wire: resource_pb2.Resource = response.resource
    return from_wire(wire)


def _none_if_missing(failure: OmniError) -> None:
    if not isinstance(failure, NotFoundError):
        raise failure
