"""Our YAML encoder against what go-yaml v3 wrote for the same data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ksail_pulumi.goyaml.loaders import SafeLoader
from ksail_pulumi.goyaml.write import encode


def table(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(__file__).parent / "data" / name).read_text().splitlines()]


# Each text was written by gopkg.in/yaml.v3 v3.0.1 with an indent of 4.
PAIRS = table("go-yaml-v3.jsonl")


@pytest.mark.parametrize("pair", PAIRS, ids=range(len(PAIRS)))
def test_data_is_written_as_go_yaml_writes_it(pair: dict[str, Any]) -> None:
    assert encode(pair["data"]) == pair["text"]


def test_floats_are_written_as_go_yaml_writes_them() -> None:
    """All powers of ten and a random sample; the table is made by tools/go/yaml-floats."""
    floats = table("go-yaml-v3-floats.jsonl")
    powers = {float(f"1e{exponent}") for exponent in range(-323, 309)}
    assert powers <= {pair["data"] for pair in floats}
    wrong = {pair["data"]: encode(pair["data"]) for pair in floats if encode(pair["data"]) != pair["text"]}
    assert wrong == {}


def test_a_first_line_break_is_kept_where_go_yaml_loses_it() -> None:
    assert encode({"a": "\nx\n"}) == 'a: "\\nx\\n"\n'


def test_lines_that_start_with_a_tab_are_quoted_where_go_yaml_writes_what_nobody_can_read() -> None:
    assert encode({"a": "\tx\ny\n"}) == 'a: "\\tx\\ny\\n"\n'


def test_lines_that_start_with_a_space_are_quoted_where_go_yaml_gives_a_false_hint() -> None:
    assert encode({"a": " x\ny\n"}) == "a: |4\n     x\n    y\n"
    assert encode({"a": [" x\ny\n"]}) == 'a:\n    - " x\\ny\\n"\n'
    assert encode({"a": [{"b": " x\ny\n"}]}) == 'a:\n    - b: " x\\ny\\n"\n'


# PyYAML reads YAML 1.1 and stumbles over some characters and a plain "=", which go-yaml writes; they agree on these.
characters = st.characters(min_codepoint=0x20, max_codepoint=0x7E) | st.sampled_from("\n\té日")
words = st.text(characters, max_size=12).filter(lambda text: text not in ("=", "<<"))
data = st.dictionaries(
    words,
    st.recursive(
        words | st.integers(-(2**60), 2**60) | st.booleans() | st.none(),
        lambda each: st.lists(each, max_size=4) | st.dictionaries(words, each, max_size=4),
        max_leaves=12,
    ),
    min_size=1,
    max_size=4,
)


@given(data)
def test_what_is_written_reads_back_as_the_same_data(value: dict[str, Any]) -> None:
    assert yaml.load(encode(value), Loader=SafeLoader) == value
