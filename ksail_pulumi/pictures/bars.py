"""A change as bars over time, in SVG."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby

import drawsvg

from ksail_pulumi.pictures.sheet import (
    COLUMN,
    LINE,
    PADDING,
    WIDTH,
    Frame,
    canvas,
    named,
    rectangle,
    svg,
    wide,
    written,
)
from ksail_pulumi.pictures.timeline import Lane, Timeline, condensed, lasting
from ksail_pulumi.pictures.words import shortened, wrapped

_ROW, _SIZE = 30, 12
_NAMES = 210
"""The width of the names, at the left."""

_CHART = Frame(PADDING + _NAMES, 0, WIDTH - 2 * PADDING - _NAMES, 0)
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400)
"""The steps of the axis, in seconds."""

_MOST_TICKS = 8
_FACTS = int((WIDTH - 2 * PADDING) / (COLUMN * 13))


def timeline_svg(timeline: Timeline) -> str:
    """The picture of a change."""
    heading = list(wrapped(" · ".join(timeline.facts), _FACTS))
    notes = [line for note in timeline.notes for line in wrapped(note, int((WIDTH - 2 * PADDING) / (COLUMN * 11)))]
    lanes = condensed(timeline.lanes)
    rows = list(_rows(lanes, timeline.name))
    top = PADDING + 34 + len(heading) * 13 * LINE + 24
    bottom = top + 20 + len(rows) * _ROW
    drawing = canvas(timeline.title, "; ".join(timeline.facts), bottom + 20 + len(notes) * 11 * LINE + PADDING)
    drawing.append(written(shortened(timeline.title, 70), 20, "fg strong", PADDING, PADDING + 22))
    drawing.extend(_text(heading, 13, PADDING + 34))
    drawing.extend(_axis(timeline, top, bottom))
    for number, row in enumerate(rows):
        y = top + 20 + number * _ROW
        if isinstance(row, Lane):
            fact = f"{row.name}: {_outcome(row, timeline)}"
            drawing.append(named(fact, _lane(row, timeline, y)))
        else:
            drawing.append(written(shortened(row, 60), _SIZE, "muted", PADDING, y + 20))
    drawing.extend(_text(notes, 11, bottom + 12))
    return svg(drawing)


def _rows(lanes: list[Lane], cluster: str) -> Iterator[Lane | str]:
    """The lanes, with the name of each machine set before its machines."""
    for group, members in groupby(lanes, key=lambda lane: lane.group):
        if group:
            yield f"machines of {group.removeprefix(f'{cluster}-')}"
        yield from members


def _text(lines: list[str], size: int, y: float) -> Iterator[drawsvg.DrawingElement]:
    for number, line in enumerate(lines):
        yield written(line, size, "muted", PADDING, y + (number + 1) * size * LINE)


def _axis(timeline: Timeline, top: float, bottom: float) -> Iterator[drawsvg.DrawingElement]:
    seconds = max((timeline.end - timeline.begin).total_seconds(), 0.1)
    step = next((each for each in _STEPS if seconds / each <= _MOST_TICKS), seconds / _MOST_TICKS)
    for number in range(int(seconds / step) + 1):
        x = _x(number * step, seconds)
        label = lasting(timedelta(seconds=number * step)) if number else "0"
        style = {"stroke_width": 1, "class_": "edge-line"}
        yield drawsvg.Line(round(x, 1), round(top + 12, 1), round(x, 1), round(bottom, 1), **style)
        if x + wide(label, 11) / 2 <= WIDTH - PADDING / 2:
            yield written(label, 11, "muted", x, top + 4, anchor="middle")


def _x(seconds: float, whole: float) -> float:
    return _CHART.x + _CHART.width * min(seconds / whole, 1)


def _lane(lane: Lane, timeline: Timeline, y: float) -> Iterator[drawsvg.DrawingElement]:
    whole = max((timeline.end - timeline.begin).total_seconds(), 0.1)

    def x(moment: timedelta) -> float:
        return _x(moment.total_seconds(), whole)

    begin, end = x(lane.begin - timeline.begin), x((lane.end or timeline.end) - timeline.begin)
    indent = 14 if lane.group else 0
    columns = int((_NAMES - indent - 12) / (COLUMN * _SIZE))
    yield written(shortened(lane.name, columns), _SIZE, "fg", PADDING + indent, y + 12)
    middle = y + 8
    open_end = " dashed" if lane.end is None else ""
    yield drawsvg.Line(
        round(begin, 1), middle, round(end, 1), middle, stroke_width=2, class_=f"edge-{lane.tone}{open_end}"
    )
    if lane.since is not None:
        since = x(lane.since - timeline.begin)
        yield rectangle(Frame(since, middle - 5, max(end - since, 2), 10), lane.tone, radius=3)
    for each in lane.marks or ([lane.end] if lane.end else []):
        yield rectangle(Frame(x(each - timeline.begin) - 2, middle - 7, 4, 14), lane.tone, radius=2)
    outcome = shortened(_outcome(lane, timeline), int(_CHART.width / (COLUMN * 11)))
    width = wide(outcome, 11)
    yield written(outcome, 11, "muted halo", min(max(end - width, _CHART.x), WIDTH - PADDING - width), y + 26)


def _outcome(lane: Lane, timeline: Timeline) -> str:
    if lane.end is None:
        return lane.fact
    return f"{lane.fact} after {lasting(lane.end - timeline.begin)}{lane.waited}"
