"""What all SVG pictures have in common: colours for light and dark, texts, and the way that boxes are laid out.

Texts have a font whose characters all have one width, so their width is known without the font. The layout is CSS
Flexbox, by the library stretchable; the library drawsvg writes the SVG.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import drawsvg
from stretchable import Edge, Node
from stretchable.style import AUTO, AlignItems, FlexDirection, FlexWrap

from ksail_pulumi.pictures.words import cells, one_line, shortened

WIDTH = 960
PADDING = 28
COLUMN = 0.62
"""The width of a character in its size: that of the widest of the fonts below, with which no text is too wide."""

LINE = 1.5
"""The height of a line in the size of its text."""

_LIGHT = {
    "page": "#ffffff", "panel": "#f6f8fa", "card": "#ffffff", "line": "#d1d9e0", "fg": "#1f2328", "muted": "#59636e",
    "plain": "#818b98", "good": "#1a7f37", "busy": "#9a6700", "bad": "#cf222e",
}  # fmt: skip
_DARK = {
    "page": "#0d1117", "panel": "#151b23", "card": "#0d1117", "line": "#3d444d", "fg": "#f0f6fc", "muted": "#9198a1",
    "plain": "#656c76", "good": "#3fb950", "busy": "#d29922", "bad": "#f85149",
}  # fmt: skip


def _rules(colours: dict[str, str]) -> str:
    # Plain classes, because some renderers know no variables.
    fills = "".join(f".{name}{{fill:{colour}}}" for name, colour in colours.items())
    edges = "".join(f".edge-{name}{{stroke:{colour}}}" for name, colour in colours.items())
    # Lines do not cross these texts.
    return f"{fills}{edges}.halo{{stroke:{colours['page']}}}"


_CSS = (
    'text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre}'
    ".halo{paint-order:stroke;stroke-width:4px;stroke-linejoin:round}"
    f".strong{{font-weight:600}}.dashed{{stroke-dasharray:5 4}}{_rules(_LIGHT)}"
    f"@media(prefers-color-scheme:dark){{{_rules(_DARK)}}}"
)


@dataclass(frozen=True)
class Frame:
    """Where something is drawn, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Piece:
    """A box of the layout.

    Attributes:
        node: Its place in the layout.
        paint: Draws it.
        inner: The boxes in it.
        name: Its accessible name; one without has none of its own.
    """

    node: Node
    paint: Callable[[Frame], Iterable[drawsvg.DrawingElement]] = lambda _: ()
    inner: tuple[Piece, ...] = ()
    name: str = ""


def text(content: str, size: int, style: str, *, most: int) -> Piece:
    """A line of text in at most so many columns."""
    shown = shortened(content, most)

    def paint(frame: Frame) -> Iterator[drawsvg.DrawingElement]:
        yield written(shown, size, style, frame.x, frame.y + size * 1.1)

    return Piece(Node(size=(wide(shown, size), size * LINE), flex_shrink=0), paint)


def wide(content: str, size: float) -> float:
    """The width of a text in pixels, at most."""
    return cells(content) * size * COLUMN


def written(content: str, size: float, style: str, x: float, y: float, *, anchor: str = "start") -> drawsvg.Text:
    """A text on its base line."""
    others = {} if anchor == "start" else {"text_anchor": anchor}
    return drawsvg.Text(content, size, round(x, 1), round(y, 1), class_=style, **others)


def rectangle(frame: Frame, style: str, *, radius: float = 6) -> drawsvg.Rectangle:
    numbers = (round(each, 1) for each in (frame.x, frame.y, frame.width, frame.height))
    return drawsvg.Rectangle(*numbers, rx=radius, class_=style)


def column(*inner: Piece, gap: float, paint: Callable[[Frame], Iterable[drawsvg.DrawingElement]] = lambda _: (),
           name: str = "", padding: float = 0, width: float | None = None) -> Piece:  # fmt: skip
    """Boxes below each other."""
    node = Node(
        flex_direction=FlexDirection.COLUMN,
        gap=gap,
        padding=padding,
        size=(AUTO if width is None else width, AUTO),
    )
    return _piece(node, inner, paint, name)


def row(*inner: Piece, gap: float, align: AlignItems = AlignItems.STRETCH) -> Piece:
    """Boxes next to each other, in as many rows as needed."""
    node = Node(flex_direction=FlexDirection.ROW, flex_wrap=FlexWrap.WRAP, gap=gap, align_items=align)
    return _piece(node, inner, lambda _: (), "")


def _piece(
    node: Node, inner: tuple[Piece, ...], paint: Callable[[Frame], Iterable[drawsvg.DrawingElement]], name: str
) -> Piece:
    for each in inner:
        node.append(each.node)
    return Piece(node, paint, inner, name)


def sheet(piece: Piece, title: str, description: str) -> str:
    """The SVG of a layout."""
    piece.node.compute_layout()
    height = round(piece.node.get_box(Edge.BORDER, relative=False).height)
    drawing = canvas(title, description, height)
    for element in _drawn(piece):
        drawing.append(element)
    return svg(drawing)


def canvas(title: str, description: str, height: float) -> drawsvg.Drawing:
    """An empty picture."""
    drawing = drawsvg.Drawing(WIDTH, height, role="graphics-document", aria_labelledby="title desc")
    drawing.append_css(_CSS)
    drawing.append(drawsvg.Title(one_line(title), id="title"))
    drawing.append(drawsvg.Raw(f'<desc id="desc">{_escaped(one_line(description))}</desc>'))
    drawing.append(rectangle(Frame(0, 0, WIDTH, height), "page", radius=0))
    return drawing


def svg(drawing: drawsvg.Drawing) -> str:
    text: str = drawing.as_svg()
    return text


def named(name: str, elements: Iterable[drawsvg.DrawingElement]) -> drawsvg.Group:
    """What belongs together, with an accessible name, which browsers also show on hovering."""
    group = drawsvg.Group(role="group")
    group.append_title(one_line(name))
    group.extend(elements)
    return group


def _drawn(piece: Piece) -> Iterator[drawsvg.DrawingElement]:
    box = piece.node.get_box(Edge.BORDER, relative=False)
    elements = [
        *piece.paint(Frame(box.x, box.y, box.width, box.height)),
        *(element for each in piece.inner for element in _drawn(each)),
    ]
    if piece.name:
        yield named(piece.name, elements)
    else:
        yield from elements


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
