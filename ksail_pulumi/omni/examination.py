"""Looks at a server before any call: its addresses, its certificate and its clock."""

from __future__ import annotations

import http.client
import socket
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from ksail_pulumi.omni.proxy import dial
from ksail_pulumi.omni.tls import verifying

if TYPE_CHECKING:
    from ksail_pulumi.omni.endpoint import Endpoint
    from ksail_pulumi.omni.tls import Trust


def addresses(endpoint: Endpoint) -> list[str]:
    """The IP addresses of the host of an endpoint.

    Raises:
        OSError: The host name is not known.
    """
    found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def certificate_end(endpoint: Endpoint, trust: Trust, timeout: float) -> datetime:
    """When the certificate of the server expires.

    Raises:
        OSError: There is no connection, or the certificate is not trusted.
    """
    with (
        dial(endpoint, timeout) as plain,
        verifying(trust).wrap_socket(plain, server_hostname=endpoint.host) as secure,
    ):
        certificate = secure.getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)


def time_of(endpoint: Endpoint, timeout: float) -> datetime | None:
    """The time of the server, in whole seconds, from the header `Date` of its web page; None if it has none.

    The certificate is not checked: it may seem invalid only because one of the clocks is wrong.
    """
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=timeout)
    try:
        connection.sock = dial(endpoint, timeout)
        if endpoint.secure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            connection.sock = context.wrap_socket(connection.sock, server_hostname=endpoint.host)
        connection.request("HEAD", "/")
        return parsedate_to_datetime(connection.getresponse().headers["Date"] or "").astimezone(UTC)
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
