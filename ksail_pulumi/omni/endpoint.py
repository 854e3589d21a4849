"""The address of an Omni, as people write it and as gRPC dials it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from ksail_pulumi.errors import SettingsError

_DEFAULT_PORTS = {"https": 443, "http": 80, "grpc": 80}
_HOSTNAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")


@dataclass(frozen=True)
class Endpoint:
    """Where an Omni is.

    Attributes:
        target: What gRPC dials, `host:port`.
        secure: With TLS.
        url: The same for people, without what Omni ignores (path and query).
    """

    target: str
    secure: bool
    url: str
    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """It is on this machine."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def normalise_endpoint(text: str) -> Endpoint:
    """Understand an endpoint the way Omni's own clients do, and be clear where they are not.

    `https://` is TLS on port 443, `http://` and `grpc://` are plain text on port 80, a bare host name means `https://`.
    A path, query or fragment counts for nothing.

    Raises:
        SettingsError: It is no address.
    """
    written = text.strip()
    if not written:
        raise SettingsError(
            "omni endpoint is required: set it to your account's URL, https://<account>.omni.siderolabs.io:443"
        )
    if "@" in written.partition("://")[2].partition("/")[0] or "@" in written.partition("/")[0]:
        raise SettingsError("omni endpoint is not valid: it may not hold a user name or password")
    try:
        parts = urlsplit(written if "://" in written else f"https://{written}")
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError as error:
        raise _invalid(written, str(error).lower()) from None
    if scheme not in _DEFAULT_PORTS:
        raise _invalid(written, f"the scheme {scheme!r} is not https, http or grpc")
    if port == 0:
        raise _invalid(written, "port 0 cannot be dialled")
    host = _checked_host(written, host)
    netloc = f"[{host}]" if ":" in host else host
    shown = f"{netloc}:{port}" if port else netloc
    port = port or _DEFAULT_PORTS[scheme]
    return Endpoint(f"{netloc}:{port}", scheme == "https", f"{scheme}://{shown}", host, port)


def _checked_host(written: str, host: str) -> str:
    if not host:
        raise _invalid(written, "it has no host name")
    if (
        ":" in host
    ):  # only an IPv6 address in brackets reaches this, and urlsplit has checked it where Python is new enough
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise _invalid(written, f"{host!r} is not an IPv6 address") from None
    try:
        host = host.encode("idna").decode()
    except UnicodeError:
        raise _invalid(written, f"{host!r} is not a host name") from None
    if not _HOSTNAME.fullmatch(host):
        raise _invalid(written, f"{host!r} is not a host name")
    return host


def _invalid(written: str, reason: str) -> SettingsError:
    return SettingsError(
        f"omni endpoint {written!r} is not valid: {reason}. It looks like https://<account>.omni.siderolabs.io:443"
    )


def another_omni(first: str, second: str) -> bool:
    """Whether two endpoints lead to different addresses; the same one may be written in several ways."""
    try:
        return normalise_endpoint(first).target != normalise_endpoint(second).target
    except SettingsError:
        return first != second
