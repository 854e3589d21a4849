from __future__ import annotations

import pytest

from ksail_pulumi.simulator.selectors import SelectorError, matches_any, parse

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


@pytest.mark.parametrize("text", ["a ~ b", "=", "a in b", "a in (b", "a b", "!", 'a = "b', "a,,b", "a = b c"])
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(SelectorError, match="unable to parse term"):
        parse(text)


def test_the_list_of_a_class_is_read_with_or() -> None:
    assert matches_any(["rack", "zone=a"], LABELS)
    assert not matches_any(["rack", "zone=b"], LABELS)
    assert not matches_any([], LABELS)
