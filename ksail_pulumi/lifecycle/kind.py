"""What a resource of its own is, other than a cluster: the operations that its provider needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from ksail_pulumi.errors import ConflictError, ForeignClusterError, NotFoundError, WaitTimeoutError
from ksail_pulumi.lifecycle.ownership import owner_in_words
from ksail_pulumi.model.base import Inputs
from ksail_pulumi.omni.watch import Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.findings import Findings
    from ksail_pulumi.plan.ownership import OwnershipMark

Spec = TypeVar("Spec", bound=Inputs)


@dataclass(frozen=True)
class Found:
    """A resource as it is in Omni.

    Attributes:
        id: Its ID.
        inputs: The inputs that describe it, on the wire, without those about the Omni.
        outputs: What else is known of it, on the wire. No key is that of an input.
    """

    id: str
    inputs: Mapping[str, Any] = field(repr=False)
    outputs: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Kind(ABC, Generic[Spec]):
    """A kind of resource. The operations raise `KsailPulumiError` and its subclasses."""

    noun: ClassVar[str]
    """The kind in texts, such as `machine class`."""

    replaced_by: ClassVar[tuple[str, ...]] = ("name",)
    """The inputs on the wire that need another resource if they change."""

    model: type[Spec]

    @abstractmethod
    def id_of(self, spec: Spec) -> str:
        """The ID that the resource will have; `""` if only its creation decides it."""

    @abstractmethod
    def preview(self, spec: Spec, before: Spec | None, mark: OwnershipMark, client: Client, *, adopt: bool) -> Findings:
        """What Omni would refuse, what will block, and what will change. Nothing is written.

        Args:
            spec: What the user asks for.
            before: The inputs before; None for a new resource.
            mark: The owner mark of the resource.
            client: The Omni.
            adopt: Whether a resource that exists is taken over.
        """

    def deletion_warnings(self, spec: Spec, client: Client) -> Iterable[str]:  # noqa: ARG002 - most are deleted anyway
        """What will block the deletion of the resource in an Omni that it leaves. Nothing is written."""
        return ()

    @abstractmethod
    def create(self, spec: Spec, mark: OwnershipMark, session: Session, *, adopt: bool) -> Found:
        """Create the resource, or continue an earlier create; with `adopt` take over what exists.

        An error has a `Found` as its `outputs` if a part of the resource exists.
        """

    @abstractmethod
    def read(self, id_: str, client: Client, *, mark: OwnershipMark | None, spec: Spec | None) -> Found | None:
        """Read the resource; None if it does not exist, is being deleted, or does not have the mark.

        Args:
            id_: Its ID.
            client: The Omni.
            mark: The owner mark; None: whoever the owner is.
            spec: The inputs in the state. What still describes the resource keeps the form that the user gave it.
        """

    @abstractmethod
    def update(self, id_: str, spec: Spec, before: Spec, mark: OwnershipMark, session: Session) -> Found:
        """Change the resource to new inputs. The mark can be a former one: then it is rewritten too."""

    @abstractmethod
    def delete(self, id_: str, spec: Spec, mark: OwnershipMark, session: Session) -> None:
        """Delete what has the mark, and wait until it is gone. It is not an error if it is gone already."""


def refuse_foreign(noun: str, resource: Resource, mark: OwnershipMark, verb: str) -> None:
    """Refuse to write to a resource without our mark.

    Raises:
        ForeignClusterError: The text names its owner and how to take it over.
    """
    if mark.names(mark.owner_of(resource)):
        return
    owner = owner_in_words(resource)
    whose = f"is managed by {owner}" if owner else "was created manually or in Omni's UI"
    raise ForeignClusterError(
        f"{noun} {resource.id!r} exists in Omni and {whose}, so this resource does not {verb} it. To take it over, "
        f"import it: opts=pulumi.ResourceOptions(import_={resource.id!r})"
    )


def remove(resource: Resource, session: Session, noun: str) -> None:
    """Tear down a resource and wait until it is gone.

    Raises:
        WaitTimeoutError: It still exists at the session's deadline.
        OmniError: Omni refuses.
    """
    state = session.client.state
    with suppress(NotFoundError):
        state.teardown(resource.type, resource.id)
    with state.watch(Query(resource.type, id=resource.id), cancelled=session.cancelled) as watch:
        while (event := watch.next(timeout=session.deadline.remaining())) is not None:
            if event.kind == "destroyed":
                return
            found = event.resource
            if found is not None and found.tearing_down and not found.finalizers:
                # Omni also does this since 1.9, and is usually faster.
                with suppress(NotFoundError, ConflictError):
                    state.destroy(resource.type, resource.id)
    session.check_cancelled(f"deleting {noun} {resource.id}")
    raise WaitTimeoutError(f"{noun} {resource.id!r} still exists in Omni after {session.deadline.seconds:g} s")
