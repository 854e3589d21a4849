"""A kind of resource that a cluster consists of in Omni, and what its functions are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.model.versions import Versions
    from ksail_pulumi.omni.resources import Resource, ResourceType
    from ksail_pulumi.plan.changes import Plan
    from ksail_pulumi.plan.machines import Assignment
    from ksail_pulumi.plan.parts.asked import Asked
    from ksail_pulumi.plan.parts.live import Draft, Live
    from ksail_pulumi.plan.snapshot import Snapshot
    from ksail_pulumi.problems import Problem


@dataclass(frozen=True)
class Situation:
    """What the rules of a part judge.

    Attributes:
        spec: What the user asks for.
        snapshot: What Omni has.
        versions: The versions that the cluster gets.
    """

    spec: ClusterSpec
    snapshot: Snapshot
    versions: Versions


@dataclass(frozen=True)
class Outlook:
    """What the forecast of a part describes.

    Attributes:
        plan: What must change.
        versions: The versions that the cluster gets.
        assignment: The machines that it gets.
        snapshot: What Omni has.
    """

    plan: Plan
    versions: Versions
    assignment: Assignment
    snapshot: Snapshot


@dataclass(frozen=True)
class Change:
    """One resource that a plan changes, of a cluster that exists.

    Attributes:
        verb: What happens to it: `adds`, `changes`, `removes` or `renumbers`.
        resource: The resource; as it is now where it is removed or renumbered.
        new_id: The ID that it is renumbered to.
    """

    verb: str
    resource: Resource
    new_id: str = ""


def _nothing(*_: object) -> Iterator[Problem]:
    yield from ()


def _no_lines(_: Outlook) -> Iterator[str]:
    yield from ()


def _not_described(_change: Change, _outlook: Outlook) -> str:
    return ""


@dataclass(frozen=True)
class Part:
    """A kind of resource that a cluster consists of.

    Attributes:
        type: Omni's type.
        nouns: What texts call one of them, and several.
        desired: Its resources of a cluster, as omnictl makes them.
        observe: The inverse: writes what the live resources stand for into a draft of the inputs.
        rules: What Omni would refuse about it, before machines are chosen.
        assignment_rules: What Omni would refuse about the machines that were chosen.
        forecast: What a plan does to it as a whole, a line for each thing.
        describe: What one change of it does to a cluster that exists; `""` where there is nothing to say.
        of_machine: It stays with a machine whichever cluster that is in: its ID is the machine's, and it has no
            cluster label.
        permanent: It is never destroyed along with the inputs.
        late: Omni 1.0 does not have the type, and answers PERMISSION_DENIED for it.
        numbered: Its ID is `<number>-<scope>-<name>`, and the number is only a place in a list.
        adjacent: Resources that others made stay alongside ours, which a takeover reports.
        first_to_go: It is destroyed before the others.
        on_machines: A change of it reaches machines.
        lock: The annotation that locks it.
    """

    type: ResourceType
    nouns: tuple[str, str]
    desired: Callable[[Asked], Iterator[Resource]]
    observe: Callable[[Live, Draft], None]
    rules: Callable[[Situation], Iterator[Problem]] = _nothing
    assignment_rules: Callable[[Situation, Assignment], Iterator[Problem]] = _nothing
    forecast: Callable[[Outlook], Iterator[str]] = _no_lines
    describe: Callable[[Change, Outlook], str] = _not_described
    of_machine: bool = False
    permanent: bool = False
    late: bool = False
    numbered: bool = False
    adjacent: bool = False
    first_to_go: bool = False
    on_machines: bool = False
    lock: str = ""
