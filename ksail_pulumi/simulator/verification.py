"""Authentication: the check of signed requests, and the service accounts.

Written against Omni's rules (https://github.com/siderolabs/go-api-signature v0.3: headers, payload, order of the
checks) and not against this package's client, so a mistake in one is not hidden by the other.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pysequoia

SKEW = timedelta(minutes=5)
"""The maximum difference between the timestamp of a request and the clock."""

LONGEST_LIFETIME = timedelta(days=365, minutes=1)
"""The maximum lifetime of a service account key."""

ROLES = ("None", "InfraProvider", "Reader", "Auditor", "Operator", "Admin")
"""Omni's roles, ascending."""

_SIGNED_HEADERS = (
    "x-sidero-timestamp", "nodes", "selectors", "fieldSelectors", "runtime", "context", "cluster", "namespace", "uid",
    "authorization",
)  # fmt: skip


class InvalidSignatureError(Exception):
    """The signature is missing or not valid. The reason is not sent to the caller, as in Omni."""


@dataclass(frozen=True)
class Identity:
    """The authenticated caller.

    Attributes:
        name: The service account's name.
        role: One of `ROLES`.
        fingerprint: Of the key that signed, in lower-case hexadecimal digits.
        user_id: Omni's ID of the user.
    """

    name: str
    role: str
    fingerprint: str
    user_id: str

    @property
    def email(self) -> str:
        """The caller's email address in Omni."""
        return f"{self.name}@serviceaccount.omni.sidero.dev"

    def may(self, role: str) -> bool:
        """Whether the caller has at least a role."""
        return ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True)
class _Account:
    identity: Identity
    certificate: pysequoia.Cert
    expires_at: datetime


