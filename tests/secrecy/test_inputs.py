"""Every input with a canary, through `check`: what may be a secret stands in no text, nor does what is marked."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from ksail_pulumi.lifecycle.outputs import stored_inputs
from ksail_pulumi.provider.cluster import OmniClusterProvider
from ksail_pulumi.provider.properties import MARKED, OWNER, PREVIEW
from ksail_pulumi.simulator.server import Simulator
from tests.secrecy.positions import Position, inputs

VARIABLES = ("OMNI_ENDPOINT", "OMNI_SERVICE_ACCOUNT_KEY", "SIDERO_SERVICE_ACCOUNT_KEY", "OMNI_CA_FILE")


@pytest.fixture(autouse=True)
def no_omni(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def texts_of_check(news: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> str:
    """All that `check` makes a user read. Without an engine, what it logs goes to stderr."""
    properties = {**stored_inputs(news), OWNER: "organization/shop/dev/west", PREVIEW: True}
    try:
        result = OmniClusterProvider().check({}, properties)
    except Exception as error:
        said = "".join(traceback.format_exception(error))
    else:
        said = "\n".join(f"{failure.property}: {failure.reason}" for failure in result.failures)
    return said + "".join(capfd.readouterr())


def leaks(position: Position, capfd: pytest.CaptureFixture[str], *, marked: bool) -> str | None:
    """The text that shows a canary although it may not; None for none."""
    news = position.data | ({MARKED: [list(position.path)]} if marked else {})
    text = texts_of_check(news, capfd)
    if position.leaks(text) and (marked or position.private):
        return f"{position.name}{' (marked)' if marked else ''}: {text[:400]}"
    return None


@pytest.mark.parametrize("marked", [False, True], ids=["as it is", "marked"])
def test_no_input_shows_in_what_is_said_of_it(marked: bool, capfd: pytest.CaptureFixture[str]) -> None:
    everywhere = inputs()
    assert len(everywhere) > 800
    assert [leak for each in everywhere if (leak := leaks(each, capfd, marked=marked))] == []


def test_what_cannot_be_a_secret_shows_where_that_helps(capfd: pytest.CaptureFixture[str]) -> None:
    shown = [each for each in inputs() if not each.private and each.leaks(texts_of_check(each.data, capfd))]
    assert {("kubernetesVersion",), ("controlPlane", "count"), ("waitFor",)} & {each.path for each in shown}
    assert not [each for each in shown if each.kind == "long text"]


def on_an_omni(chosen: list[Position], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> list[str]:
    with Simulator(machines=3, speed="fast") as omni:
        monkeypatch.setenv("OMNI_ENDPOINT", omni.endpoint)
        monkeypatch.setenv("OMNI_SERVICE_ACCOUNT_KEY", omni.service_account_key)
        return [
            leak
            for each in chosen
            for marked in (False, True)
            if (leak := leaks(each, capfd, marked=marked)) is not None
        ]


def test_what_omni_says_of_a_patch_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    patches = [each for each in inputs() if each.path == ("patches", 0, "inline")]
    assert on_an_omni(patches, monkeypatch, capfd) == []


@pytest.mark.sweep
@pytest.mark.timeout(1800)
def test_what_omni_says_of_any_input_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert on_an_omni(inputs(), monkeypatch, capfd) == []
