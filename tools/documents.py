"""The Markdown files of the project, their links and their headings, and the order of the pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
INDEX = Path("docs/README.md")
"""The page that lists all pages, in groups. The navigation of the site is made from it."""

_FENCE = re.compile(r"^( *)```(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_LEFT_OUT_OF_ANCHORS = re.compile(r"[^\w\- ]")


@dataclass(frozen=True)
class Group:
    """Pages under one heading of the index.

    Attributes:
        title: The heading.
        pages: The title of each page, and its path from the root of the project.
    """

    title: str
    pages: tuple[tuple[str, Path], ...]


def documents() -> list[Path]:
    """Every Markdown file for readers, by its path from the root."""
    patterns = ("*.md", "docs/*.md", "examples/*/README.md", "examples/README.md")
    return sorted(path.relative_to(ROOT) for pattern in patterns for path in ROOT.glob(pattern))


def links(document: Path) -> list[tuple[Path, str]]:
    """The links of a document to files of the project: each with its anchor, `""` if it has none."""
    found = []
    for target in _LINK.findall(_prose(document)):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / document).parent / path if path else ROOT / document
        found.append((Path(file.resolve()).relative_to(ROOT), anchor))
    return found


def anchors(document: Path) -> set[str]:
    """The anchors of the headings of a document, as GitHub makes them."""
    found: set[str] = set()
    for heading in _HEADING.findall(_prose(document)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
        anchor = name = _LEFT_OUT_OF_ANCHORS.sub("", text).replace(" ", "-")
        number = 0
        while anchor in found:
            number += 1
            anchor = f"{name}-{number}"
        found.add(anchor)
    return found


def groups() -> Iterator[Group]:
    """The groups of the index, in its order."""
    text = (ROOT / INDEX).read_text(encoding="utf-8")
    for section in text.split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        found = re.findall(r"^[*|] \[([^\]]+)\]\(([^)#\s]+)\)", body, re.MULTILINE)
        pages = ((name, (ROOT / INDEX.parent / path).resolve().relative_to(ROOT)) for name, path in found)
        yield Group(title, tuple(pages))


def _prose(document: Path) -> str:
    """A document without its blocks of code."""
    return _FENCE.sub("", (ROOT / document).read_text(encoding="utf-8"))
