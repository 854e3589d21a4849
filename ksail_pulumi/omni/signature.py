"""Authentication: an OpenPGP signature over method and metadata of every call.

It follows Omni's own clients (https://github.com/siderolabs/go-api-signature, `pkg/message`, `pkg/pgp`).
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import pysequoia

from ksail_pulumi.errors import SettingsError
from ksail_pulumi.redaction import MAX_SHOWN, looks_like

if TYPE_CHECKING:
    from collections.abc import Iterable

TIMESTAMP_HEADER = "x-sidero-timestamp"
PAYLOAD_HEADER = "x-sidero-payload"
SIGNATURE_HEADER = "x-sidero-signature"
SIGNATURE_VERSION = "siderov1"
SIGNED_HEADERS = (
    "authorization",
    "cluster",
    "context",
    "fieldSelectors",
    "namespace",
    "nodes",
    "runtime",
    "selectors",
    "uid",
    TIMESTAMP_HEADER,
)
"""The metadata keys that the signature covers."""

KEY_VARIABLES = ("SIDERO_SERVICE_ACCOUNT_KEY", "OMNI_SERVICE_ACCOUNT_KEY")
"""The environment variables with the key, in Omni's own order. Messages name the last one."""

KEY_SOURCE = f"environment variable {KEY_VARIABLES[-1]}"
"""The default source of a key in messages."""


class _InvalidKeyError(Exception):
    """A text is not a usable key."""


