"""The picture of the demo keeps the columns of its tables where a renderer ignores its style."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tools.documents import ROOT
from tools.record_demo import Line, drawn

SPACE = "{http://www.w3.org/XML/1998/namespace}space"
TABLE = "NAME     NODES"
PICTURES = {"drawn": drawn([Line(0.0, f"\x1b[1m{TABLE}\x1b[0m")]), "docs": (ROOT / "docs" / "demo.svg").read_text()}


@pytest.mark.parametrize("picture", PICTURES)
def test_blanks_are_kept(picture: str) -> None:
    texts = list(ElementTree.fromstring(PICTURES[picture]).iter("{http://www.w3.org/2000/svg}text"))
    assert {text.get(SPACE) for text in texts} == {"preserve"}
    assert any(re.search(r"NAME {3,}\S", "".join(text.itertext())) for text in texts)
