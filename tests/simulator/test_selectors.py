from __future__ import annotations

import json
from pathlib import Path

import pytest

from ksail_pulumi.simulator.selectors import SelectorError, matches_any, parse

OMNI = json.loads((Path(__file__).parent / "data" / "selectors.json").read_text(encoding="utf-8"))
LABELS = {"zone": "a", "omni.sidero.dev/cores": "8", "mem": "16GiB", "empty": "", "quoted": "a b"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "zone",
        "!rack",
        "zone=a",
        "zone = a",
        "zone == a",
        "zone != b",
        "rack != b",
        "omni.sidero.dev/cores > 4",
        "omni.sidero.dev/cores >= 8",
        "omni.sidero.dev/cores<9",
        "mem <= 16GiB",
        "zone in (a, b)",
        "zone notin (b,c)",
        "rack notin (b)",
        "empty=",
        'quoted = "a b"',
        "zone, !rack , omni.sidero.dev/cores > 4",
    ],
)
def test_a_selector_fits(text: str) -> None:
    assert parse(text).matches(LABELS)


@pytest.mark.parametrize(
    "text",
    ["rack", "!zone", "zone=b", "zone != a", "omni.sidero.dev/cores > 8", "zone > 1", "zone in (b)", "zone,rack"],
)
def test_a_selector_does_not_fit(text: str) -> None:
    assert not parse(text).matches(LABELS)


@pytest.mark.parametrize("text", OMNI["matches"])
def test_matches_what_omni_matches(text: str) -> None:
    expected = OMNI["matches"][text]
    if isinstance(expected, str):
        with pytest.raises(SelectorError) as refusal:
            parse(text)
        assert f"ERR rpc error: code = InvalidArgument desc = {refusal.value}" == expected
        return
    labels = {value: {"a": value} for value in OMNI["values"]} | {"(absent)": {}}
    selector = parse(text)
    assert [value for value, each in labels.items() if selector.matches(each)] == expected


@pytest.mark.parametrize("value", ["9223372036854775808", "9" * 5000, "-", "1-2", "1 X", "0x10", "1_000", "4.5"])
def test_what_is_no_whole_number_does_not_compare(value: str) -> None:
    assert not parse("a > -1").matches({"a": value})
    assert not parse("a <= 1").matches({"a": value})


def test_spaces_behind_an_operator_belong_to_the_value() -> None:
    assert parse("a = x y").matches({"a": "x y"})
    assert parse("a = x , b").matches({"a": "x ", "b": ""})
    assert parse('a = "," , b').matches({"a": ",", "b": ""})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a ~ b", "unable to parse term: found '~', expected: ==, =, !=, >=, >, in, notin, <=, <"),
        ("a b", "unable to parse term: found 'b', expected: ==, =, !=, >=, >, in, notin, <=, <"),
        ("=", "found '=', expected: !, identifier, or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("a,,b", "found ',', expected: identifier after ','"),
        ("a in b", "unable to parse term: found 'b' expected: '('"),
        ("a in (b", "unable to parse term: found '', expected: ',' or ')'"),
        ("a in (", "unable to parse term: found '', expected: ',', ')' or identifier"),
        ("a in (,", "unable to parse term: found '', expected: ',', or identifier"),
        ("!", "unable to parse term: found '', expected: identifier"),
        ("!a = 1", "unable to parse term: expected EOF or ',', found "),
        ('a = "b', "unable to parse term: found 'unterminated quoted string', expected: identifier"),
        ("a in (b) c", "found 'c', expected: ',' or 'end of string'"),
    ],
)
def test_what_is_no_selector_is_refused(text: str, message: str) -> None:
    with pytest.raises(SelectorError) as refusal:
        parse(text)
    assert str(refusal.value) == message


def test_the_list_of_a_class_is_read_with_or() -> None:
    assert matches_any(["rack", "zone=a"], LABELS)
    assert not matches_any(["rack", "zone=b"], LABELS)
    assert not matches_any([], LABELS)
