"""What a picture of a cluster or of a plan shows, as data: machine sets, machines, and patches by scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Tone = Literal["plain", "good", "busy", "bad"]
Mark = Literal["", "added", "changed", "removed"]

SIGNS: dict[Mark, str] = {"": "", "added": "+ ", "changed": "~ ", "removed": "- "}
"""What stands before a name, because a colour alone is not enough."""

MOST_MACHINES = 12
"""The number of machines of a set that are drawn one by one."""

FEW = 3
"""This many machines that are alike are still drawn one by one, also in a large set."""


@dataclass(frozen=True)
class Part:
    """Something that configures a cluster, a machine set or a machine: a patch, or another kind that a plan changes.

    Attributes:
        name: Its name. What is in it is never shown.
        mark: What a plan does to it.
    """

    name: str
    mark: Mark = ""

    @property
    def label(self) -> str:
        return SIGNS[self.mark] + self.name


@dataclass(frozen=True)
class Machine:
    """A machine, or several that are alike.

    Attributes:
        name: Its hostname, or its ID while it has none.
        note: Its ID where the name is another one.
        facts: Its stage, its version and the like.
        tone: How it is.
        mark: What a plan does to it.
        parts: What is only for this machine.
    """

    name: str
    note: str = ""
    facts: tuple[str, ...] = ()
    tone: Tone = "plain"
    mark: Mark = ""
    parts: tuple[Part, ...] = ()

    @classmethod
    def of(
        cls,
        machine_id: str,
        hostname: str,
        *,
        facts: tuple[str, ...] = (),
        tone: Tone = "plain",
        mark: Mark = "",
        parts: tuple[Part, ...] = (),
    ) -> Machine:
        """A machine by its ID and its hostname, which may be missing."""
        named = hostname not in ("", machine_id)
        return cls(hostname if named else machine_id, machine_id if named else "", facts, tone, mark, parts)

    @property
    def label(self) -> str:
        return SIGNS[self.mark] + self.name


@dataclass(frozen=True)
class Group:
    """A machine set.

    Attributes:
        name: Its name.
        facts: Its phase, its size and the like.
        tone: How it is.
        mark: What a plan does to it.
        parts: What is for this set.
        machines: Its machines.
    """

    name: str
    facts: tuple[str, ...] = ()
    tone: Tone = "plain"
    mark: Mark = ""
    parts: tuple[Part, ...] = ()
    machines: tuple[Machine, ...] = ()

    @property
    def label(self) -> str:
        return SIGNS[self.mark] + self.name


@dataclass(frozen=True)
class Graph:
    """A cluster as it is, or as a plan changes it.

    Attributes:
        name: The cluster's name.
        facts: Its versions and the like.
        tone: How it is.
        parts: What is for the whole cluster.
        groups: Its machine sets.
        planned: Whether this is a plan.
    """

    name: str
    facts: tuple[str, ...] = ()
    tone: Tone = "plain"
    parts: tuple[Part, ...] = ()
    groups: tuple[Group, ...] = ()
    planned: bool = False

    @property
    def title(self) -> str:
        return f"Plan for {self.name}" if self.planned else f"Cluster {self.name}"


def condensed(graph: Graph) -> Graph:
    """The graph with one machine in place of those of a large set that look the same."""
    return replace(graph, groups=tuple(replace(each, machines=_condensed(each.machines)) for each in graph.groups))


def _condensed(machines: Sequence[Machine]) -> tuple[Machine, ...]:
    if len(machines) <= MOST_MACHINES:
        return tuple(machines)
    alike: dict[Machine, list[Machine]] = {}
    for machine in machines:
        alike.setdefault(replace(machine, name="", note=""), []).append(machine)
    return tuple(drawn for look, members in alike.items() for drawn in _together(look, members))


def _together(look: Machine, members: Sequence[Machine]) -> Sequence[Machine]:
    if len(members) <= FEW:
        return members
    return [replace(look, name=f"{len(members)} machines", note=f"{members[0].name} and {len(members) - 1} more")]
