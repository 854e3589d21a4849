"""What `check` and `configure` warn of without asking Omni: a key that expires, settings that nobody knows."""

import threading
from datetime import timedelta

import pytest

from ksail_pulumi.provider.configured import unknown_settings
from ksail_pulumi.provider.expiry import warn_of_expiry
from ksail_pulumi.provider.host import call as host
from ksail_pulumi.provider.settings import Settings
from ksail_pulumi.simulator.server import Simulator


@pytest.fixture(scope="module")
def omni():
    with Simulator(machines=1, speed="fast") as found:
        yield found


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    for name in ("OMNI_SERVICE_ACCOUNT_KEY", "SIDERO_SERVICE_ACCOUNT_KEY", "MINE"):
        monkeypatch.delenv(name, raising=False)


def warnings(capfd, settings, inputs=None):
    """What a call warns of; without an engine, it goes to stderr."""
    call = host.Call(urn="", timeout=0.0, cancelled=threading.Event(), context=None)
    warn_of_expiry(call, settings, inputs or {})
    return " ".join(capfd.readouterr().err.split())


@pytest.mark.parametrize(
    ("left", "when"),
    [
        (timedelta(days=13, hours=23), "in 13 days"),
        (timedelta(days=2, hours=1), "in 2 days"),
        (timedelta(days=1, hours=1), "tomorrow"),
        (timedelta(hours=5), "today"),
    ],
)
def test_a_key_is_warned_of_from_fourteen_days_before_its_end(omni, capfd, left, when):
    name = f"ci-{when.replace(' ', '-')}"
    settings = Settings(service_account_key=omni.issue_key(name, lifetime=left))
    said = warnings(capfd, settings)
    assert said.startswith(f"warning: the key of omni service account {name!r} expires {when}, on 20")
    assert f"`omnictl serviceaccount renew {name}`" in said
    assert "set the configuration omni:serviceAccountKey to the new one" in said
    assert settings.service_account_key not in said
    assert warnings(capfd, settings) == ""  # once a run


def test_where_the_key_is_set_is_said(omni, capfd, monkeypatch):
    monkeypatch.setenv("MINE", omni.issue_key("mine", lifetime=timedelta(days=3)))
    said = warnings(capfd, Settings(), {"serviceAccountKeyEnvVar": "MINE"})
    assert "set environment variable MINE to the new one" in said


def test_there_is_nothing_to_warn_of(omni, capfd):
    keys = (omni.issue_key("long", lifetime=timedelta(days=14, hours=1)), "", "no key", omni.service_account_key)
    assert [warnings(capfd, Settings(service_account_key=key)) for key in keys] == [""] * 4


def test_an_unknown_setting_is_told_with_what_was_probably_meant():
    names = [
        "omni:endpoint",
        "omni:serviceAccountKey",
        "omni:caFile",
        "omni:insecureSkipTlsVerify",
        "aws:region",
        "omni",
    ]
    assert list(unknown_settings(names)) == []
    assert list(unknown_settings([*names, "omni:endpont", "omni:xyz"])) == [
        "omni:endpont is not a setting of an OmniCluster; did you mean omni:endpoint?",
        "omni:xyz is not a setting of an OmniCluster; known settings: omni:endpoint, omni:serviceAccountKey, "
        "omni:caFile, omni:insecureSkipTlsVerify",
    ]