class Signer(Protocol):
    """Signs for a service account."""

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the primary key, in lowercase hex: its ID in Omni."""
        ...

    @property
    def expires_at(self) -> datetime | None:
        """When Omni stops accepting the key, `None` for never."""
        ...

    def sign(self, data: bytes) -> bytes:
        """A detached, binary OpenPGP signature over `data`."""
        ...


@dataclass(frozen=True)
class ServiceAccountKey:
    """The key of an Omni service account, ready to sign.

    Attributes:
        name: The service account's name, the identity in every signature.
        signer: Holds the secret part; not shown.
    """

    name: str
    signer: Signer = field(repr=False)

    @property
    def fingerprint(self) -> str:
        return self.signer.fingerprint

    @property
    def expires_at(self) -> datetime | None:
        return self.signer.expires_at

    @classmethod
    def parse(cls, text: str, source: str = KEY_SOURCE) -> ServiceAccountKey:
        """Parse the value of `OMNI_SERVICE_ACCOUNT_KEY`: base64 of JSON with `name` and `pgp_key`.

        Args:
            text: The value.
            source: Where the user set it, for error texts.

        Raises:
            SettingsError: The value is not valid, or its key cannot sign: encrypted, expired, revoked.
        """
        try:
            return cls._read(text)
        except _InvalidKeyError as error:
            raise SettingsError(
                f"omni service account key is not valid: {error}. Set {source} to the whole value that Omni shows when "
                "the service account is created or renewed"
            ) from None

    @classmethod
    def _read(cls, text: str) -> ServiceAccountKey:
        document = _decode(text)
        name, key = document.get("name"), document.get("pgp_key")
        if not isinstance(name, str) or not name:
            raise _InvalidKeyError("it has no `name`")
        if (what := looks_like(name)) is not None:
            raise _InvalidKeyError(f"its `name` looks like {what}: are `name` and `pgp_key` swapped?")
        if not name.isascii() or not name.isprintable() or " " in name:
            quoted = f" {name!r}" if len(name) <= MAX_SHOWN else ""
            raise _InvalidKeyError(f"its `name`{quoted} must consist of printable ASCII characters without spaces")
        if not isinstance(key, str) or not key:
            raise _InvalidKeyError("it has no `pgp_key`")
        return cls(name, _OpenPGPSigner(name, key))


class _OpenPGPSigner:
    """Signs with a private key in ASCII armor, by pysequoia. Can be used from several threads."""

    def __init__(self, name: str, armored: str) -> None:
        if "PGP PUBLIC KEY BLOCK" in armored:
            raise _InvalidKeyError("its `pgp_key` is a public key, but a private key is required")
        try:
            key = pysequoia.Tsk.from_bytes(armored.encode())
        except RuntimeError as error:
            raise _InvalidKeyError(f"its `pgp_key` is not an OpenPGP private key: {_reason(error)}") from None
        certificate = key.extract_certificate()
        self.fingerprint = certificate.fingerprint.lower()
        self.expires_at = certificate.expiration
        if certificate.is_revoked:
            raise _InvalidKeyError(f"the key {self.fingerprint} is revoked; {_renew(name)}")
        if self.expires_at and self.expires_at <= datetime.now(UTC):
            raise expired(name, self.expires_at)
        try:
            self._signer = key.signer()
        except RuntimeError as error:
            reason = _reason(error)
            if "encrypted" in reason:
                reason = "it is protected by a passphrase; Omni's service account keys have none"
            raise _InvalidKeyError(f"its `pgp_key` cannot sign: {reason}") from None
        self._lock = threading.Lock()

    def sign(self, data: bytes) -> bytes:
        with self._lock:
            return pysequoia.sign(self._signer, data, mode=pysequoia.SignatureMode.DETACHED, armor=False)


def signed_metadata(
    key: ServiceAccountKey, method: str, metadata: Iterable[tuple[str, str]], timestamp: int
) -> tuple[tuple[str, str], ...]:
    """The metadata of a call with the three headers that sign it.

    Args:
        key: The service account key.
        method: The full gRPC method, `/cosi.resource.State/Get`.
        metadata: All other metadata that is sent with the call.
        timestamp: The time of the call in Unix seconds; Omni accepts it within 5 minutes of its own clock.

    Raises:
        SettingsError: The key has expired in the meantime.
    """
    if key.expires_at and key.expires_at.timestamp() <= timestamp:
        raise expired(key.name, key.expires_at)
    payload = canonical_payload(method, timestamp, metadata)
    signature = base64.b64encode(key.signer.sign(payload)).decode()
    return (
        *metadata,
        (TIMESTAMP_HEADER, str(timestamp)),
        (PAYLOAD_HEADER, payload.decode()),
        (SIGNATURE_HEADER, f"{SIGNATURE_VERSION} {key.name} {key.fingerprint} {signature}"),
    )


def canonical_payload(method: str, timestamp: int, metadata: Iterable[tuple[str, str]]) -> bytes:
    """The bytes to sign: JSON with sorted keys and no spaces; a header that is not sent is null.

    Null and not `[]`: Omni compares with what it received and refuses an empty list.
    """
    headers: dict[str, list[str] | None] = dict.fromkeys(SIGNED_HEADERS)
    for name, value in (*metadata, (TIMESTAMP_HEADER, str(timestamp))):
        if name in headers:
            headers[name] = [*(headers[name] or ()), value]
    return json.dumps({"headers": headers, "method": method}, separators=(",", ":"), sort_keys=True).encode()


def missing_key(variable: str) -> str:
    """The text for a key that is set nowhere; `variable` is the environment variable to set."""
    return (
        f"omni service account key is not set: environment variable {variable} is not set (create a service account "
        "in Omni: Settings → Service Accounts, role Operator)"
    )


def expired(name: str, expires_at: datetime) -> SettingsError:
    """The error for an expired key."""
    return SettingsError(
        f"the key of omni service account {name!r} has expired on {expires_at:%Y-%m-%d at %H:%M:%S} UTC; {_renew(name)}"
    )


def _decode(text: str) -> dict[str, Any]:
    compact = "".join(text.split())
    if not compact:
        raise _InvalidKeyError("it is empty")
    if compact.startswith(("https://", "http://", "grpc://")):
        raise _InvalidKeyError("it looks like a URL; set the URL of your Omni in OMNI_ENDPOINT or omni:endpoint")
    try:
        decoded = base64.b64decode(compact, validate=True)
    except (binascii.Error, ValueError):
        raise _InvalidKeyError("it is not base64") from None
    try:
        document = json.loads(decoded)
    except ValueError:  # also what is not UTF-8
        raise _InvalidKeyError("it is base64, but does not contain JSON") from None
    if not isinstance(document, dict):
        raise _InvalidKeyError("it is base64-encoded JSON, but not an object")
    return document


def _renew(name: str) -> str:
    return f"renew it in Omni (Settings, Service Accounts, or `omnictl serviceaccount renew {name}`)"


def _reason(error: RuntimeError) -> str:
    """The message of a pysequoia error, without the backtrace that RUST_BACKTRACE adds."""
    return str(error).partition("\n\nStack backtrace")[0]
