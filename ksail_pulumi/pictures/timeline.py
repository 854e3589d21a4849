"""What a picture of a change shows, as data: a lane for each thing that waited or was waited for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ksail_pulumi.pictures.graph import MOST_MACHINES, Tone

SLOWEST = 6
"""The number of machines of a large set that are drawn one by one: those that took longest."""


@dataclass(frozen=True)
class Lane:
    """One thing of a change.

    Attributes:
        name: What it is.
        begin: When it was asked for.
        since: When its own part began, after what it waited for; None if that is not known.
        end: When it was done; None if it is not done, or that is not known.
        fact: How it ended, or what is not known.
        waited: What it waited for, and how long; `""` if that is not known.
        tone: How it is.
        marks: Moments to mark.
        group: The machine set, of a machine.
    """

    name: str
    begin: datetime
    since: datetime | None = None
    end: datetime | None = None
    fact: str = ""
    waited: str = ""
    tone: Tone = "good"
    marks: tuple[datetime, ...] = ()
    group: str = ""


@dataclass(frozen=True)
class Timeline:
    """The last change of a cluster.

    Attributes:
        name: The cluster's name.
        facts: When it was, by whom, what was written.
        lanes: What happened, in the order of the picture.
        begin: When the change began.
        end: When it ended; of one that has not ended, the moment of the picture.
        notes: What the picture does not know, each a sentence.
    """

    name: str
    facts: tuple[str, ...]
    lanes: tuple[Lane, ...]
    begin: datetime
    end: datetime
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"Last change of cluster {self.name}"


def lasting(span: timedelta) -> str:
    """A duration in two units at most: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    seconds = span.total_seconds()
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if round(seconds) >= size:
            whole, rest = divmod(round(seconds), size)
            return f"{whole} {unit} {rest // part} {smaller}" if rest // part else f"{whole} {unit}"
    return f"{round(seconds)} s"


def condensed(lanes: Sequence[Lane]) -> list[Lane]:
    """The lanes, with one in place of the faster machines of each large set."""
    sets: dict[str, list[Lane]] = {}
    for lane in lanes:
        sets.setdefault(lane.group, []).append(lane)
    large = {name for name, members in sets.items() if name and len(members) > MOST_MACHINES}
    found: list[Lane] = []
    for lane in lanes:
        if lane.group not in large:
            found.append(lane)
        elif lane is sets[lane.group][0]:
            found += _large(lane.group, sets[lane.group])
    return found


def _large(group: str, members: Sequence[Lane]) -> list[Lane]:
    """The slowest machines, and the others together. A machine that is not done is slower than any other."""
    by_end = sorted(members, key=lambda lane: (lane.end is None, lane.end or lane.begin))
    others, slowest = by_end[:-SLOWEST], by_end[-SLOWEST:]
    ends = [lane.end for lane in others if lane.end is not None]
    done = len(ends) == len(others)
    together = Lane(
        f"{len(others)} other machines",
        min(lane.begin for lane in others),
        None,
        max(ends) if done else None,
        "done" if done else f"{len(ends)} of them done",
        tone="good" if done else "busy",
        marks=tuple(ends),
        group=group,
    )
    return [together, *slowest]
