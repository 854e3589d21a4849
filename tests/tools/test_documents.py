"""What the documents say can be found: the files they link to, and every input and command."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from ksail_pulumi.cli.app import COMMANDS
from ksail_pulumi.provider.inputs import OmniClusterArgs

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    targets = [target for target in LINK.findall(document.read_text()) if not target.startswith("http")]
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_every_input_is_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    assert [field.name for field in dataclasses.fields(OmniClusterArgs) if f"`{field.name}`" not in text] == []


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    assert [name for name in COMMANDS if f"ksail-pulumi {name}" not in text] == []
