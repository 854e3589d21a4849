"""What is read of an account to plan a cluster: nothing of it grows with the machines of other clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ksail_pulumi.lifecycle.account import Question
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CONFIG_PATCH,
    FEATURES_CONFIG,
    LABEL_AVAILABLE,
    LABEL_CONNECTED,
    LABEL_MACHINE,
    LABEL_READY_TO_USE,
    LABEL_REPORTING_EVENTS,
    MACHINE_CLASS,
    MACHINE_SET_NODE,
    MACHINE_STATUS,
    SYS_VERSION,
    TALOS_VERSION,
)
from ksail_pulumi.plan.parts.table import PARTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ksail_pulumi.model.parse import ClusterSpec
    from ksail_pulumi.plan.reservations import Earlier

CLUSTERS = Question(CLUSTER)
TALOS_VERSIONS = Question(TALOS_VERSION)
MACHINE_CLASSES = Question(MACHINE_CLASS)
FEATURES = Question(FEATURES_CONFIG, id="features-config")
VERSION = Question(SYS_VERSION, id="current")
MACHINE_PATCHES = Question(CONFIG_PATCH, labels=((LABEL_MACHINE, None),))
OF_MACHINES = tuple(Question(part.type, late=part.late) for part in PARTS if part.of_machine)

_FREE = (LABEL_AVAILABLE, LABEL_CONNECTED, LABEL_READY_TO_USE, LABEL_REPORTING_EVENTS)
FREE_MACHINES = Question(MACHINE_STATUS, labels=tuple((label, None) for label in _FREE))


@dataclass(frozen=True)
class Needed:
    """The machines and clusters that the plan of a cluster depends on, besides its own.

    A machine that another cluster has just taken may still look free: its status shows that only later. A preview then
    names it; Omni refuses to give it away twice, and `up` chooses another one.

    Attributes:
        first: The clusters that choose their machines first.
        replaced: The clusters that are deleted.
        machines: The machines that are named.
        free: Whether free machines are chosen.
        everything: Whether all machines are read: only to say why too few of them are free.
    """

    first: frozenset[str] = frozenset()
    replaced: frozenset[str] = frozenset()
    machines: frozenset[str] = frozenset()
    free: bool = False
    everything: bool = False

    @classmethod
    def by(cls, spec: ClusterSpec, earlier: Sequence[Earlier] = (), replaced: Iterable[str] = ()) -> Needed:
        """What a cluster needs.

        Args:
            spec: What the user asks for.
            earlier: The clusters that the program declares first.
            replaced: The clusters that a replacement deletes.
        """
        sets = spec.machine_sets
        choosing = [*sets, *(each for by in earlier for each in by.spec.machine_sets)]
        return cls(
            first=frozenset(each.spec.name for each in earlier) - {spec.name},
            replaced=frozenset([*replaced, *(each.replaced for each in earlier if each.replaced)]) - {spec.name},
            machines=frozenset([*spec.machines, *(machine for each in sets for machine in each.machines or ())]),
            free=any(each.wanted is not None for each in choosing),
        )

    @property
    def own(self) -> list[Question]:
        """Questions for named machines."""
        if self.everything or not self.machines:
            return []
        return [Question(kind, ids=self.machines) for kind in (MACHINE_STATUS, MACHINE_SET_NODE)]

    def of_account(self, *, apart: bool) -> list[Question]:
        """Questions for other clusters and free machines.

        Args:
            apart: Whether to ask for each cluster apart: other checks then share the answers.
        """
        if self.everything:
            return [Question(MACHINE_STATUS), Question(MACHINE_SET_NODE), *self._clusters(apart=apart)]
        nodes = [Question(MACHINE_SET_NODE, clusters=each) for each in _groups(self.first | self.replaced, apart=apart)]
        statuses = [Question(MACHINE_STATUS, clusters=each) for each in _groups(self.replaced, apart=apart)]
        return [*statuses, *nodes, *self._clusters(apart=apart), *([FREE_MACHINES] if self.free else [])]

    def _clusters(self, *, apart: bool) -> list[Question]:
        return [Question(CLUSTER, ids=each) for each in _groups(self.first | self.replaced, apart=apart)]


def _groups(names: frozenset[str], *, apart: bool) -> list[frozenset[str]]:
    if apart:
        return [frozenset({name}) for name in sorted(names)]
    return [names] if names else []
