"""The observed code reports what its functions make and hand out, in each way in which they can."""

from __future__ import annotations

import ast
from contextlib import suppress
from typing import Any

import pytest

from tests.secrecy.instrumented import compiled, reports
from tools.list_texts import places_in

WAYS = {
    "returns": "return f'a {value} text'",
    "yields": "yield f'a {value} text'",
    "passes on": "text = f'a {value} text'\n    yield from [text]",
    "generates": "text = f'a {value} text'\n    yield from (each for each in [text])",
    "raises": "raise ValueError(f'a {value} text')",
    "lets through": "text = f'a {value} text'\n    int(text)",
    "catches": "try:\n        raise ValueError(f'a {value} text')\n    except ValueError:\n        pass",
    "in a lambda": "return (lambda: error(f'a {value} text'))()",
}


@pytest.mark.parametrize("body", WAYS.values(), ids=WAYS)
def test_a_text_is_reported_when_it_is_made_and_when_it_is_handed_out(body: str) -> None:
    made: list[int] = []
    shown: list[str] = []
    source = f"def run(value):\n    {body}\n"
    names: dict[str, Any] = {
        "error": str,
        **reports(lambda _, line: made.append(line), lambda where, given: shown.append(f"{where}: {given}")),
    }
    exec(compiled("one.py", list(places_in("one.py", ast.parse(source)))), names)
    with suppress(ValueError):
        list(names["run"]("planted") or ())
    assert made
    assert any(each.startswith("one.py run: ") and "a planted text" in each for each in shown), shown
