"""What the documents say can be found: every page, link, anchor, input and command."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ksail_pulumi.cli.app import COMMANDS
from ksail_pulumi.provider.inputs import OmniClusterArgs
from tools.documents import INDEX, ROOT, anchors, documents, groups, links


@pytest.mark.parametrize("document", documents(), ids=str)
def test_links_lead_somewhere(document: Path) -> None:
    targets = links(document)
    assert [str(path) for path, _ in targets if not (ROOT / path).exists()] == []
    assert [f"{path}#{anchor}" for path, anchor in targets if anchor and anchor not in anchors(path)] == []


def test_every_page_is_in_the_navigation() -> None:
    listed = [path for group in groups() for _, path in group.pages]
    pages = {path for path in documents() if path.parent == INDEX.parent and path != INDEX}
    assert sorted(set(listed)) == sorted(listed)
    assert pages - set(listed) == set()


def test_every_page_has_one_title() -> None:
    for document in documents():
        lines = (ROOT / document).read_text().splitlines()
        assert lines[0].startswith("# "), document


def test_every_input_is_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    assert [field.name for field in dataclasses.fields(OmniClusterArgs) if f"`{field.name}`" not in text] == []


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    assert [name for name in COMMANDS if f"ksail-pulumi {name}" not in text] == []
