"""The address of an Omni, as users write it and as gRPC needs it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from ksail_pulumi.errors import SettingsError
from ksail_pulumi.redaction import KEY_BELONGS, MAX_SHOWN, looks_like

_DEFAULT_PORTS = {"https": 443, "http": 80, "grpc": 80}
_HOSTNAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")


@dataclass(frozen=True)
class Endpoint:
    """The address of an Omni.

    Attributes:
        target: The address for gRPC, `host:port`.
        secure: Whether it uses TLS.
        url: The URL for messages.
    """

    target: str
    secure: bool
    url: str
    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether it is on this machine."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def normalise_endpoint(text: str) -> Endpoint:
    """Parse an endpoint as Omni's own clients do, but with clear errors.

    `https://` is TLS on port 443, `http://` and `grpc://` are plain text on port 80, a bare host name means `https://`.
    Omni's API has no path: a path is refused, because it would be ignored silently.

    Raises:
        SettingsError: It is not a valid address.
    """
    written = text.strip()
    if not written:
        raise SettingsError(
            "omni endpoint is required: set it to your account's URL, https://<account>.omni.siderolabs.io:443"
        )
    if (what := looks_like(written)) is not None:
        raise SettingsError(f"omni endpoint is not valid: it looks like {what}. {KEY_BELONGS}. {_EXAMPLE}")
    if "@" in written.partition("://")[2].partition("/")[0] or "@" in written.partition("/")[0]:
        raise SettingsError("omni endpoint is not valid: it must not contain a user name or password")
    try:
        parts = urlsplit(written if "://" in written else f"https://{written}")
        scheme, host = parts.scheme, parts.hostname or ""
    except ValueError:
        raise _invalid(written, "the host is not valid") from None
    try:
        port = parts.port
    except ValueError:
        raise _invalid(written, "the port should be a number from 1 to 65535") from None
    if scheme not in _DEFAULT_PORTS:
        raise _invalid(written, "the scheme is not https, http or grpc")
    if port == 0:
        raise _invalid(written, "the port should be a number from 1 to 65535")
    host = _checked_host(written, host)
    if parts.path.strip("/") or parts.query or parts.fragment:
        reason = "it has a path, a query or a fragment, but Omni's API is at the root of its host: remove it"
        raise _invalid(written, reason)
    netloc = f"[{host}]" if ":" in host else host
    shown = f"{netloc}:{port}" if port else netloc
    port = port or _DEFAULT_PORTS[scheme]
    return Endpoint(f"{netloc}:{port}", scheme == "https", f"{scheme}://{shown}", host, port)


def _checked_host(written: str, host: str) -> str:
    if not host:
        raise _invalid(written, "it has no host name")
    # Only an IPv6 address in brackets contains a colon here. Older Pythons do not validate it in `urlsplit`.
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise _invalid(written, "the host is not an IPv6 address") from None
    try:
        host = host.encode("idna").decode()
    except UnicodeError:
        raise _invalid(written, "the host is not valid") from None
    if not _HOSTNAME.fullmatch(host):
        raise _invalid(written, "the host is not valid")
    return host


_EXAMPLE = "Example: https://<account>.omni.siderolabs.io:443"


def _invalid(written: str, reason: str) -> SettingsError:
    """The error for an invalid endpoint. It quotes nothing after host and port, because that may contain a token."""
    address = re.match(r"(?:[^/?#]*://)?[^/?#]*", written)
    quoted = f" {address[0]!r}" if address and address[0] and len(address[0]) <= MAX_SHOWN else ""
    return SettingsError(f"omni endpoint{quoted} is not valid: {reason}. {_EXAMPLE}")


@lru_cache(maxsize=64)  # many clusters of a program are in few Omnis
def another_omni(first: str, second: str) -> bool:
    """Whether two endpoints have different addresses; an address can be written in several ways."""
    try:
        return normalise_endpoint(first).target != normalise_endpoint(second).target
    except SettingsError:
        return first != second
