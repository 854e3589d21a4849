from __future__ import annotations

import base64
import json
import pickle
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pysequoia
import pytest

from ksail_pulumi.errors import SettingsError
from ksail_pulumi.omni.channel import Channel, Connection
from ksail_pulumi.omni.signature import ServiceAccountKey, canonical_payload, signed_metadata

DATA = Path(__file__).parent / "data"
FINGERPRINT = "c21d0af7bcb516599630211e451d7ffdf1268b2f"
VECTORS = [
    ("state_get", "/cosi.resource.State/Get", []),
    ("rs_get", "/omni.resources.ResourceService/Get", [("runtime", "Omni")]),
    ("kubeconfig", "/management.ManagementService/Kubeconfig", [("context", "talos-default")]),
]


def encode(document: object) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def verified(certificate: pysequoia.Cert, data: bytes, signature: bytes) -> bool:
    """Whether it is a signature over the data by the certificate; an invalid one raises."""
    parsed = pysequoia.Sig.from_bytes(signature)
    valid = pysequoia.verify(bytes=data, store=lambda ids: [certificate], signature=parsed).valid_sigs
    return [signature.certificate for signature in valid] == [certificate.fingerprint]


class VectorSigner:
    """Signs what the vectors sign, by their bytes."""

    fingerprint = FINGERPRINT
    expires_at = datetime(2024, 11, 13, tzinfo=UTC)

    def sign(self, data: bytes) -> bytes:
        [found] = [path for path in DATA.glob("*.json") if path.read_bytes() == data]
        return found.with_suffix(".sig").read_bytes()


@pytest.mark.parametrize(("name", "method", "metadata"), VECTORS)
def test_the_payload_is_that_of_omnis_own_client_byte_for_byte(name, method, metadata):
    assert canonical_payload(method, 1_700_000_000, metadata) == (DATA / f"{name}.json").read_bytes()


@pytest.mark.parametrize(("name", "method", "metadata"), VECTORS)
def test_the_headers_are_those_of_omnis_own_client_byte_for_byte(name, method, metadata):
    key = ServiceAccountKey("automation", VectorSigner())
    signature = base64.b64encode((DATA / f"{name}.sig").read_bytes()).decode()
    assert signed_metadata(key, method, metadata, 1_700_000_000) == (
        *metadata,
        ("x-sidero-timestamp", "1700000000"),
        ("x-sidero-payload", (DATA / f"{name}.json").read_text()),
        ("x-sidero-signature", f"siderov1 automation {FINGERPRINT} {signature}"),
    )


@pytest.mark.parametrize("name", [name for name, _, _ in VECTORS])
def test_the_library_accepts_the_signatures_of_omnis_own_client(name):
    certificate = pysequoia.Cert.from_bytes((DATA / "expired.pub.asc").read_bytes())
    assert certificate.fingerprint == FINGERPRINT
    assert verified(certificate, (DATA / f"{name}.json").read_bytes(), (DATA / f"{name}.sig").read_bytes())
    with pytest.raises(RuntimeError):
        verified(certificate, b"something else", (DATA / f"{name}.sig").read_bytes())


def test_a_signed_call_verifies_against_the_public_key(private_key, key_text):
    key = ServiceAccountKey.parse(key_text)
    headers = dict(signed_metadata(key, "/cosi.resource.State/Get", (), int(time.time())))
    version, name, fingerprint, signature = headers["x-sidero-signature"].split(" ")
    certificate = private_key.extract_certificate()
    assert (version, name, fingerprint) == ("siderov1", "automation", certificate.fingerprint)
    assert verified(certificate, headers["x-sidero-payload"].encode(), base64.b64decode(signature, validate=True))


def test_a_key_of_openpgp_version_6_signs_as_well():
    """Made by `tools/go/openpgp-keys`, with Omni's own library; it also verifies our signature."""
    armored = (DATA / "version-6.asc").read_text()
    certificate = pysequoia.Tsk.from_bytes(armored.encode()).extract_certificate()
    key = ServiceAccountKey.parse(encode({"name": "automation", "pgp_key": armored}))
    assert key.fingerprint == "9749d1912f95f3aa8156ea48dec826e80e49b11592d031965d9cf0ddaa53f298"
    assert key.expires_at is None
    headers = dict(signed_metadata(key, "/cosi.resource.State/Get", (), int(time.time())))
    _, _, fingerprint, signature = headers["x-sidero-signature"].split(" ")
    assert fingerprint == key.fingerprint
    assert verified(certificate, headers["x-sidero-payload"].encode(), base64.b64decode(signature, validate=True))


def test_a_version_6_key_expires_like_any_other():
    made = pysequoia.Tsk.generate(user_id="a", profile=pysequoia.Profile.RFC9580, validity_seconds=3600)
    key = ServiceAccountKey.parse(encode({"name": "automation", "pgp_key": str(made)}))
    assert key.expires_at == made.extract_certificate().expiration
    with pytest.raises(SettingsError, match="'automation' has expired on"):
        signed_metadata(key, "/a/B", (), int(time.time()) + 7200)


def test_all_values_of_a_signed_header_count_and_other_headers_do_not():
    metadata = [("nodes", "a"), ("nodes", "b"), ("node", "c"), ("user-agent", "d")]
    headers = json.loads(canonical_payload("/a/B", 7, metadata))["headers"]
    assert headers["nodes"] == ["a", "b"]
    assert headers["x-sidero-timestamp"] == ["7"]
    assert not {"node", "user-agent"} & set(headers)


