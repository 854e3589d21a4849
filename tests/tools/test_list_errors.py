"""The page of error messages lists every error text of the code, once, below its cause and its fix."""

from __future__ import annotations

import functools
import re

import pytest

from list_errors import DOCUMENT, errors, filled, unlisted
from tests.apart import apart

TEXT = DOCUMENT.read_text()

# One for each way in which an error gets its text.
KNOWN = {
    "errors.py": "not enough available machines in Omni for the requested node count: need …, got …",
    "goyaml/read.py": "file not found",
    "lifecycle/ownership.py": "cluster … already exists in Omni… and …. To take it over as it is, import it: …. "
    "Otherwise choose another name",
    "model/reasons.py": "should be a mapping, not …",
    "omni/status.py": "the connection was refused",
    "plan/findings.py": 'updating cluster configuration is not allowed: the cluster "…" is locked',
    "provider/settings.py": "omni:insecureSkipTlsVerify should be true or false",
}


@functools.cache
def found() -> dict[str, list[str]]:
    return apart(errors)


def test_the_page_has_the_texts_of_the_code() -> None:
    assert filled(TEXT, found()) == TEXT, "run `make args`"


def test_every_module_with_errors_is_in_one_list() -> None:
    assert unlisted(TEXT, found()) == {}, "name the module in a list of docs/messages.md"


@pytest.mark.parametrize("module", KNOWN)
def test_a_known_error_is_listed(module: str) -> None:
    assert KNOWN[module] in found()[module]


def test_no_help_progress_or_forecast_is_listed() -> None:
    listed = {text for its in found().values() for text in its}
    assert not listed & {
        "create a project: Pulumi program, ksail.yaml and talos/",
        "…/… machines connected",
        "… will leave … and be wiped",
    }


def test_every_list_has_a_cause_and_a_fix() -> None:
    for section in TEXT.split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        prose, mark, listed = body.partition("<!-- texts of ")
        assert re.search(r"^\*\*Cause:\*\* \S", prose, re.MULTILINE), title
        assert re.search(r"^\*\*Fix:\*\* \S", prose, re.MULTILINE), title
        assert mark, title
        assert listed.count("\n* ") >= 1, title
