"""Writes a plan to Omni: the calls of a step are sent together, the steps one after the other.

A plan needs one round trip per step, whether a step writes one resource or a thousand.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ksail_pulumi import listing
from ksail_pulumi.errors import AlreadyExistsError, ConflictError, ForeignClusterError, NotFoundError, OmniError
from ksail_pulumi.lifecycle.waiting.gone import wait_until_gone
from ksail_pulumi.omni.resources import CLUSTER, MACHINE_SET_NODE
from ksail_pulumi.plan.ownership import Creation
from ksail_pulumi.plan.parts.table import PART_OF

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.omni.channel import Call
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.changes import Step
    from ksail_pulumi.plan.ownership import OwnershipMark

_VERBS = {"create": "create", "update": "change", "destroy": "remove"}

_AT_ONCE = 1000
"""How many calls are under way at most: for more of them Omni may need longer than a call may take."""


@dataclass
class Applied:
    """What has been written so far; valid also after an error.

    Attributes:
        cluster: Name of the cluster.
        accepted: Whether Omni has the cluster and it is managed by this resource.
        last_write: When the last write was answered, by `time.monotonic`; None before the first one.
        lost: Machines that another cluster took between the plan and the write.
    """

    cluster: str
    accepted: bool = False
    last_write: float | None = None
    lost: set[str] = field(default_factory=set)

    def wrote(self, resource: Resource) -> None:
        self.last_write = time.monotonic()
        self.accepted |= resource.type == CLUSTER


def apply(
    steps: Sequence[Step],
    session: Session,
    mark: OwnershipMark,
    applied: Applied,
    *,
    merge: Callable[[Resource], Resource],
) -> None:
    """Write the steps of a plan; stop after a step in which another cluster took a machine (`applied.lost`).

    Args:
        steps: What to write, in order.
        session: The Omni and the deadline.
        mark: The owner of the resources.
        applied: Updated with what has been written.
        merge: Makes the resource to write from the one that another writer changed in the meantime.

    Raises:
        OmniError: Omni refused a write; the error names all failures of that step.
        ForeignClusterError: A cluster of the same name was created in the meantime.
        CancelledError: The session was cancelled between two steps.
        WaitTimeoutError: Something that should be removed still exists at the deadline.
    """
    for step in steps:
        session.check_cancelled(f"writing cluster {applied.cluster}")
        session.progress(_announcement(step))
        match step.verb:
            case "create":
                _create(step.resources, session, mark, applied)
            case "update":
                _update(step.resources, session, applied, merge)
            case "destroy":
                _destroy(step.resources, session, applied)
        if applied.lost:
            return


def _sent(
    resources: Sequence[Resource], start: Callable[[Resource], Call[Any]]
) -> Iterator[tuple[Resource, Call[Any]]]:
    """Each resource with its call; up to `_AT_ONCE` are sent ahead."""
    under_way: deque[tuple[Resource, Call[Any]]] = deque()
    for resource in resources:
        if len(under_way) == _AT_ONCE:
            yield under_way.popleft()
        under_way.append((resource, start(resource)))
    yield from under_way


def _create(resources: Sequence[Resource], session: Session, mark: OwnershipMark, applied: Applied) -> None:
    state = session.client.state
    exist: list[tuple[Resource, AlreadyExistsError]] = []
    failures: list[tuple[Resource, OmniError]] = []
    for resource, call in _sent(resources, state.start_create):
        try:
            call.result()
            applied.wrote(resource)
        except AlreadyExistsError as error:
            exist.append((resource, error))
        except OmniError as error:
            failures.append((resource, error))
    finds = [(resource, refusal, state.start_find(resource.type, resource.id)) for resource, refusal in exist]
    for resource, refusal, find in finds:
        actual = find.result()
        if actual is not None and _same(actual, resource, mark):
            applied.wrote(resource)  # by the first attempt of this call, whose answer was lost
        elif resource.type == MACHINE_SET_NODE:
            applied.lost.add(resource.id)
        elif resource.type == CLUSTER:
            owner = mark.owner_of(actual) if actual is not None else None
            who = f"the Pulumi resource {owner}" if owner else "someone else"
            raise ForeignClusterError(
                f"cluster {resource.id!r} was created by {who} in the meantime. To take it over as it is, import it: "
                f"opts=pulumi.ResourceOptions(import_={resource.id!r}). Otherwise choose another name"
            ) from refusal
        else:
            failures.append((resource, refusal))
    _raise(failures, "create")


def _same(actual: Resource, wanted: Resource, mark: OwnershipMark) -> bool:
    if _run(actual) != _run(wanted):
        return False  # a cluster created by another attempt
    return (
        mark.owns(actual) and not actual.tearing_down and actual.labels == wanted.labels and actual.spec == wanted.spec
    )


def _run(resource: Resource) -> str | None:
    creation = Creation.of(resource)
    return creation.run if creation else None


def _update(
    resources: Sequence[Resource], session: Session, applied: Applied, merge: Callable[[Resource], Resource]
) -> None:
    state = session.client.state
    failures: list[tuple[Resource, OmniError]] = []
    for resource, call in _sent(resources, state.start_update):
        try:
            try:
                call.result()
            except ConflictError:
                # Someone else wrote in between (Omni's controllers often do): merge again with the new version.
                state.modify(resource.type, resource.id, merge)
            applied.wrote(resource)
        except OmniError as error:
            failures.append((resource, error))
    _raise(failures, "update")


def _destroy(resources: Sequence[Resource], session: Session, applied: Applied) -> None:
    state = session.client.state
    failures: list[tuple[Resource, OmniError]] = []
    going: list[Resource] = []
    for resource, call in _sent(resources, lambda each: state.start_teardown(each.type, each.id)):
        try:
            call.result()
        except NotFoundError:
            continue
        except OmniError as error:
            failures.append((resource, error))
            continue
        going.append(resource)
        applied.wrote(resource)
    if going:
        wait_until_gone(going, session, applied.cluster)
        applied.last_write = time.monotonic()
    _raise(failures, "destroy")


def _raise(failures: Sequence[tuple[Resource, OmniError]], verb: str) -> None:
    """Raise the first failure, with the texts of the others."""
    if not failures:
        return
    _, first = failures[0]
    if len(failures) == 1:
        raise first
    shown = listing.lines([str(error) for _, error in failures])
    text = "\n  - ".join([f"cannot {_VERBS[verb]} {len(failures)} resources:", *shown])
    raise type(first)(text, method=first.method, detail=first.detail)


def _announcement(step: Step) -> str:
    one, many = PART_OF[step.resources[0].type].nouns
    if len({resource.type for resource in step.resources}) > 1:
        many = "resources"  # a step of destroys has all kinds
    doing = {"create": "adding", "update": "changing", "destroy": "removing"}[step.verb]
    count = len(step.resources)
    return f"{doing} {count} {many}" if count > 1 else f"{doing} {one} {step.resources[0].id}"
