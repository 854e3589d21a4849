"""A key that was put in the wrong place is named by its kind, and not printed."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.errors import KsailPulumiError, SettingsError
from ksail_pulumi.omni.channel import Channel, Connection
from ksail_pulumi.omni.endpoint import normalise_endpoint
from ksail_pulumi.omni.signature import ServiceAccountKey
from ksail_pulumi.provider.settings import Settings
from ksail_pulumi.redaction import looks_like, without_keys

if TYPE_CHECKING:
    from collections.abc import Callable


URL = "https://omni.example"


def encoded(document: object) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def secrets_of(key: str) -> list[str]:
    """The key, its lines if it is wrapped, and the lines of the private key in it."""
    armored = json.loads(base64.b64decode(key))["pgp_key"]
    body = [line for line in armored.splitlines() if len(line) > 20 and "PGP" not in line]
    return [key[:30], key[40:70], key[-40:-10], *body]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> str:
    from ksail_pulumi.simulator.server import Simulator

    with Simulator(machines=1, speed="fast") as omni:
        return omni.service_account_key


FORMS: dict[str, Callable[[str], str]] = {
    "the key": lambda key: key,
    "the key in lines": lambda key: "\n".join(key[i : i + 76] for i in range(0, len(key), 76)),
    "its JSON": lambda key: base64.b64decode(key).decode(),
    "its JSON with spaces, in base64": lambda key: base64.b64encode(
        json.dumps(json.loads(base64.b64decode(key)), indent=2).encode()
    ).decode(),
    "the private key": lambda key: json.loads(base64.b64decode(key))["pgp_key"],
    "the private key in one line": lambda key: json.loads(base64.b64decode(key))["pgp_key"].replace("\n", "\\n"),
    "the beginning of the private key": lambda key: json.loads(base64.b64decode(key))["pgp_key"][:200],
    "another private key": lambda key: "-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n-----END RSA PRIVATE KEY-----",
}
PLACES: dict[str, Callable[[str, str], object]] = {
    "endpoint": lambda form, key: normalise_endpoint(form),
    "endpoint and key swapped": lambda form, key: Channel(Connection(form, URL)),
    "serviceAccountKeyEnvVar": lambda form, key: Settings(endpoint=URL).connection(
        {"serviceAccountKeyEnvVar": form}, {}
    ),
    "CA file": lambda form, key: Channel(Connection(URL, key, ca_file=form)),
    "insecureSkipTlsVerify": lambda form, key: Settings(
        endpoint=URL, service_account_key=key, insecure_skip_tls_verify=form
    ).connection({}, {}),
    "name inside the key": lambda form, key: ServiceAccountKey.parse(encoded({"name": form, "pgp_key": "main"})),
    "pgp_key inside the key": lambda form, key: ServiceAccountKey.parse(
        encoded({"name": "a", "pgp_key": "junk" + form})
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", PLACES)
def test_a_key_in_the_wrong_place_is_not_printed(place: str, form: str, key: str) -> None:
    written = FORMS[form](key)
    with pytest.raises(SettingsError) as caught:
        PLACES[place](written, key)
    text = f"{caught.value} {caught.value!r}"
    assert [secret for secret in [*secrets_of(key), "c2VjcmV0"] if secret in text] == []
    assert len(str(caught.value)) < 600
    if place not in ("insecureSkipTlsVerify", "pgp_key inside the key"):
        assert "it looks like " in text or "looks like a " in text, text


def test_the_message_says_where_the_key_belongs(key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        normalise_endpoint(key)
    assert "looks like a service account key of Omni" in str(caught.value)
    assert "OMNI_SERVICE_ACCOUNT_KEY" in str(caught.value)
    assert "pulumi config set --secret omni:serviceAccountKey" in str(caught.value)
    with pytest.raises(SettingsError, match="it looks like a URL; set the URL of your Omni in OMNI_ENDPOINT"):
        ServiceAccountKey.parse(URL)


def test_no_error_of_ours_prints_a_key_whatever_its_text_is(key: str) -> None:
    for form in FORMS.values():
        error = KsailPulumiError(f"something about {form(key)!r} and more")
        text = f"{error} {error!r}"
        assert "something about '" in text
        assert [secret for secret in [*secrets_of(key), "c2VjcmV0"] if secret in text] == []


@pytest.mark.parametrize(
    "text",
    [
        "https://account.omni.siderolabs.io:443",
        "d2f1b8d6-5a3e-4c4e-9a7a-0c5a1b2c3d4e",
        "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba",
        "MY_OMNI_KEY",
        "eyes-of-the-tiger",
        "/home/someone/projects/eyJ/ca.pem",
        "-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_key_is_left_alone(text: str) -> None:
    assert looks_like(text) is None
    assert without_keys(text) == text
