"""A cluster or a plan as a flowchart in Mermaid, which GitHub and other sites draw in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ksail_pulumi.pictures.graph import Graph, Group, Mark, Part, Tone, condensed
from ksail_pulumi.pictures.words import shortened

# Edges only: the fill is the site's, which may be dark.
_CLASSES: dict[Tone | Mark, str] = {
    "good": "stroke:#2da44e,stroke-width:2px",
    "busy": "stroke:#bf8700,stroke-width:2px",
    "bad": "stroke:#cf222e,stroke-width:2px",
    "added": "stroke:#2da44e,stroke-width:2px",
    "changed": "stroke:#bf8700,stroke-width:2px",
    "removed": "stroke:#cf222e,stroke-width:2px,stroke-dasharray:5 4",
}


_MOST_COLUMNS = 60

# What joins the parts of a name stays readable.
_SPECIAL = re.compile(r"(?<![^\W_])[-._]|[-._](?![^\W_])|[^\w\s.,:/→·-]")


def cluster_mermaid(graph: Graph) -> str:
    """The flowchart of a cluster or of a plan."""
    return "\n".join([*_lines(condensed(graph)), ""])


def _lines(graph: Graph) -> Iterator[str]:
    yield "flowchart LR"
    yield f"  accTitle: {_escaped(graph.title)}"
    yield f"  cluster{_box([graph.title, *graph.facts])}{_class(graph.tone, '')}"
    yield from _parts("cluster", graph.parts)
    for number, group in enumerate(graph.groups):
        yield from _group(f"set{number}", group)
    for name, style in _CLASSES.items():
        yield f"  classDef {name} {style}"


def _group(node: str, group: Group) -> Iterator[str]:
    yield f"  {node}{_box([group.label, *group.facts])}{_class(group.tone, group.mark)}"
    yield f"  cluster --> {node}"
    yield from _parts(node, group.parts)
    for number, machine in enumerate(group.machines):
        member = f"{node}machine{number}"
        lines = [machine.label, *filter(None, [" · ".join(machine.facts), machine.note])]
        yield f"  {member}{_box(lines)}{_class(machine.tone, machine.mark)}"
        yield f"  {node} --> {member}"
        yield from _parts(member, machine.parts)


def _parts(node: str, parts: Sequence[Part]) -> Iterator[str]:
    for number, part in enumerate(parts):
        yield f"  {node}patch{number}([{_quoted([part.label])}]){_class('plain', part.mark)}"
        yield f"  {node}patch{number} -.-> {node}"


def _box(lines: Sequence[str]) -> str:
    return f"[{_quoted(lines)}]"


def _quoted(lines: Sequence[str]) -> str:
    return f'"{"<br>".join(map(_escaped, lines))}"'


def _class(tone: Tone, mark: Mark) -> str:
    name = mark or tone
    return f":::{name}" if name in _CLASSES else ""


def _escaped(text: str) -> str:
    """A text without characters that mean something to Mermaid, to Markdown or to HTML."""
    return _SPECIAL.sub(lambda found: f"#{ord(found[0])};", shortened(text, _MOST_COLUMNS))
