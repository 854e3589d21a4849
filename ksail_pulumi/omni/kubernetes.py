"""The Kubernetes API of a cluster, through Omni's proxy: single objects only."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ksail_pulumi.errors import SettingsError, UnreachableError
from ksail_pulumi.omni.endpoint import normalise_endpoint
from ksail_pulumi.omni.proxy import dial
from ksail_pulumi.omni.tls import trust_whoever_answers, verifying

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.omni.endpoint import Endpoint
    from ksail_pulumi.omni.tls import Trust

_CALL_SECONDS = 3.0
_DEFAULT_NAMESPACE = "default"  # as kubectl has it


class AnswerError(UnreachableError):
    """The API answered one call with an error or with no object; other calls may still work."""


class KubernetesApi:
    """Reads and patches objects, one call after the other over one connection."""

    def __init__(self, server: str, token: str, trust: Trust | None, until: float) -> None:
        """Make a client; the first call connects.

        Args:
            server: The URL of the API.
            token: The token of a kubeconfig.
            trust: What the certificate is checked against; None: whoever answers is trusted.
            until: When calls end at the latest, by `time.monotonic`.

        Raises:
            UnreachableError: The URL cannot be used.
        """
        try:
            self._endpoint = normalise_endpoint(server)
        except SettingsError as error:
            raise UnreachableError("Omni answers with an address of the Kubernetes API that is not valid") from error
        self._token = token
        self._trust = trust
        self._until = until
        self._connection: http.client.HTTPConnection | None = None
        self._plurals: dict[str, dict[str, tuple[str, bool]]] = {}

    def find(self, version: str, kind: str, namespace: str, name: str) -> Any:
        """An object; None if it or its kind does not exist.

        Raises:
            UnreachableError: The API does not answer, or does not accept the token.
        """
        path = self._path(version, kind, namespace, name)
        return self._call("GET", path) if path else None

    def knows(self, version: str, kind: str) -> bool:
        """Whether the API has a kind.

        Raises:
            UnreachableError: The API does not answer, or does not accept the token.
        """
        return bool(self._kind(version, kind)[0])

    def patch(self, version: str, kind: str, namespace: str, name: str, patch: Mapping[str, Any]) -> None:
        """Merge a patch into an object (RFC 7396), if it exists.

        Raises:
            UnreachableError: The API does not answer, or does not accept the token or the patch.
        """
        if path := self._path(version, kind, namespace, name):
            self._call("PATCH", path, json.dumps(patch).encode())

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _path(self, version: str, kind: str, namespace: str, name: str) -> str:
        plural, namespaced = self._kind(version, kind)
        if not plural:
            return ""
        home = f"/namespaces/{quote(namespace or _DEFAULT_NAMESPACE, safe='')}" if namespaced else ""
        return f"{_root(version)}{home}/{quote(plural, safe='')}/{quote(name, safe='')}"

    def _kind(self, version: str, kind: str) -> tuple[str, bool]:
        """The name of a kind in URLs, `""` if there is none, and whether its objects are in namespaces."""
        if kind not in self._plurals.get(version, ()):  # a definition may have added it since
            listed = (self._call("GET", _root(version)) or {}).get("resources") or ()
            self._plurals[version] = {
                each["kind"]: (each["name"], bool(each["namespaced"])) for each in listed if "/" not in each["name"]
            }
        return self._plurals[version].get(kind, ("", False))

    def _call(self, method: str, path: str, body: bytes | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json"
        try:
            connection = self._connected()
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._unreachable(type(error).__name__) from error
        if response.status == http.client.NOT_FOUND:
            return None
        if response.status >= http.client.BAD_REQUEST:
            raise AnswerError(str(self._unreachable(f"HTTP status {response.status}")))
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise AnswerError(str(self._unreachable("the answer is not JSON")))
        return found

    def _connected(self) -> http.client.HTTPConnection:
        """The connection, through a proxy if there is one. A time limit that has passed is an error."""
        timeout = min(_CALL_SECONDS, self._until - time.monotonic())
        if timeout <= 0:
            raise TimeoutError
        # A connection that the server has closed would be opened again without TLS.
        if self._connection is None or self._connection.sock is None:
            self._connection = _connect(self._endpoint, self._trust, timeout)
        self._connection.sock.settimeout(timeout)
        return self._connection

    def _unreachable(self, reason: str) -> UnreachableError:
        return UnreachableError(f"the Kubernetes API at {self._endpoint.url} cannot be reached: {reason}")


def _connect(endpoint: Endpoint, trust: Trust | None, timeout: float) -> http.client.HTTPConnection:
    sock = dial(endpoint, timeout)
    if endpoint.secure:
        trust = trust or trust_whoever_answers(endpoint)
        sock = verifying(trust).wrap_socket(sock, server_hostname=trust.name or endpoint.host)
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=timeout)
    connection.sock = sock
    return connection


def _root(version: str) -> str:
    return f"/apis/{quote(version)}" if "/" in version else f"/api/{quote(version)}"
