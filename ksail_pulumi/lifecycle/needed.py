"""What is read of an account to plan a cluster: nothing of it grows with the machines of other clusters."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ksail_pulumi.lifecycle.question import Question
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CONFIG_PATCH,
    FEATURES_CONFIG,
    LABEL_AVAILABLE,
    LABEL_CONNECTED,
    LABEL_MACHINE,
    LABEL_MACHINE_SET,
    LABEL_READY_TO_USE,
    LABEL_REPORTING_EVENTS,
    MACHINE_CLASS,
    MACHINE_SET_NODE,
    MACHINE_STATUS,
    MACHINE_STATUS_LABELS,
    SYS_VERSION,
    TALOS_VERSION,
)
from ksail_pulumi.plan.condensed import condensed, labelled
from ksail_pulumi.plan.parts.table import PARTS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ksail_pulumi.model.parse import ClusterSpec
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.reservations import Earlier

CLUSTERS = Question(CLUSTER)
TALOS_VERSIONS = Question(TALOS_VERSION)
MACHINE_CLASSES = Question(MACHINE_CLASS)
FEATURES = Question(FEATURES_CONFIG, id="features-config")
VERSION = Question(SYS_VERSION, id="current")
MACHINE_PATCHES = Question(CONFIG_PATCH, labels=((LABEL_MACHINE, None),))
OF_MACHINES = tuple(Question(part.type, late=part.late) for part in PARTS if part.of_machine)

_FREE = (LABEL_AVAILABLE, LABEL_CONNECTED, LABEL_READY_TO_USE, LABEL_REPORTING_EVENTS)
STATUSES = Question(MACHINE_STATUS, keep=condensed)
FREE_MACHINES = replace(STATUSES, labels=tuple((label, None) for label in _FREE))
NODES = Question(MACHINE_SET_NODE)
FREE_LABELS = Question(MACHINE_STATUS_LABELS, labels=FREE_MACHINES.labels, late=True, keep=labelled)
COMMON = (
    *(CLUSTERS, TALOS_VERSIONS, MACHINE_CLASSES, FEATURES, VERSION, MACHINE_PATCHES, *OF_MACHINES),
    *(FREE_LABELS, FREE_MACHINES, STATUSES, NODES),
)
"""Questions whose answers are the same for all clusters: who asks at the same time asks together."""


@dataclass(frozen=True)
class Needed:
    """The machines and clusters that the plan of a cluster depends on, besides its own.

    A machine that another cluster has just taken may still look free: its status shows that only later. A preview then
    names it; Omni refuses to give it away twice, and `up` chooses another one.

    Attributes:
        first: The clusters that choose their machines first.
        replaced: The clusters that are deleted.
        machines: The machines that are named.
        free: How many machines are chosen at most; 0 if no free ones are needed.
        selectors: The selectors by which they are chosen.
        sets: How many machines each set chooses, by its ID; empty if sets lose the machines that they have.
        talos: The Talos versions that are asked for; None for one that is not given.
        everything: Whether all machines are read: only to say why too few of them are free.
    """

    first: frozenset[str] = frozenset()
    replaced: frozenset[str] = frozenset()
    machines: frozenset[str] = frozenset()
    free: int = 0
    selectors: frozenset[str] = frozenset()
    sets: Mapping[str, int] = field(default_factory=dict)
    talos: frozenset[str | None] = frozenset()
    everything: bool = False

    @classmethod
    def by(cls, spec: ClusterSpec, earlier: Sequence[Earlier] = (), replaced: Iterable[str] = ()) -> Needed:
        """What a cluster needs.

        Args:
            spec: What the user asks for.
            earlier: The clusters that the program declares first.
            replaced: The clusters that a replacement deletes.
        """
        named = [*spec.machines, *(machine for each in spec.machine_sets for machine in each.machines or ())]
        specs = [spec, *(each.spec for each in earlier)]
        sets = [each for one in specs for each in one.machine_sets]
        wanted = sum(each.wanted or 0 for each in sets)
        deleted = frozenset([*replaced, *(each.replaced for each in earlier if each.replaced)])
        return cls(
            first=frozenset(each.spec.name for each in earlier) - {spec.name},
            replaced=deleted - {spec.name},
            machines=frozenset(named),
            # Named ones may be free, and are not chosen.
            free=wanted + len(named) if wanted else 0,
            selectors=frozenset(each.selector for each in sets if each.selector),
            sets={} if deleted else {each.id(one.name): each.wanted or 0 for one in specs for each in one.machine_sets},
            talos=frozenset(one.talos_version for one in specs),
        )

    def among(self, existing: Collection[str]) -> Needed:
        """The same without clusters that do not exist: nothing of them can be read."""
        return replace(self, first=self.first.intersection(existing), replaced=self.replaced.intersection(existing))

    @property
    def own(self) -> list[Question]:
        """Questions for named machines."""
        if self.everything or not self.machines:
            return []
        return [replace(STATUSES, ids=self.machines), Question(MACHINE_SET_NODE, ids=self.machines)]

    def satisfied(self, nodes: Iterable[Resource]) -> bool:
        """Whether all sets seem to have their machines. If a plan finds that they do not, all machines are read."""
        members = Counter(node.labels.get(LABEL_MACHINE_SET) for node in nodes if not node.tearing_down)
        return bool(self.sets) and all(members[each] >= wanted for each, wanted in self.sets.items())

    def of_account(self, *, labels_first: bool, apart: bool) -> list[Question]:
        """Questions for other clusters and free machines.

        Args:
            labels_first: Whether the labels of the free machines are read first, to choose those that are read.
            apart: Whether other checks share the answers, and so each cluster has a question of its own.
        """
        others = self.first | self.replaced
        clusters = [Question(CLUSTER, ids=each) for each in _groups(others, apart=apart)]
        if self.everything:
            return [STATUSES, NODES, *clusters]
        nodes = [Question(MACHINE_SET_NODE, clusters=each) for each in _groups(others, apart=apart)]
        statuses = [replace(STATUSES, clusters=each) for each in _groups(self.replaced, apart=apart)]
        free = FREE_LABELS if labels_first else FREE_MACHINES
        return [*clusters, *nodes, *statuses, *([free] if self.free else [])]


def _groups(names: frozenset[str], *, apart: bool) -> list[frozenset[str]]:
    if apart:
        return [frozenset({name}) for name in sorted(names)]
    return [names] if names else []
