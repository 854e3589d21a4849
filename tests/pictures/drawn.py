"""What a picture shows, read back from its SVG."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from xml.etree import ElementTree

from ksail_pulumi.pictures.words import cells

SVG = "{http://www.w3.org/2000/svg}"
WIDEST_COLUMN = 0.62
"""The width of a character in its size in the widest of the usual monospaced fonts."""


@dataclass(frozen=True)
class Box:
    text: str
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        apart = self.right <= other.left or other.right <= self.left
        return not (apart or self.bottom <= other.top or other.bottom <= self.top)


def texts(svg: str) -> list[str]:
    return [box.text for box in boxes(svg)]


def names(svg: str) -> list[str]:
    """The accessible names, that of the picture first."""
    return [each.text or "" for each in ElementTree.fromstring(svg).iter(f"{SVG}title")]


def boxes(svg: str) -> list[Box]:
    found = []
    for each in ElementTree.fromstring(svg).iter(f"{SVG}text"):
        size, text = float(each.attrib["font-size"]), each.text or ""
        width = cells(text) * size * WIDEST_COLUMN
        left = float(each.attrib["x"]) - (width / 2 if each.get("text-anchor") == "middle" else 0)
        line = float(each.attrib["y"])
        found.append(Box(text, left, line - size * 0.8, left + width, line + size * 0.2))
    return found


def check(svg: str) -> None:
    """Texts do not overlap and do not leave the page, there is a title, and nothing comes from elsewhere."""
    root = ElementTree.fromstring(svg)
    width, height = (float(root.attrib[name]) for name in ("width", "height"))
    for box in boxes(svg):
        assert box.left >= 0, box
        assert box.right <= width, box
        assert box.bottom <= height, box
    for one, other in combinations(boxes(svg), 2):
        assert not one.overlaps(other), (one, other)
    assert names(svg)[0]
    assert root.attrib["aria-labelledby"] == "title desc"
    assert "prefers-color-scheme:dark" in svg
    assert "url(" not in svg
    assert "@import" not in svg
    assert "href" not in svg
