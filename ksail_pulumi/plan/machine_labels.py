"""The labels of a machine, some of which others may have set."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.ownership import ANNOTATION_MACHINE_CONFIG, ANNOTATION_OWNER, MANAGER, of_machine_config

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ksail_pulumi.model.machine_config import MachineConfigInputs
    from ksail_pulumi.plan.machine_view import MachineView, Owner

_OURS = (ANNOTATION_OWNER, ANNOTATION_MACHINE_CONFIG)
_GITOPS = (omni.ANNOTATION_MANAGED_BY_GITOPS, MANAGER)  # another tool may have its own name here


def labelled(
    machine: MachineView, wanted: Mapping[str, str], before: Mapping[str, str], owner: Owner
) -> Resource | None:
    """The `MachineLabels` with our labels and those of others; None if there is nothing to write or to keep.

    Others may have made it, Omni too. So an annotation holds which labels are ours, and whether the resource is.

    Args:
        machine: What Omni has of the machine.
        wanted: The labels that the user asks for.
        before: Those that the user asked for before.
        owner: Whose the labels are.
    """
    actual, remembered = machine.labels, _Remembered.of(machine.labels, owner, before)
    if actual is None:
        if not wanted:
            return None
        actual = Resource(omni.MACHINE_LABELS, machine.id, specs_pb2.MachineLabelsSpec())
        remembered = _Remembered(made=True)
    others = {key: value for key, value in actual.labels.items() if key not in remembered.labels}
    marks, annotations = owner.mark.annotations(), dict(actual.annotations)
    if owner.owns(actual):
        annotations = {key: value for key, value in annotations.items() if key not in _OURS and (key, value) != _GITOPS}
    if wanted:
        stored = {"made": remembered.made, "labels": sorted(wanted)}
        marks[ANNOTATION_MACHINE_CONFIG] = json.dumps(stored, separators=(",", ":"))
        annotations = {**marks, **annotations}
        annotations |= {key: marks[key] for key in _OURS}
    elif remembered.made and not others and not annotations:
        return None
    return replace(actual, labels={**others, **wanted}, annotations=annotations)


@dataclass(frozen=True)
class _Remembered:
    """What is known of `MachineLabels`.

    Attributes:
        made: Whether the resource did not exist before.
        labels: The keys of our labels.
    """

    made: bool = False
    labels: Collection[str] = frozenset()

    @classmethod
    def of(cls, actual: Resource | None, owner: Owner, before: Mapping[str, str]) -> _Remembered:
        if actual is None:
            return cls()
        if not of_machine_config(actual):
            return cls(labels=frozenset(before))  # some tools drop annotations of others
        if not owner.owns(actual):
            return cls()
        try:
            stored = json.loads(actual.annotations[ANNOTATION_MACHINE_CONFIG])
            return cls(made=bool(stored["made"]), labels=frozenset(map(str, stored["labels"])))
        except (ValueError, TypeError, KeyError):
            return cls(labels=frozenset(before))


def labels_of(spec: MachineConfigInputs | None) -> Mapping[str, str]:
    """The labels that inputs ask for."""
    return (spec.labels if spec is not None else None) or {}


def our_keys(actual: Resource | None, owner: Owner, before: Mapping[str, str]) -> Collection[str]:
    """The keys of the labels that this resource has set; `before` are those that it was asked for last time."""
    return _Remembered.of(actual, owner, before).labels


def own_labels(actual: Resource | None, owner: Owner | None, before: Mapping[str, str]) -> dict[str, str]:
    """The labels of a machine that are ours; those of everybody without an owner."""
    if actual is None:
        return {}
    ours = actual.labels if owner is None else our_keys(actual, owner, before)
    return {key: actual.labels[key] for key in sorted(ours) if key in actual.labels}
