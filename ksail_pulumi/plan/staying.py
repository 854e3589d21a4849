"""What stays in a cluster that is taken over though it is not in the program, and whether it wins over the program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.parts.table import PART_OF
from ksail_pulumi.plan.scopes import scope_of, wider

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.changes import Plan
    from ksail_pulumi.plan.snapshot import Snapshot


def staying(plan: Plan, snapshot: Snapshot) -> Iterator[str]:
    """Name every patch, list of extensions and manifest that stays and is not in the program, with who wins."""
    known = {each.key for each in (*plan.desired, *plan.destroys)}
    left = [
        each
        for each in sorted(snapshot.resources, key=lambda each: each.id)
        if PART_OF[each.type].adjacent and each.key not in known and not (each.owner or each.tearing_down)
    ]
    order = _Order.of([*snapshot.nodes, *plan.desired])
    yield from listing.lines(
        [
            f"{PART_OF[each.type].nouns[0]} {each.id} is not in this program and stays"
            f"{order.verdict(each, plan.desired)}"
            for each in left
        ]
    )
    if left:
        yield 'to remove what stays, set ownership="exclusive" or delete it in Omni'


@dataclass(frozen=True)
class _Order:
    """In which order Omni applies what concerns the same machines.

    Attributes:
        sets: The machine set of each machine.
    """

    sets: Mapping[str, str]

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> _Order:
        nodes = (each for each in resources if each.type == omni.MACHINE_SET_NODE)
        return cls({node.id: node.labels.get(omni.LABEL_MACHINE_SET, "") for node in nodes})

    def verdict(self, stays: Resource, desired: Sequence[Resource]) -> str:
        """Over which of ours something wins, and to which it loses."""
        if stays.type == omni.KUBERNETES_MANIFEST_GROUP:
            return ""  # nothing is merged: each group has objects of its own
        if omni.LABEL_DISABLED in stays.labels:
            return ": it is disabled"
        rivals = sorted((each for each in desired if each.type == stays.type and self._meet(each, stays)), key=_place)
        over = [each.id for each in rivals if _place(each) < _place(stays)]
        under = [each.id for each in rivals if _place(each) > _place(stays)]
        parts = [f"wins over {listing.names(over)}"] * bool(over) + [f"loses to {listing.names(under)}"] * bool(under)
        return f": it {' and '.join(parts)}" if parts else ""

    def _meet(self, one: Resource, other: Resource) -> bool:
        """Whether two resources concern the same machines, some at least."""
        wide, narrow = sorted((scope_of(one), scope_of(other)), key=lambda scope: scope.breadth)
        return wide in wider(narrow, self.sets.get)


def _place(resource: Resource) -> tuple[int, str]:
    """Omni merges patches in this order, and a later one wins; of lists of extensions it uses the last one only."""
    return scope_of(resource).breadth, resource.id
