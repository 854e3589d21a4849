"""Label selectors."""

from __future__ import annotations

import pytest

from ksail_pulumi.model.selectors import parse_selector

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


@pytest.mark.parametrize(
    "selector", ["", " ", ",", "a,", "a b", "a in", "a in ()", "a in (b", "a =", "a < b", "!!a", '"a', "=x"]
)
def test_what_is_no_selector_is_refused(selector: str) -> None:
    with pytest.raises(ValueError, match=r"syntax error|missing|should be a number"):
        parse_selector(selector)