def test_a_key_shows_its_name_fingerprint_and_expiry_and_nothing_secret(private_key, key_text):
    key = ServiceAccountKey.parse(key_text)
    certificate = private_key.extract_certificate()
    assert (key.name, key.fingerprint, key.expires_at) == (
        "automation",
        certificate.fingerprint,
        certificate.expiration,
    )
    assert repr(key) == "ServiceAccountKey(name='automation')"


def test_a_key_may_be_wrapped_in_lines(key_text):
    wrapped = "\r\n".join(key_text[i : i + 76] for i in range(0, len(key_text), 76)) + "\n"
    assert ServiceAccountKey.parse(wrapped).fingerprint == ServiceAccountKey.parse(key_text).fingerprint


def test_many_threads_may_sign_at_once(private_key, key_text):
    key = ServiceAccountKey.parse(key_text)
    certificate = private_key.extract_certificate()
    signatures: dict[bytes, bytes] = {}

    def sign(number: int) -> None:
        for data in (b"%d/%d" % (number, i) for i in range(20)):
            signatures[data] = key.signer.sign(data)

    threads = [threading.Thread(target=sign, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(signatures) == 160
    assert all(verified(certificate, data, signature) for data, signature in signatures.items())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("not base64 at all!", "it is not base64"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----", "it is not base64"),
        ("abcde", "it is not base64"),
        ("kluczą", "it is not base64"),
        (base64.b64encode(b"hello").decode(), "it is base64, but does not contain JSON"),
        (base64.b64encode(b"\xff\xfe\xfa").decode(), "it is base64, but does not contain JSON"),
        (encode(["a"]), "it is base64-encoded JSON, but not an object"),
        (encode({"pgp_key": "x"}), "it has no `name`"),
        (encode({"name": 3, "pgp_key": "x"}), "it has no `name`"),
        (encode({"name": "a"}), "it has no `pgp_key`"),
        (encode({"name": "a", "pgp_key": ""}), "it has no `pgp_key`"),
        (
            encode({"name": "a b", "pgp_key": "x"}),
            "its `name` 'a b' must consist of printable ASCII",
        ),
        (
            encode({"name": "a\nb", "pgp_key": "x"}),
            r"its `name` 'a\nb' must consist of printable ASCII",
        ),
        (
            encode({"name": "é", "pgp_key": "x"}),
            "its `name` 'é' must consist of printable ASCII",
        ),
        (encode({"name": "a", "pgp_key": "junk"}), "its `pgp_key` is not an OpenPGP private key: "),
        (encode({"name": "a", "pgp_key": (DATA / "expired.pub.asc").read_text()}), "its `pgp_key` is a public key"),
        (encode({"name": "a", "pgp_key": (DATA / "encrypted.asc").read_text()}), "it is protected by a passphrase"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused_with_the_reason(text, reason):
    with pytest.raises(SettingsError) as caught:
        ServiceAccountKey.parse(text)
    message = str(caught.value)
    assert message.startswith("omni service account key is not valid: ")
    assert reason in message
    assert "OMNI_SERVICE_ACCOUNT_KEY" in message
    assert "\n" not in message
    assert len(text) < 5 or text not in message


def test_an_expired_key_is_refused_with_its_date():
    with pytest.raises(SettingsError, match=r"'automation' has expired on 2024-11-13 at 19:26:40 UTC; renew it"):
        ServiceAccountKey.parse((DATA / "expired.sa").read_text())


def test_a_key_that_expires_while_in_use_signs_no_more(key_text):
    key = ServiceAccountKey.parse(key_text)
    with pytest.raises(SettingsError, match="'automation' has expired on"):
        signed_metadata(key, "/a/B", (), int(time.time()) + 7200)


def test_calls_of_one_second_share_a_signature_and_the_next_second_has_its_own(key_text):
    channel = Channel(Connection("grpc://127.0.0.1:1", key_text))
    signatures: dict[str, set[str]] = {}
    while len(signatures) < 3:
        headers = dict(channel.signed("/a/B"))
        signatures.setdefault(headers["x-sidero-timestamp"], set()).add(headers["x-sidero-signature"])
    assert [len(each) for each in signatures.values()] == [1, 1, 1]
    assert len(set.union(*signatures.values())) == 3


def test_other_methods_and_headers_have_their_own_signature(key_text):
    channel = Channel(Connection("grpc://127.0.0.1:1", key_text))
    plain, other, headed = channel.signed("/a/B"), channel.signed("/a/C"), channel.signed("/a/B", [("nodes", "a")])
    payloads = [json.loads(dict(each)["x-sidero-payload"]) for each in (plain, other, headed)]
    assert [each["method"] for each in payloads] == ["/a/B", "/a/C", "/a/B"]
    assert [each["headers"]["nodes"] for each in payloads] == [None, None, ["a"]]
    assert headed[0] == ("nodes", "a")


def test_a_revoked_key_is_refused(private_key):
    revocation = private_key.extract_certificate().revoke(private_key.certifier())
    revoked = pysequoia.armor(bytes(private_key) + bytes(revocation), pysequoia.ArmorKind.SecretKey)
    with pytest.raises(SettingsError, match="is revoked; renew it"):
        ServiceAccountKey.parse(encode({"name": "automation", "pgp_key": revoked}))


def test_a_backtrace_of_the_library_is_not_shown(monkeypatch):
    monkeypatch.setenv("RUST_BACKTRACE", "1")
    with pytest.raises(SettingsError) as caught:
        ServiceAccountKey.parse(encode({"name": "a", "pgp_key": "junk"}))
    assert "backtrace" not in str(caught.value)


def test_a_key_cannot_be_pickled_into_a_state_file(key_text):
    with pytest.raises(TypeError):
        pickle.dumps(ServiceAccountKey.parse(key_text))
