"""A cluster or a plan as boxes in boxes, in SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import drawsvg
from stretchable import Node
from stretchable.style import AUTO, AlignItems, AlignSelf

from ksail_pulumi.pictures.graph import Graph, Group, Machine, Mark, Part, Tone, condensed
from ksail_pulumi.pictures.sheet import COLUMN, LINE, PADDING, WIDTH, Frame, Piece, column, rectangle, row, sheet, text

_MARK_TONES: dict[Mark, Tone] = {"": "plain", "added": "good", "changed": "busy", "removed": "bad"}
_STATE_KEYS: Sequence[tuple[Tone, str]] = (("good", "ready"), ("busy", "not ready"), ("bad", "not connected"))
_PLAN_KEYS: Sequence[tuple[Tone, str]] = (("good", "+ added"), ("busy", "~ changed"), ("bad", "- removed"))

_CARD_WIDTH = 282
_CARD_PADDING = 12
_CARD_COLUMNS = int((_CARD_WIDTH - 2 * _CARD_PADDING) / COLUMN)
"""The columns of a card at a size of 1."""

_MOST_PARTS = 24
"""The number of patches of a scope that are drawn."""


def cluster_svg(graph: Graph) -> str:
    """The picture of a cluster or of a plan."""
    drawn = condensed(graph)
    facts = [text(line, 13, "muted", most=110) for line in _lines(graph.facts, 110)]
    page = column(
        column(_title(graph), *facts, gap=4),
        *_parts("for all machines" if graph.planned else "patches of the cluster", drawn.parts),
        *(_group(each, planned=graph.planned) for each in drawn.groups),
        _legend(_PLAN_KEYS if graph.planned else _STATE_KEYS),
        gap=18,
        padding=PADDING,
        width=WIDTH,
    )
    return sheet(page, graph.title, _description(graph))


def _title(graph: Graph) -> Piece:
    return text(graph.title, 20, "fg strong", most=70)


def _description(graph: Graph) -> str:
    sets = (f"{each.label}: {len(each.machines)} machines" for each in graph.groups)
    return "; ".join((*graph.facts, *sets))


def _group(group: Group, *, planned: bool) -> Piece:
    tone = _MARK_TONES[group.mark] if planned else group.tone

    def paint(frame: Frame) -> Iterator[drawsvg.DrawingElement]:
        yield rectangle(frame, f"panel edge-{tone if group.mark else 'line'}{_dashed(group.mark)}", radius=8)

    head = row(
        text(group.label, 14, "fg strong", most=44),
        text(" · ".join(group.facts), 12, "muted", most=60),
        gap=14,
        align=AlignItems.CENTER,
    )
    cards = [_card(each, planned=planned) for each in group.machines]
    return column(
        head,
        *_parts("for this set" if planned else "patches of the set", group.parts),
        *([row(*cards, gap=12)] if cards else []),
        gap=12,
        padding=16,
        paint=paint,
        name=" · ".join((group.label, *group.facts)),
    )


def _card(machine: Machine, *, planned: bool) -> Piece:
    tone = _MARK_TONES[machine.mark] if planned else machine.tone

    def paint(frame: Frame) -> Iterator[drawsvg.DrawingElement]:
        edge = tone if machine.mark else "line"
        yield rectangle(frame, f"card edge-{edge}{_dashed(machine.mark)}")
        yield rectangle(Frame(frame.x, frame.y + 10, 4, frame.height - 20), tone, radius=2)

    return column(
        text(machine.label, 13, "fg strong", most=_CARD_COLUMNS // 13),
        *(text(line, 12, "fg", most=_CARD_COLUMNS // 12) for line in _lines(machine.facts, _CARD_COLUMNS // 12)),
        *([text(machine.note, 11, "muted", most=_CARD_COLUMNS // 11)] if machine.note else []),
        *(_chip(each, most=_CARD_COLUMNS // 11 - 3) for each in machine.parts[:_MOST_PARTS]),
        *_rest(machine.parts),
        gap=3,
        padding=_CARD_PADDING,
        width=_CARD_WIDTH,
        paint=paint,
        name=" · ".join(
            filter(None, (machine.label, *machine.facts, machine.note, *(each.label for each in machine.parts)))
        ),
    )


def _lines(facts: Sequence[str], most: int) -> Iterator[str]:
    """The facts in as few lines as they fit into."""
    line = ""
    for fact in facts:
        longer = f"{line} · {fact}" if line else fact
        if line and len(longer) > most:
            yield line
            longer = fact
        line = longer
    if line:
        yield line


def _parts(what: str, parts: Sequence[Part]) -> list[Piece]:
    if not parts:
        return []
    chips = [_chip(each, most=50) for each in parts[:_MOST_PARTS]]
    return [row(text(what, 12, "muted", most=40), *chips, *_rest(parts), gap=8, align=AlignItems.CENTER)]


def _rest(parts: Sequence[Part]) -> list[Piece]:
    more = len(parts) - _MOST_PARTS
    return [text(f"and {more} more", 11, "muted", most=20)] if more > 0 else []


def _chip(part: Part, *, most: int) -> Piece:
    """A patch: a label in a rounded box."""
    tone = _MARK_TONES[part.mark]
    label = text(part.label, 11, "fg", most=most)

    def paint(frame: Frame) -> Iterator[drawsvg.DrawingElement]:
        yield rectangle(
            frame, f"card edge-{tone if part.mark else 'line'}{_dashed(part.mark)}", radius=frame.height / 2
        )

    node = Node(
        padding=(1, 9),
        size=(AUTO, 11 * LINE + 4),
        align_items=AlignItems.CENTER,
        align_self=AlignSelf.FLEX_START,
        flex_shrink=0,
    )
    node.append(label.node)
    return Piece(node, paint, (label,), part.label)


def _legend(keys: Sequence[tuple[Tone, str]]) -> Piece:
    def dot(tone: Tone) -> Callable[[Frame], Iterator[drawsvg.DrawingElement]]:
        def paint(frame: Frame) -> Iterator[drawsvg.DrawingElement]:
            yield rectangle(frame, tone, radius=2)

        return paint

    return row(
        *(
            row(Piece(Node(size=(4, 14)), dot(tone)), text(word, 11, "muted", most=30), gap=7, align=AlignItems.CENTER)
            for tone, word in keys
        ),
        gap=20,
    )


def _dashed(mark: Mark) -> str:
    return " dashed" if mark == "removed" else ""
