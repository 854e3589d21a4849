"""Converts gRPC errors into ours, with texts that say what to do."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import grpc

from ksail_pulumi.errors import (
    AlreadyExistsError,
    AuthenticationError,
    ConflictError,
    NotFoundError,
    OmniError,
    PermissionDeniedError,
    RefusedError,
    UnreachableError,
    UnsupportedError,
)
from ksail_pulumi.redaction import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.omni.endpoint import Endpoint
    from ksail_pulumi.omni.signature import ServiceAccountKey

STATUS: Mapping[grpc.StatusCode, type[OmniError]] = {
    grpc.StatusCode.CANCELLED: OmniError,
    grpc.StatusCode.UNKNOWN: OmniError,
    grpc.StatusCode.INVALID_ARGUMENT: RefusedError,
    grpc.StatusCode.DEADLINE_EXCEEDED: UnreachableError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExistsError,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: OmniError,
    grpc.StatusCode.FAILED_PRECONDITION: ConflictError,
    grpc.StatusCode.ABORTED: ConflictError,
    grpc.StatusCode.OUT_OF_RANGE: RefusedError,
    grpc.StatusCode.UNIMPLEMENTED: UnsupportedError,
    grpc.StatusCode.INTERNAL: OmniError,
    grpc.StatusCode.UNAVAILABLE: UnreachableError,
    grpc.StatusCode.DATA_LOSS: OmniError,
    grpc.StatusCode.UNAUTHENTICATED: AuthenticationError,
}

_PREFIX = re.compile(r"^(?:failed to (?:validate|create|update|destroy|get): )+")
_COUNT = re.compile(r"\d+ errors? occurred:\n\t\* ")
_NEXT = re.compile(r"\n+\t\* ")
_VERSION = re.compile(r"version '(\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|.)|.)'", re.DOTALL)
_ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_NESTED_STATUS = re.compile(r"rpc error: code = \w+ desc = ")
_PROXY_ANSWER = re.compile(r"Received http2 header with status: (\d+)")

_REFUSED = re.compile("Connection refused|No route to host|[Nn]etwork is unreachable")
_CLOSED = re.compile("Socket closed|[Cc]onnection reset|[Bb]roken pipe")

_CHECK_SERVER = "Check that Omni runs there and listens on port {port}."
_CHECK_NETWORK = "Check the network, VPN and firewall between this machine and {host}."

# gRPC's texts for failed connections, and their meaning. The first match applies.
_REASONS = (
    (
        re.compile("WRONG_VERSION_NUMBER"),
        "it does not use TLS",
        "If it listens without TLS, use http://{host}:{port}.",
    ),
    (
        re.compile(r"CERTIFICATE_VERIFY_FAILED(?:: (?P<what>[\w ,.'-]+))?"),
        "its TLS certificate is not trusted ({what})",
        "If Omni uses a private certificate authority, set omni:caFile or OMNI_CA_FILE to its file.",
    ),
    (
        re.compile("Hostname Verification|not in peer certificate"),
        "its TLS certificate is for another host name",
        "Use a host name of the certificate.",
    ),
    (
        re.compile("TLS handshake timed out"),
        "it accepts connections, but does not answer the TLS handshake",
        "Another kind of server may listen there, or Omni may be overloaded.",
    ),
    (
        re.compile("[Hh]andshake (?:read )?failed"),
        "the TLS handshake failed",
        "Another kind of server may listen there, or a proxy may be in between.",
    ),
    (
        re.compile("Domain name not found|DNS resolution failed|errors? resolving"),
        "the host name {host} is not known",
        "Check its spelling, and the DNS and VPN of this machine.",
    ),
    (re.compile("Connection refused"), "the connection was refused", _CHECK_SERVER),
    (
        re.compile("http1.x server"),
        "it is a web server, but not Omni's API",
        "Check the port. A proxy in between must forward HTTP/2.",
    ),
    (re.compile("No route to host|[Nn]etwork is unreachable"), "there is no route to it", _CHECK_NETWORK),
    (_CLOSED, "the server closed the connection", _CHECK_SERVER),
    (re.compile("[Tt]imed? ?out"), "the connection attempt timed out", _CHECK_NETWORK),
)


def omni_error(
    code: grpc.StatusCode,
    details: str,
    *,
    doing: str,
    method: str,
    endpoint: Endpoint,
    key: ServiceAccountKey,
    worked: bool = False,
) -> OmniError:
    """The error for a failed call.

    Args:
        code: The gRPC status.
        details: Its text.
        doing: The purpose of the call, as words after "cannot".
        method: The full gRPC method.
        endpoint: The Omni.
        key: The service account key of the call.
        worked: Whether this Omni has answered a call before, so that its address is right.
    """
    details = quoted(details)
    kind = UnreachableError if _PROXY_ANSWER.search(details) else STATUS[code]
    detail = plain_text(details)
    if kind is UnreachableError:
        text = _unreachable(code, details, doing, endpoint, worked=worked)
    elif kind is AuthenticationError:
        text = _unauthenticated(detail, endpoint, key)
    elif kind is PermissionDeniedError:
        hint = ". Changing clusters needs the role Operator, reading Reader" if "insufficient role" in detail else ""
        text = f"service account {key.name!r} may not {doing}: {detail}{hint}"
    elif kind is UnsupportedError:
        text = f"this version of Omni cannot {doing}: {detail}"
    else:
        errors = _errors_in(details)
        text = f"cannot {doing}:" + (
            f" {detail}" if len(errors) == 1 else "".join(f"\n  - {error}" for error in errors)
        )
    return kind(text, method=method, detail=detail)


def nobody_listens(details: str) -> bool:
    """Whether gRPC's text says that nothing listens at the address in it."""
    return _REFUSED.search(details) is not None


