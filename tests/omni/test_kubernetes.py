"""The Kubernetes API through Omni's proxy: objects by their kinds, and what a broken connection is called."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from ksail_pulumi.errors import UnreachableError
from ksail_pulumi.omni.kubernetes import AnswerError, KubernetesApi
from tests.web import listening

KINDS = {
    "resources": [
        {"name": "configmaps", "kind": "ConfigMap", "namespaced": True},
        {"name": "namespaces", "kind": "Namespace", "namespaced": False},
        {"name": "namespaces/status", "kind": "Namespace", "namespaced": False},
    ]
}


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, Any], list[tuple[str, str, str]]]]:
    """A server with its answers (data, text or a status code), and what was asked of it."""
    answers: dict[str, Any] = {"/api/v1": KINDS}
    asked: list[tuple[str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append((self.command, self.path, body.decode()))
            found = answers.get(self.path, 404)
            code, content = (found, "{}") if isinstance(found, int) else (200, found)
            data = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self.answer()

        def do_PATCH(self) -> None:
            self.answer()

        def log_message(self, *args: object) -> None:
            pass

    with listening(Handler) as url:
        yield url, answers, asked


@pytest.fixture
def api(server: Any) -> Iterator[KubernetesApi]:
    made = KubernetesApi(server[0], "token", None, time.monotonic() + 60)
    yield made
    made.close()


def test_an_object_is_found_by_its_kind(api: KubernetesApi, server: Any) -> None:
    _, answers, asked = server
    answers |= {"/api/v1/namespaces/a/configmaps/b": {"data": {}}, "/api/v1/namespaces/a": {"kind": "Namespace"}}
    assert api.find("v1", "ConfigMap", "a", "b") == {"data": {}}
    assert api.find("v1", "Namespace", "", "a") == {"kind": "Namespace"}
    assert api.find("v1", "ConfigMap", "a", "c") is None
    assert api.find("example.org/v1", "Gizmo", "a", "b") is None
    assert (api.knows("v1", "ConfigMap"), api.knows("example.org/v1", "Gizmo")) == (True, False)
    assert [path for _, path, _ in asked].count("/api/v1") == 1


def test_a_kind_that_a_definition_adds_later_is_found(api: KubernetesApi, server: Any) -> None:
    _, answers, _ = server
    gizmos = {"name": "gizmos", "kind": "Gizmo", "namespaced": True}
    answers["/apis/example.org/v1"] = {"resources": [{**gizmos, "name": "things", "kind": "Thing"}]}
    assert (api.knows("example.org/v1", "Thing"), api.knows("example.org/v1", "Gizmo")) == (True, False)
    answers["/apis/example.org/v1"]["resources"].append(gizmos)
    answers["/apis/example.org/v1/namespaces/a/gizmos/b"] = {"kind": "Gizmo"}
    assert api.find("example.org/v1", "Gizmo", "a", "b") == {"kind": "Gizmo"}


def test_an_object_without_a_namespace_is_in_that_of_kubectl(api: KubernetesApi, server: Any) -> None:
    server[1]["/api/v1/namespaces/default/configmaps/b"] = {"data": {}}
    assert api.find("v1", "ConfigMap", "", "b") == {"data": {}}


def test_a_bad_answer_is_that_of_one_object(api: KubernetesApi, server: Any) -> None:
    _, answers, _ = server
    answers |= {"/api/v1/namespaces/a": "no JSON", "/api/v1/namespaces/b": {"kind": "Namespace"}}
    with pytest.raises(AnswerError, match="the answer is not JSON"):
        api.find("v1", "Namespace", "", "a")
    assert api.find("v1", "Namespace", "", "b") == {"kind": "Namespace"}


def test_a_patch_is_sent_to_what_there_is(api: KubernetesApi, server: Any) -> None:
    _, answers, asked = server
    answers["/api/v1/namespaces/a/configmaps/b"] = {}
    api.patch("v1", "ConfigMap", "a", "b", {"data": {"x": None}})
    api.patch("example.org/v1", "Gizmo", "a", "b", {})
    assert [each for each in asked if each[0] == "PATCH"] == [
        ("PATCH", "/api/v1/namespaces/a/configmaps/b", '{"data": {"x": null}}')
    ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (502, "HTTP status 502"),
        ("no JSON", "the answer is not JSON"),
        ([], "the answer is not JSON"),
        (401, "HTTP status 401"),
    ],
)
def test_an_answer_that_is_none_is_an_error(answer: Any, reason: str, api: KubernetesApi, server: Any) -> None:
    server[1]["/api/v1"] = answer
    with pytest.raises(UnreachableError, match=f"the Kubernetes API at {server[0]} cannot be reached: {reason}"):
        api.find("v1", "ConfigMap", "a", "b")


def test_without_a_server_or_time_there_is_an_error() -> None:
    nobody = KubernetesApi("http://127.0.0.1:1", "token", None, time.monotonic() + 60)
    with pytest.raises(UnreachableError, match="cannot be reached: ConnectionRefusedError"):
        nobody.find("v1", "ConfigMap", "a", "b")
    late = KubernetesApi("http://127.0.0.1:1", "token", None, time.monotonic() - 1)
    with pytest.raises(UnreachableError, match="cannot be reached: TimeoutError"):
        late.find("v1", "ConfigMap", "a", "b")
    with pytest.raises(UnreachableError, match="an address of the Kubernetes API that is not valid"):
        KubernetesApi("ftp://x", "token", None, 0)
