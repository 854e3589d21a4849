"""Keeps of many machines only what the choice of machines depends on: an account may have thousands."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from ksail_pulumi.model.selectors import parse_selector
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from ksail_pulumi.omni.resources import Resource

_DECIDING = (
    omni.LABEL_CLUSTER,
    omni.LABEL_INVALID_STATE,
    omni.LABEL_NO_MANUAL_ALLOCATION,
    omni.LABEL_TALOS_VERSION,
    omni.LABEL_INSTALLED,
)


def condensed(statuses: Iterable[Resource]) -> list[Resource]:
    """The `MachineStatuses`, with the fields that a plan uses."""
    return list(map(_condensed, statuses))


def _condensed(status: Resource) -> Resource:
    spec = specs_pb2.MachineStatusSpec(talos_version=status.spec.talos_version, cluster=status.spec.cluster)
    spec.network.hostname = status.spec.network.hostname
    spec.schematic.in_agent_mode = status.spec.schematic.in_agent_mode
    # Machines have the same labels, most with the same values.
    labels = {sys.intern(key): sys.intern(value) for key, value in status.labels.items()}
    return replace(status, spec=spec, labels=labels, annotations={}, finalizers=())


def first_of_each_kind(number: int, selectors: Collection[str]) -> Callable[[Iterable[Resource]], list[Resource]]:
    """Keeps machines that are alternatives to each other only up to a number: the first ones by ID, which are chosen.

    Args:
        number: How many are chosen altogether.
        selectors: The selectors by which they are chosen.
    """
    parsed = [parse_selector(selector) for selector in sorted(selectors)]

    def kind(status: Resource) -> tuple[object, ...]:
        """What decides whether a machine can be chosen."""
        spec, labels = status.spec, status.labels
        return (
            *(selector.matches(labels) for selector in parsed),
            *(labels.get(label) for label in _DECIDING),
            spec.talos_version,
            spec.schematic.in_agent_mode,
            spec.cluster,
            status.tearing_down,
        )

    def kept(statuses: Iterable[Resource]) -> Iterator[Resource]:
        found: Counter[tuple[object, ...]] = Counter()
        for status in statuses:
            its = kind(status)
            found[its] += 1
            if found[its] <= number:
                yield _condensed(status)

    return lambda statuses: list(kept(statuses))
