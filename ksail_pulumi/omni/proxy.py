"""The way to an Omni through a proxy, by the environment variables that other tools go by too."""

from __future__ import annotations

import base64
import http.client
import socket
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

if TYPE_CHECKING:
    from ksail_pulumi.omni.endpoint import Endpoint


def proxy_for(endpoint: Endpoint) -> str:
    """The URL of the proxy in front of an endpoint, `""` for none; it may hold a password.

    `grpc_proxy`, `https_proxy` and `http_proxy` count, without what `no_proxy` names, all in small or capital letters.
    gRPC itself knows the small ones only, and an `http_proxy` would count for TLS.
    """
    proxies = getproxies_environment()
    url = proxies.get("grpc") or proxies.get("https" if endpoint.secure else "http") or ""
    if endpoint.loopback or not url or proxy_bypass(f"{endpoint.host}:{endpoint.port}"):
        return ""
    return url if "://" in url else f"http://{url}"


def dial(endpoint: Endpoint, timeout: float) -> socket.socket:
    """Connect to an endpoint the way that gRPC does, through the proxy if there is one.

    Args:
        endpoint: Where to connect to.
        timeout: For how many seconds each step may take.

    Raises:
        OSError: There is no connection.
    """
    proxy = urlsplit(proxy_for(endpoint))
    if not proxy.hostname:
        return socket.create_connection((endpoint.host, endpoint.port), timeout=timeout)
    headers = {}
    if proxy.username:
        credentials = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(credentials.encode()).decode()}"
    tunnel = http.client.HTTPConnection(proxy.hostname, proxy.port or 80, timeout=timeout)
    tunnel.set_tunnel(endpoint.host, endpoint.port, headers)
    try:
        tunnel.connect()
    except http.client.HTTPException as error:
        tunnel.close()
        raise OSError(f"the proxy {proxy.hostname} did not open a tunnel: {error}") from error
    return tunnel.sock
