"""Label selectors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ksail_pulumi.model.selectors import parse_selector

OMNI = json.loads(
    (Path(__file__).parents[1] / "simulator" / "data" / "selectors.json").read_text(encoding="utf-8")
)  # the answers of Omni's own code
LABELS = {
    "omni.sidero.dev/arch": "amd64",
    "omni.sidero.dev/cores": "8",
    "omni.sidero.dev/mem": "16GiB",
    "role": "gpu",
    "site/rack": "r 1",
    "empty": "",
}


@pytest.mark.parametrize(
    "selector",
    [
        "role",
        "empty",
        "!nothing",
        "role=gpu",
        "role == gpu",
        "role != cpu",
        "nothing != cpu",
        "role in (gpu, tpu)",
        "role notin (cpu,tpu)",
        "nothing notin (x)",
        'site/rack = "r 1"',
        "arch=amd64",
        "omni.sidero.dev/arch = amd64",
        "cores >= 8, cores < 9,cores<=8, cores > 4",
        "mem > 8GiB",
        "role = gpu, arch in (amd64), !nothing",
    ],
)
def test_matches(selector: str) -> None:
    assert parse_selector(selector).matches(LABELS)


@pytest.mark.parametrize(
    "selector",
    [
        "nothing",
        "!role",
        "role=cpu",
        "role != gpu",
        "nothing = x",
        "role in (cpu)",
        "role notin (gpu)",
        "cores > 8",
        "role < 5",
        "nothing < 5",
        "role, nothing",
        "omni.sidero.dev/role = gpu",
    ],
)
def test_does_not_match(selector: str) -> None:
    assert not parse_selector(selector).matches(LABELS)


def test_a_machines_own_label_comes_before_omnis() -> None:
    assert parse_selector("arch=mine").matches({"arch": "mine", "omni.sidero.dev/arch": "amd64"})


@pytest.mark.parametrize("selector", OMNI["matches"])
def test_matches_what_omni_matches(selector: str) -> None:
    expected = OMNI["matches"][selector]
    if isinstance(expected, str):
        with pytest.raises(ValueError, match="syntax error"):
            parse_selector(selector)
        return
    labels = {value: {"a": value} for value in OMNI["values"]} | {"(absent)": {}}
    parsed = parse_selector(selector)
    assert [value for value, each in labels.items() if parsed.matches(each)] == expected


@pytest.mark.parametrize(
    ("selector", "value"),
    [
        ("a > 1", "9223372036854775807"),
        ("a > 1PiB", "1025T i"),  # T, not Ti: only the first two letters are a unit
        ("a < 0", "10000P"),  # overflows
        ("a <= 1MB", " 976Kib "),
    ],
)
def test_compares_numbers_as_omni_does(selector: str, value: str) -> None:
    assert parse_selector(selector).matches({"a": value}) == (value != "1025T i")


@pytest.mark.parametrize("value", ["9223372036854775808", "9" * 5000, "-", "1-2", "1 X", "0x10", "1_000"])
def test_what_is_no_whole_number_is_neither_more_nor_less(value: str) -> None:
    assert not parse_selector("a > -1").matches({"a": value})
    assert not parse_selector("a <= 1").matches({"a": value})


@pytest.mark.parametrize(
    ("selector", "labels"),
    [
        ("a = x y", {"a": "x y"}),
        ("a = x y , b", {"a": "x y", "b": ""}),
        ('a = "x, \\"y\\""', {"a": 'x, "y"'}),
        ("a =", {"a": ""}),
        ("a in (x y , z,)", {"a": "x y"}),
        ("a in (x,)", {"a": ""}),
        ("in in (in)", {"in": "in"}),
        ("!x y , a", {"a": ""}),
        ('"a" in(x)', {"a": "x"}),
        (" ", {}),
    ],
)
def test_values_may_have_spaces_and_be_empty(selector: str, labels: dict[str, str]) -> None:
    assert parse_selector(selector).matches(labels)


@pytest.mark.parametrize(
    "selector",
    [",", "a,", "a,,b", "a b", "a in", "a in x", "a in (b", "ain (b)", "a in (b) c", "!!a", '"a', "=x", "a = ="],
)
def test_what_is_no_selector_is_refused(selector: str) -> None:
    with pytest.raises(ValueError, match=r"syntax error|missing"):
        parse_selector(selector)


def test_no_selector_takes_long() -> None:
    with pytest.raises(ValueError, match="syntax error"):
        parse_selector("a in (" + ", " * 5000)
