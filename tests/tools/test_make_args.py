"""`make args`: what is written from the models of the inputs is what they say, and what is not is found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INPUTS, FIELDS = "ksail_pulumi/provider/inputs.py", "ksail_pulumi/provider/fields.py"
PUBLIC, DOCUMENT = "ksail_pulumi/__init__.py", "docs/configuration.md"
SCHEMA = "ksail_pulumi/provider/plugin/schema.json"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what `make args` reads and writes."""
    for folder in ("ksail_pulumi", "tools", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "go"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def make_args(root: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, root / "tools" / "make_args.py", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return done.returncode, done.stderr


def test_what_is_committed_is_what_the_models_say() -> None:
    assert make_args(ROOT, "--check") == (0, "")


def test_a_new_field_makes_everything_stale_that_names_it_until_it_is_written(checkout: Path) -> None:
    model = checkout / "ksail_pulumi" / "model" / "cluster.py"
    field = '    motd: str | None = None\n    """Message of the day."""\n\n    addons:'
    model.write_text(model.read_text().replace("    addons:", field))
    code, errors = make_args(checkout, "--check")
    assert (code, [line.split()[0] for line in errors.splitlines()]) == (1, [INPUTS, FIELDS, DOCUMENT, SCHEMA])
    assert make_args(checkout) == (0, "")
    assert make_args(checkout, "--check") == (0, "")
    inputs, fields, document = ((checkout / path).read_text() for path in (INPUTS, FIELDS, DOCUMENT))
    assert inputs.count('"""Message of the day."""') == 2
    assert "def motd(self) -> Output[str | None]:" in fields
    assert "| `motd` | `str` | Message of the day. |" in document
    assert '"motd": {' in (checkout / SCHEMA).read_text()


@pytest.mark.parametrize("path", [INPUTS, FIELDS, PUBLIC, DOCUMENT, SCHEMA])
def test_a_change_by_hand_is_found(checkout: Path, path: str) -> None:
    file = checkout / path
    file.write_text(file.read_text().replace("OnDelete", "OnRemoval"))
    assert make_args(checkout, "--check") == (1, f"{path} does not say what the models say: run `make args`\n")
