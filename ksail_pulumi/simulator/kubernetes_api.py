"""Omni's proxy of the Kubernetes APIs: reads of objects and merge patches, over HTTP, with tokens of kubeconfigs."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ksail_pulumi.simulator.kubernetes_objects import Key, Kubernetes

MERGE_PATCH = "application/merge-patch+json"
LONGEST_BODY = 4 * 1024 * 1024

Find = Callable[[str], Kubernetes | None]
"""The API server that a token is for; None: it cannot be reached.

Raises:
    KeyError: The token is not valid.
"""


class KubernetesProxy:
    """Listens on 127.0.0.1 in threads of its own."""

    def __init__(self, find: Find, port: int, certificate: tuple[Path, Path] | None) -> None:
        """Listen.

        Args:
            find: The API server for a token.
            port: Where to listen; 0 for any free port.
            certificate: Files with the certificate and the private key (PEM) for TLS; None for plain text.

        Raises:
            OSError: The port is taken, or the certificate cannot be used.
        """
        handler = type("Handler", (_Handler,), {"find": staticmethod(find)})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme, host = ("https", "localhost") if certificate is not None else ("http", "127.0.0.1")
        self.port: int = self._server.server_address[1]
        self.url = f"{scheme}://{host}:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="simulator-kubernetes", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    find: Find
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        self._serve(_read)

    def do_PATCH(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(min(length, LONGEST_BODY))
        if self.headers.get("Content-Type") != MERGE_PATCH:
            self._answer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, _status(HTTPStatus.UNSUPPORTED_MEDIA_TYPE))
            return
        try:
            patch = json.loads(body)
        except ValueError:
            self._answer(HTTPStatus.BAD_REQUEST, _status(HTTPStatus.BAD_REQUEST))
            return
        self._serve(lambda kubernetes, path: _patch(kubernetes, path, patch))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class' own name
        """Logs nothing."""

    def _serve(self, work: Callable[[Kubernetes, list[str]], Mapping[str, Any] | None]) -> None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        try:
            kubernetes = self.find(token)
        except KeyError:
            self._answer(HTTPStatus.UNAUTHORIZED, _status(HTTPStatus.UNAUTHORIZED))
            return
        if kubernetes is None:
            self._answer(HTTPStatus.BAD_GATEWAY, _status(HTTPStatus.BAD_GATEWAY))
            return
        found = work(kubernetes, self.path.partition("?")[0].strip("/").split("/"))
        if found is None:
            self._answer(HTTPStatus.NOT_FOUND, _status(HTTPStatus.NOT_FOUND))
        else:
            self._answer(HTTPStatus.OK, found)

    def _answer(self, code: HTTPStatus, content: Mapping[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _read(kubernetes: Kubernetes, path: list[str]) -> Mapping[str, Any] | None:
    version, rest = _version(path)
    if rest:
        key = _key(kubernetes, version, rest)
        return kubernetes.get(key) if key is not None else None
    kinds = [
        {"name": kind.plural, "kind": kind.name, "namespaced": kind.namespaced} for kind in kubernetes.kinds(version)
    ]
    listed = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": kinds}
    return listed if kinds and version else None


def _patch(kubernetes: Kubernetes, path: list[str], patch: Mapping[str, Any]) -> Mapping[str, Any] | None:
    key = _key(kubernetes, *_version(path))
    return kubernetes.patch(key, patch) if key is not None else None


def _version(path: list[str]) -> tuple[str, list[str]]:
    """The group and version that a path begins with, and the rest."""
    if path[0] == "apis" and len(path) > 2:
        return f"{path[1]}/{path[2]}", path[3:]
    return (path[1], path[2:]) if path[0] == "api" and len(path) > 1 else ("", path)


def _key(kubernetes: Kubernetes, version: str, rest: list[str]) -> Key | None:
    """The object of a path: `[namespaces/NAMESPACE/]PLURAL/NAME`."""
    namespace = ""
    if len(rest) == 4 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    kinds = {kind.plural: kind for kind in kubernetes.kinds(version)} if version else {}
    if len(rest) != 2 or (kind := kinds.get(rest[0])) is None or kind.namespaced != bool(namespace):
        return None
    return Key(kind.group, kind.name, namespace, rest[1])


def _status(code: HTTPStatus) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": code.phrase, "code": code.value}
