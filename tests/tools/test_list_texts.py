"""`make texts`: the list has every kind of text that a user may see, and nothing else."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import pytest

from tests.apart import apart
from tools.list_texts import ERRORS, Text, name_called, places, texts

ROOT = Path(__file__).parents[2]

# One of each kind, in each package: an error, a problem, a warning, a line of progress, a forecast, help.
KNOWN = {
    "access/files.py": "the file is locked: if no kubectl is changing it, delete {…}",
    "addons/findings.py": "changes {…}",
    "cli/app.py": "show one cluster and its nodes",
    "errors.py": "not enough available machines in Omni for the requested node count: need {…}, got {…}",
    "formats/ksail/read.py": "expected one document, not {…}",
    "goyaml/read.py": "file not found",
    "lifecycle/waiting/progress.py": "{…}/{…} machines connected",
    "model/reasons.py": "should be a mapping, not {input}",
    "omni/status.py": "the connection was refused",
    "pictures/graph.py": "Plan for {…}",
    "plan/parts/nodes.py": "{…} will leave {…} and be wiped",
    "problems.py": "unknown field; did you mean {…}?",
    "provider/check.py": "the resource {…} of this stack already manages cluster {…}: choose another name",
    "redaction.py": "a service account key of Omni",
    "testing/stacks.py": "there is no Pulumi.yaml in {…}",
}


def raised() -> set[tuple[str, str]]:
    return {(place.module, name) for place in places() if (name := name_called(place.node)) in ERRORS}


@functools.cache
def listed() -> list[Text]:
    return apart(texts)


def of(module: str) -> list[str]:
    return [text.text for text in listed() if text.module == module]


@pytest.mark.parametrize("module", KNOWN)
def test_a_known_text_of_each_package_is_listed(module: str) -> None:
    assert KNOWN[module] in of(module)


def test_every_package_with_texts_has_a_known_one() -> None:
    assert {text.module.partition("/")[0] for text in listed()} - {each.partition("/")[0] for each in KNOWN} <= {
        "__init__.py",
        "listing.py",
    }


def test_every_error_that_is_raised_is_listed_with_its_class() -> None:
    found = apart(raised)
    assert len(found) > 40
    assert found - {(text.module, text.error) for text in listed()} == set()


def test_what_is_no_message_is_not_listed() -> None:
    shown = {text.text for text in listed()}
    assert not any(text.startswith(("#!/bin/sh", "apiVersion:")) for text in shown)
    assert "The user interrupted the wait; changes already written to Omni are kept." not in shown  # a docstring
    assert "Connection refused" not in shown  # a pattern for gRPC's texts
    assert not any(text.module.startswith(("simulator/", "omni/api/")) for text in listed())


def test_a_text_stands_on_one_line_with_its_place_and_its_error() -> None:
    text = Text("cli/app.py", 7, "InputError", "first\nsecond")
    assert str(text) == "ksail_pulumi/cli/app.py:7  InputError: first\\nsecond"


def test_the_tool_prints_the_list() -> None:
    command = [sys.executable, ROOT / "tools" / "list_texts.py"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.splitlines() == list(map(str, listed()))
