"""Keeps of many machines only what the choice of machines depends on: an account may have thousands."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from ksail_pulumi.model.selectors import parse_selector
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.plan.machines import version_conflict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ksail_pulumi.omni.resources import Resource

_DECIDING = (
    omni.LABEL_CLUSTER,
    omni.LABEL_INVALID_STATE,
    omni.LABEL_NO_MANUAL_ALLOCATION,
)


def condensed(statuses: Iterable[Resource]) -> list[Resource]:
    """The `MachineStatuses`, with the fields that a plan uses."""
    return list(map(_condensed, statuses))


def labelled(resources: Iterable[Resource]) -> list[Resource]:
    """The `MachineStatusLabels` as `MachineStatuses`, of which only the labels are known."""
    nothing = specs_pb2.MachineStatusSpec()
    shared: dict[frozenset[tuple[str, str]], Mapping[str, str]] = {}
    return [
        replace(
            each,
            type=omni.MACHINE_STATUS,
            spec=nothing,
            labels=shared.setdefault(frozenset(each.labels.items()), each.labels),
            finalizers=(),
        )
        for each in resources
    ]


def _condensed(status: Resource) -> Resource:
    spec = specs_pb2.MachineStatusSpec(talos_version=status.spec.talos_version, cluster=status.spec.cluster)
    spec.network.hostname = status.spec.network.hostname
    spec.schematic.in_agent_mode = status.spec.schematic.in_agent_mode
    # Machines have the same labels, most with the same values.
    labels = {sys.intern(key): sys.intern(value) for key, value in status.labels.items()}
    return replace(status, spec=spec, labels=labels, annotations={}, finalizers=())


class Kinds:
    """Sorts machines into kinds whose machines are alternatives to each other: of each, the first by ID are chosen."""

    def __init__(self, number: int, selectors: Collection[str]) -> None:
        """Prepare.

        Args:
            number: How many machines are chosen altogether.
            selectors: The selectors by which they are chosen.
        """
        self._number = number
        self._selectors = [parse_selector(selector) for selector in sorted(selectors)]

    def candidates(self, labelled: Iterable[Resource], talos: Collection[str]) -> list[Resource]:
        """The machines that can be chosen, as far as labels show it.

        Args:
            labelled: Free machines, of which only the labels are known.
            talos: The Talos versions of the clusters.
        """
        found: list[Resource] = []
        numbers: Counter[tuple[object, ...]] = Counter()
        conflicts: dict[tuple[object, ...], bool] = {}
        for status in labelled:
            version = _version_labels(status)
            if version not in conflicts:
                conflicts[version] = any(version_conflict(status, each) for each in talos)
            if conflicts[version]:
                # A machine in agent mode can join in spite of its version, and labels do not show the mode.
                found.append(status)
                continue
            kind = self._by_labels(status)
            numbers[kind] += 1
            if numbers[kind] <= self._number:
                found.append(status)
        return found

    def confirmed(self, candidates: Iterable[Resource], statuses: Iterable[Resource]) -> bool:
        """Whether the statuses show the candidates as their labels do. If not, others may have to be chosen."""

        def deciding(status: Resource) -> tuple[object, ...]:
            return (status.id, *self._by_labels(status), *_version_labels(status))

        return set(map(deciding, candidates)) <= set(map(deciding, statuses))

    def _by_labels(self, status: Resource) -> tuple[object, ...]:
        """What decides whether a machine can be chosen, its version aside; without a spec, that of a free one."""
        labels = status.labels
        return (
            *(selector.matches(labels) for selector in self._selectors),
            *(labels.get(label) for label in _DECIDING),
            status.spec.cluster,
            status.tearing_down,
        )


def _version_labels(status: Resource) -> tuple[object, ...]:
    """What decides which Talos versions a machine can get."""
    return status.labels.get(omni.LABEL_TALOS_VERSION), status.labels.get(omni.LABEL_INSTALLED)
