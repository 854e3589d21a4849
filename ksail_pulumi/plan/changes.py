"""What must change in Omni, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ksail_pulumi.omni.resources import Resource


@dataclass(frozen=True)
class Update:
    """A resource that has to change.

    Attributes:
        actual: What Omni has.
        desired: What to write: the actual one with everything that is ours set as it should be.
    """

    actual: Resource
    desired: Resource


@dataclass(frozen=True)
class Renumbered:
    """A patch or manifest that has a number in Omni that it cannot keep.

    Attributes:
        old: What Omni has; it is destroyed.
        new: What takes its place.
    """

    old: Resource
    new: Resource


@dataclass(frozen=True)
class Step:
    """Calls that may go out together; the next step starts when all of them have been answered.

    After a step of destroys everything in it must be gone before the next step starts.
    """

    verb: Literal["create", "update", "destroy"]
    resources: tuple[Resource, ...]


@dataclass(frozen=True)
class Plan:
    """All changes, each group in Omni's order, and what they were concluded from.

    Attributes:
        deferred: What to create once something else is gone: a node whose machine leaves another set of the cluster (it
            is in `destroys` too, and its machine must have become available again), what is already being torn down,
            and the nodes of a set that is.
        locks: The cluster and the nodes that are to be locked and are not yet. Omni holds back whatever has not arrived
            on a locked machine, so this comes last, when the cluster is where it was asked to be (`with_lock`).
        desired: What should exist, under the IDs that it has in Omni.
        baseline: What the previous inputs made of the cluster as it is now, under the same IDs.
        renumbered: What Omni has under another number.
    """

    creates: tuple[Resource, ...] = ()
    updates: tuple[Update, ...] = ()
    destroys: tuple[Resource, ...] = ()
    deferred: tuple[Resource, ...] = ()
    locks: tuple[Resource, ...] = ()
    desired: Sequence[Resource] = ()
    baseline: Sequence[Resource] = ()
    renumbered: Sequence[Renumbered] = ()

    @property
    def empty(self) -> bool:
        return not (self.creates or self.updates or self.destroys or self.deferred or self.locks)

    @property
    def changed(self) -> list[tuple[Resource, Resource]]:
        """The resources whose spec changes, not only their labels and annotations, each before and after."""
        return [(each.actual, each.desired) for each in self.updates if each.actual.spec != each.desired.spec]