class Verifier:
    """The service accounts of one Omni, and the check of their signatures."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._accounts: dict[str, _Account] = {}

    def issue(self, name: str, role: str, lifetime: timedelta) -> str:
        """Create a service account; returns its key as in `OMNI_SERVICE_ACCOUNT_KEY`.

        Raises:
            ValueError: The role is unknown, the name has spaces, or the lifetime is longer than Omni allows.
        """
        if role not in ROLES:
            raise ValueError(f"unknown role {role!r}: one of {', '.join(ROLES)}")
        if not re.fullmatch(r"[\w.:-]+", name):
            raise ValueError(f"{name!r} is no name for a service account")
        if not timedelta(0) < lifetime <= LONGEST_LIFETIME:
            raise ValueError(f"a key lives more than 0 and at most {LONGEST_LIFETIME.days} days")
        user = f"{name} (linux/amd64) <{name}@serviceaccount.omni.sidero.dev>"
        secret = pysequoia.Tsk.generate(user_id=user, validity_seconds=int(lifetime.total_seconds()))
        certificate = secret.extract_certificate()
        identity = Identity(name, role, certificate.fingerprint, str(uuid.uuid4()))
        self._accounts[certificate.fingerprint] = _Account(identity, certificate, self._now() + lifetime)
        return base64.b64encode(json.dumps({"name": name, "pgp_key": str(secret)}).encode()).decode()

    def restore(self, key: str, role: str, expires_at: datetime) -> None:
        """Accept a key that another verifier has issued.

        Raises:
            ValueError: It is no key.
        """
        name, certificate = _parsed(key)
        identity = Identity(name, role, certificate.fingerprint, str(uuid.uuid4()))
        self._accounts[certificate.fingerprint] = _Account(identity, certificate, expires_at)

    def expires_at(self, key: str) -> datetime:
        """When a key expires."""
        return self._accounts[_parsed(key)[1].fingerprint].expires_at

    def revoke(self, key: str) -> None:
        """Revoke a key that `issue` returned."""
        self._accounts.pop(_parsed(key)[1].fingerprint, None)

    def remove(self, name: str) -> bool:
        """Revoke all keys of an account; returns whether there was one."""
        # Other threads issue and revoke keys at the same time.
        accounts = tuple(self._accounts.items())
        found = [fingerprint for fingerprint, account in accounts if account.identity.name == name]
        for fingerprint in found:
            self._accounts.pop(fingerprint, None)
        return bool(found)

    def verify(self, method: str, metadata: Iterable[tuple[str, str | bytes]]) -> Identity:
        """Authenticate a call.

        Args:
            method: The full gRPC method, `/cosi.resource.State/Get`.
            metadata: All of the call's metadata.

        Raises:
            InvalidSignatureError: It is not signed, or not signed by a key that is known and valid now.
        """
        headers: dict[str, list[str]] = {}
        for key, value in metadata:
            if isinstance(value, str):
                headers.setdefault(key, []).append(value)
        account, signature = self._signature(headers)
        self._check_timestamp(headers)
        payload = _only(headers, "x-sidero-payload")
        _check_payload(payload, method, headers)
        _check_signature(payload, signature, account.certificate)
        return account.identity

    def _signature(self, headers: dict[str, list[str]]) -> tuple[_Account, bytes]:
        parts = _only(headers, "x-sidero-signature").split(" ")
        if len(parts) != 4 or parts[0] != "siderov1":
            raise InvalidSignatureError("the signature has not the form of siderov1")
        account = self._accounts.get(parts[2])
        if account is None:
            raise InvalidSignatureError("the key is unknown")
        if account.expires_at <= self._now():
            raise InvalidSignatureError("the key has expired")
        try:
            return account, base64.b64decode(parts[3], validate=True)
        except binascii.Error as error:
            raise InvalidSignatureError("the signature is not base64") from error

    def _check_timestamp(self, headers: dict[str, list[str]]) -> None:
        text = _only(headers, "x-sidero-timestamp")
        if not re.fullmatch(r"[+-]?\d{1,12}", text):
            raise InvalidSignatureError("the timestamp is not a number")
        if abs(self._now().timestamp() - int(text)) > SKEW.total_seconds():
            raise InvalidSignatureError("the timestamp is too far from the server's clock")


def _only(headers: dict[str, list[str]], key: str) -> str:
    values = headers.get(key, [])
    if not values:
        raise InvalidSignatureError(f"there is no {key}")
    return values[0]


def _check_payload(text: str, method: str, headers: dict[str, list[str]]) -> None:
    """The signed payload must match what was sent; a header that was not sent is absent or null in it."""
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidSignatureError("the payload is not JSON") from error
    signed = payload.get("headers") if isinstance(payload, dict) else None
    if not isinstance(signed, dict):
        raise InvalidSignatureError("the payload has no headers")
    if payload.get("method") != method:
        raise InvalidSignatureError("the payload is for another method")
    for key in _SIGNED_HEADERS:
        if signed.get(key) != headers.get(key):
            raise InvalidSignatureError(f"the payload's {key} is not what was sent")


def _parsed(key: str) -> tuple[str, pysequoia.Cert]:
    """The name in a key, and its certificate."""
    fields = json.loads(base64.b64decode(key))
    return fields["name"], pysequoia.Tsk.from_bytes(fields["pgp_key"].encode()).extract_certificate()


@functools.lru_cache(maxsize=64)
def _check_signature(payload: str, signature: bytes, certificate: pysequoia.Cert) -> None:
    # Remembered if it fits: the calls of one second have the same.
    try:
        made = pysequoia.Sig.from_bytes(signature)
        result = pysequoia.verify(bytes=payload.encode(), store=lambda _ids: [certificate], signature=made)
    except (RuntimeError, ValueError) as error:
        raise InvalidSignatureError("the signature does not fit") from error
    # The library also accepts text signatures; Omni accepts only binary ones.
    if made.signature_type != pysequoia.packet.SignatureType.Binary or not result.valid_sigs:
        raise InvalidSignatureError("the signature does not fit")
