"""Proxies, from the environment variables that other tools use too."""

from __future__ import annotations

import base64
import os
import socket
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from ksail_pulumi.omni.endpoint import Endpoint


def proxy_for(endpoint: Endpoint) -> str:
    """The URL of the proxy for an endpoint, `""` for none; it may contain a password.

    Uses `grpc_proxy`, `https_proxy`, `http_proxy` and `no_proxy`, in lower or upper case.
    """
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return ""
    # A slow import, which few need.
    from urllib.request import getproxies_environment, proxy_bypass

    # gRPC's own lookup knows only lower case, and uses `http_proxy` for TLS too.
    proxies = getproxies_environment()
    url = proxies.get("grpc") or proxies.get("https" if endpoint.secure else "http") or ""
    if endpoint.loopback or not url or proxy_bypass(f"{endpoint.host}:{endpoint.port}"):
        return ""
    return url if "://" in url else f"http://{url}"


def dial(endpoint: Endpoint, timeout: float) -> socket.socket:
    """Connect to an endpoint as gRPC does, through the proxy if there is one.

    Args:
        endpoint: The address.
        timeout: The time limit of each step in seconds.

    Raises:
        OSError: There is no connection.
    """
    proxy = urlsplit(proxy_for(endpoint))
    if not proxy.hostname:
        return socket.create_connection((endpoint.host, endpoint.port), timeout=timeout)
    return _tunnel(proxy, endpoint, timeout)


def _tunnel(proxy: SplitResult, endpoint: Endpoint, timeout: float) -> socket.socket:
    import http.client

    headers = {}
    if proxy.username:
        credentials = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(credentials.encode()).decode()}"
    tunnel = http.client.HTTPConnection(proxy.hostname or "", proxy.port or 80, timeout=timeout)
    tunnel.set_tunnel(endpoint.host, endpoint.port, headers)
    try:
        tunnel.connect()
    except http.client.HTTPException as error:
        tunnel.close()
        raise OSError(f"the proxy {proxy.hostname} did not open a tunnel: {error}") from error
    return tunnel.sock
