"""What is read of Omni with one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ksail_pulumi.errors import PermissionDeniedError
from ksail_pulumi.omni.resources import LABEL_CLUSTER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from ksail_pulumi.omni.channel import Call
    from ksail_pulumi.omni.resources import Resource, ResourceType
    from ksail_pulumi.omni.state import State
    from ksail_pulumi.plan.parts.part import Part


@dataclass(frozen=True)
class Question:
    """What is read with one call.

    Attributes:
        type: The type of the resources.
        id: The ID of the only one; `""` for all of the type.
        labels: Labels that each must have, with their values; None for any value.
        clusters: The clusters one of which each must belong to; None for any or none.
        ids: The IDs of those that are read; None for all.
        late: Omni 1.0 does not have the type, and answers PERMISSION_DENIED for it.
        keep: Reduces a list to what is needed of it.
    """

    type: ResourceType
    id: str = ""
    labels: tuple[tuple[str, str | None], ...] = ()
    clusters: frozenset[str] | None = None
    ids: frozenset[str] | None = None
    late: bool = False
    keep: Callable[[Iterable[Resource]], list[Resource]] = list

    @classmethod
    def about(cls, part: Part, cluster: str) -> Question:
        """All of one kind of part: of a cluster, or of all machines where the parts stay with their machines."""
        clusters = None if part.of_machine else frozenset({cluster})
        return cls(part.type, clusters=clusters, late=part.late)

    def send(self, state: State) -> Call[Any]:
        if self.id:
            return state.start_find(self.type, self.id)
        labels = dict(self.labels)
        if self.clusters is None:
            return state.start_list(self.type, labels, ids=self.ids, keep=self.keep)
        alternatives = ({**labels, LABEL_CLUSTER: name} for name in sorted(self.clusters))
        return state.start_list(self.type, *alternatives, ids=self.ids, keep=self.keep)

    def answer(self, call: Call[Any]) -> Sequence[Resource]:
        try:
            found = call.result()
        except PermissionDeniedError:
            if not self.late:
                raise
            return []
        if self.id:
            return [] if found is None else [found]
        answer: Sequence[Resource] = found
        return answer
