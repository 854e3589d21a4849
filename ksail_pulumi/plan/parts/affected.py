"""Which machines a change of a patch or a list of extensions reaches, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.scopes import scope_of

if TYPE_CHECKING:
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.parts.part import Change, Outlook

_PREPOSITIONS = {"adds": "to", "changes": "on", "removes": "from", "renumbers": "on"}


def change_on_machines(noun: str, change: Change, outlook: Outlook) -> tuple[str, bool]:
    """`adds patch p to 3 machines of west-workers`, and whether that is more than one machine."""
    machines, several = _affected(change.resource, outlook)
    new_id = f" to {change.new_id}" if change.new_id else ""
    text = f"{change.verb} {noun} {change.resource.id}{new_id} {_PREPOSITIONS[change.verb]} {machines}"
    return text, several


def _affected(resource: Resource, outlook: Outlook) -> tuple[str, bool]:
    scope = scope_of(resource)
    if scope.label == omni.LABEL_CLUSTER_MACHINE:
        return outlook.snapshot.machine_name(scope.target), False
    if scope.label == omni.LABEL_CLUSTER:
        return "all machines of the cluster", True
    members = outlook.assignment.sets.get(scope.target)
    if members is None:  # Omni chooses them
        return f"all machines of {scope.target}", True
    count = len(members)
    return f"{count} {'machine' if count == 1 else 'machines'} of {scope.target}", count != 1
