"""Lists the resources of one kind of part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import PermissionDeniedError
from ksail_pulumi.omni.resources import LABEL_CLUSTER

if TYPE_CHECKING:
    from ksail_pulumi.omni.channel import Call
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.omni.state import State
    from ksail_pulumi.plan.parts.part import Part


def start_list(state: State, part: Part, cluster: str) -> Call[Any]:
    """Start to list the resources of one kind of a cluster, or of all machines where they stay with a machine."""
    return state.start_list(part.type) if part.of_machine else state.start_list(part.type, {LABEL_CLUSTER: cluster})


def collect(part: Part, call: Call[Any]) -> list[Resource]:
    """The result of a list; empty for a kind that this Omni does not know."""
    try:
        return list(call.result())
    except PermissionDeniedError:
        if not part.late:
            raise
        return []