def plain_text(details: str) -> str:
    """Omni's text without the wrapping of its libraries, one line per error.

    Quoted values of patches, manifests, labels and annotations are replaced by `…`.
    """
    return quoted("\n".join(_errors_in(details)))


def _errors_in(details: str) -> list[str]:
    text = _VERSION.sub(lambda found: f"version {_version(found[1])}", _COUNT.sub("", _PREFIX.sub("", details)))
    return [_NESTED_STATUS.sub("", part.strip()) or "no reason given" for part in _NEXT.split(text)]


def _version(rune: str) -> int:
    r"""The number of a version that Omni prints as a quoted rune of Go, such as `\t` for 9."""
    if rune[0] != "\\":
        return ord(rune)
    if rune[1] in "xuU" and len(rune) > 2:
        return int(rune[2:], 16)
    return _ESCAPES.get(rune[1], ord(rune[1]))


def unreachable(details: str, doing: str, endpoint: Endpoint) -> str:
    """The text for a server that cannot be reached, given gRPC's words for it and what for, as after "to"."""
    return _unreachable(grpc.StatusCode.UNAVAILABLE, details, doing, endpoint, worked=False)


def _unreachable(code: grpc.StatusCode, details: str, doing: str, endpoint: Endpoint, *, worked: bool) -> str:
    facts: dict[str, Any] = {"host": endpoint.host, "port": endpoint.port}
    hint = _CHECK_SERVER
    if answer := _PROXY_ANSWER.search(details):
        reason = (
            f"the answer did not come from Omni's API, but from a proxy or another server (HTTP status {answer[1]})"
        )
    elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
        reason, hint = "no answer in time", _CHECK_NETWORK
    else:
        reason = details
        for pattern, meaning, remedy in _REASONS:
            if found := pattern.search(details):
                reason, hint = meaning.format(**facts, **found.groupdict()), remedy
                break
        if not endpoint.secure and _CLOSED.search(details):
            hint += " If it uses TLS, use https://{host}:{port}."
    if worked:
        late = code is grpc.StatusCode.DEADLINE_EXCEEDED
        lost = f"Omni at {endpoint.url} did not answer in time"
        return f"cannot {doing}: " + (lost if late else f"the connection to Omni at {endpoint.url} was lost: {reason}")
    remedies = (hint.format(**facts), _address_hint(endpoint))
    return " ".join(filter(None, (f"cannot connect to Omni at {endpoint.url} to {doing}: {reason}.", *remedies)))


def _address_hint(endpoint: Endpoint) -> str:
    if endpoint.loopback:
        return ""
    if not endpoint.secure:
        return f"Omni usually listens with TLS: is it https://{endpoint.host}:443?"
    if endpoint.port != 443:
        return f"Omni usually listens on port 443: is it https://{endpoint.host}:443?"
    return (
        f"Is https://{endpoint.host}:443 the right URL, and does a firewall or proxy let HTTPS (HTTP/2) through to it?"
    )


def _unauthenticated(detail: str, endpoint: Endpoint, key: ServiceAccountKey) -> str:
    now = datetime.now(UTC)
    expiry = f"it expires on {key.expires_at:%Y-%m-%d}" if key.expires_at else "it has no expiry date"
    return (
        f"Omni at {endpoint.url} does not accept the key of service account {key.name!r} ({detail}). Check that "
        f"this machine's clock is right (it says {now:%Y-%m-%d %H:%M:%S} UTC; Omni allows a difference of 5 minutes), "
        f"that the key (fingerprint {key.fingerprint}, {expiry}) belongs to this Omni, that it was not revoked, and "
        "that the service account was not renewed (which creates a new key) or deleted: `omnictl serviceaccount list` "
        "shows keys and roles"
    )
