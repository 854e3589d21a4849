"""TLS trust: the certificate authorities of the system, a CA file, or any certificate."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ksail_pulumi.errors import SettingsError, UnreachableError
from ksail_pulumi.omni.proxy import dial
from ksail_pulumi.redaction import KEY_BELONGS, looks_like, short

if TYPE_CHECKING:
    from ksail_pulumi.omni.endpoint import Endpoint

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)
_NAME_MISMATCH = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_NO_WAY = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH)
_CONNECT_TIMEOUT = 10.0


@dataclass(frozen=True)
class Trust:
    """What the certificate of a server is checked against.

    Attributes:
        roots: The trusted certificates in PEM; `None` for those built into gRPC.
        name: The name that the certificate must have, `""` for the host of the address.
    """

    roots: bytes | None
    name: str = ""


def system_roots() -> bytes | None:
    """The certificate authorities of this system, in PEM, as OpenSSL finds them, including `SSL_CERT_FILE`.

    gRPC itself uses only its built-in list, so a private authority of the system would be unknown.

    Raises:
        SettingsError: The file cannot be read.
    """
    candidates = (ssl.get_default_verify_paths().cafile, *_BUNDLES)
    for bundle in (Path(candidate) for candidate in candidates if candidate):
        if bundle.is_file():
            return _read(bundle, "file of the system's certificate authorities")
    certificates = ssl.create_default_context().get_ca_certs(binary_form=True)  # on Windows, those of its store
    return "".join(map(ssl.DER_cert_to_PEM_cert, certificates)).encode() or None


def file_roots(path: str) -> bytes:
    """The certificate authorities in a file, in PEM.

    Raises:
        SettingsError: There is no such file, or no certificate in it.
    """
    if (what := looks_like(path)) is not None:
        raise SettingsError(
            f"omni CA file is not valid: it should be the name of a file, but looks like {what}. {KEY_BELONGS}"
        )
    pem = _read(Path(path).expanduser(), "omni CA file")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise SettingsError(f"omni CA file {short(path)!r} contains no PEM certificate") from None
    return pem


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{what} {short(str(path))!r} cannot be read: {error.strerror}") from None


def trust_whoever_answers(endpoint: Endpoint) -> Trust:
    """Fetch the current certificate of the server, and trust it under the name that it contains.

    gRPC for Python cannot skip the verification, so this implements `insecureSkipTlsVerify`. It does not protect
    against another server that answers instead of Omni.

    Raises:
        UnreachableError: No connection, or the certificate cannot be used (it has expired).
    """
    try:
        pem = _certificate(endpoint)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_flags = ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=pem)
        try:
            _handshake(endpoint, context)
        except ssl.SSLCertVerificationError:
            # The certificate is for another name, which is accepted. Other errors fail again in the next handshake.
            context.check_hostname = False
            return Trust(pem.encode(), _handshake(endpoint, context))
    except ssl.SSLCertVerificationError as error:
        reason = f"its certificate cannot be used even with insecureSkipTlsVerify: {error.verify_message}"
        raise UnreachableError(f"cannot connect to Omni at {endpoint.url}: {reason}. Renew it") from None
    except OSError as error:
        reason = f"its certificate could not be fetched (insecureSkipTlsVerify is set): {error}"
        remedy = f"Check that Omni runs there and listens on port {endpoint.port} with TLS"
        raise UnreachableError(f"cannot connect to Omni at {endpoint.url}: {reason}. {remedy}") from None
    return Trust(pem.encode())


def look_closer(endpoint: Endpoint, trust: Trust | None, timeout: float) -> str:
    """Connect once more to find the real error; returns it in the words of gRPC.

    For a host with several addresses gRPC reports only the error of the last one, for example that nothing listens on
    ::1 although the server answers on 127.0.0.1.

    Args:
        endpoint: The address that failed.
        trust: What the certificate is checked against; `None` for no check.
        timeout: The time limit of each step in seconds.

    Returns:
        The error, `""` if there is none or it is not known.
    """
    try:
        dial(endpoint, timeout).close()
    except OSError as error:
        return dial_error(error)
    if not endpoint.secure:
        return "Socket closed"  # it listens, so gRPC failed at this address
    if trust is None:
        return ""
    try:
        _handshake(endpoint, verifying(trust), timeout)
    except ssl.SSLCertVerificationError as error:
        is_name = error.verify_code in _NAME_MISMATCH
        return "Hostname Verification" if is_name else f"CERTIFICATE_VERIFY_FAILED: {error.verify_message}"
    except ssl.SSLError as error:
        return f"Handshake failed: {error}"
    except TimeoutError:
        return "TLS handshake timed out"
    except OSError:
        return ""
    return ""


def verifying(trust: Trust) -> ssl.SSLContext:
    """A TLS context that checks the certificate of a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if trust.roots:
        context.load_verify_locations(cadata=trust.roots.decode("ascii", "ignore"))
    return context


def dial_error(error: OSError) -> str:
    """The words of gRPC for a connection that failed; `""` if they are not known."""
    if isinstance(error, socket.gaierror):
        return "Domain name not found"
    if isinstance(error, TimeoutError):
        return "Timed out"
    return os.strerror(error.errno) if error.errno in _NO_WAY else ""


def _certificate(endpoint: Endpoint) -> str:
    """The certificate of the server, unverified, in PEM."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        dial(endpoint, _CONNECT_TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname=endpoint.host) as secure,
    ):
        return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")


def _handshake(endpoint: Endpoint, context: ssl.SSLContext, timeout: float = _CONNECT_TIMEOUT) -> str:
    """Connect once, and return the first name in the certificate of the server."""
    with (
        dial(endpoint, timeout) as plain,
        context.wrap_socket(plain, server_hostname=endpoint.host) as secure,
    ):
        certificate = secure.getpeercert() or {}
    for entry in certificate.get("subjectAltName", ()):
        if entry[0] in ("DNS", "IP Address"):
            return str(entry[1]).replace("*", "omni", 1)
    return endpoint.host
