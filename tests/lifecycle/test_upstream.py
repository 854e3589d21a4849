"""Manifests that others publish: fetched once, from the cache after that, and refused where they are not the same."""

from __future__ import annotations

import hashlib
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from ksail_pulumi.addons.groups import Source
from ksail_pulumi.lifecycle import upstream
from ksail_pulumi.lifecycle.upstream import cache_file, fetch
from tests.published import manifest

TEXT = manifest("own", "1")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, bytes], list[str]]]:
    """A server with its pages, and what was asked of it."""
    pages: dict[str, bytes] = {}
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(pages[self.path])

        def log_message(self, *args: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{listening.server_address[1]}", pages, asked
    listening.shutdown()
    listening.server_close()


def source(url: str, *, released: bool = False) -> Source:
    return Source(("addons", "certManager"), url, released)


def problem(url: str, pin: str = "", *, released: bool = False) -> str:
    found = fetch([source(url, released=released)], {url: pin} if pin else {}, patience=20)
    return "; ".join(map(str, found.problems))


def test_a_release_is_fetched_once(server: Any) -> None:
    url, pages, asked = server
    pages["/a"] = TEXT.encode()
    for _ in range(2):
        found = fetch([source(f"{url}/a", released=True)], {}, patience=20)
        assert found.texts == {f"{url}/a": TEXT}
        assert found.checksums == {f"{url}/a": hashlib.sha256(TEXT.encode()).hexdigest()}
    assert asked == ["/a"]
    assert [each.name for each in cache_file("").parent.iterdir()] == [cache_file(f"{url}/a").name]


def test_another_address_is_taken_from_the_cache_only_with_its_checksum(server: Any) -> None:
    url, pages, asked = server
    pages["/a"] = TEXT.encode()
    first = fetch([source(f"{url}/a")], {}, patience=20)
    pages["/a"] = manifest("own", "2").encode()
    assert fetch([source(f"{url}/a")], {}, patience=20).texts == {f"{url}/a": manifest("own", "2")}
    assert len(asked) == 2
    found = problem(f"{url}/a", first.checksums[f"{url}/a"])
    assert "If you trust it, give it as `file` or under another URL" in found


def test_a_cache_that_cannot_be_written_is_no_trouble(server: Any, monkeypatch: Any, tmp_path: Path) -> None:
    url, pages, _ = server
    pages["/a"] = TEXT.encode()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert fetch([source(f"{url}/a")], {}, patience=20).texts == {f"{url}/a": TEXT}


def test_what_is_no_manifest_is_refused(server: Any, monkeypatch: Any) -> None:
    url, pages, _ = server
    pages |= {"/binary": b"\xff\xfe", "/large": b"a" * 100, "/text": b"hello"}
    place = "addons.certManager.url: the manifest at this address"
    assert problem(f"{url}/binary") == f"{place} is not UTF-8 text"
    assert problem(f"{url}/text") == f"{place} has no Kubernetes objects"
    monkeypatch.setattr(upstream, "_MOST_BYTES", 50)
    assert problem(f"{url}/large") == f"{place} is larger than 50 bytes"
    assert problem(f"{url}/large", released=True) == (
        f"addons.certManager: its manifest at {url}/large is larger than 50 bytes"
    )


def not_trusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError()
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (URLError(socket.gaierror(-2, "x")), "the name of its host is not known here (no network?)"),
        (TimeoutError(), "no answer within 30 s"),
        (URLError(not_trusted()), "its TLS certificate is not trusted (self-signed certificate)"),
        (URLError("odd"), "the connection failed"),
    ],
)
def test_the_reason_is_in_words(error: Exception, reason: str, monkeypatch: Any) -> None:
    def fail(url: str, timeout: float) -> Any:
        raise error

    monkeypatch.setattr(upstream, "urlopen", fail)
    assert f"cannot be fetched: {reason}. Give the manifest as `file` or `inline`" in problem("https://a/b")
