"""Manifests that others publish: fetched once, from the cache after that, and refused where they are not the same."""

from __future__ import annotations

import hashlib
import io
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import HTTPSHandler, Request

import pytest

from ksail_pulumi.addons.groups import Source
from ksail_pulumi.lifecycle import upstream
from ksail_pulumi.lifecycle.upstream import cache_file, fetch
from tests.published import manifest
from tests.web import listening

TEXT = manifest("own", "1")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, bytes], list[str]]]:
    """A server with its pages, and what was asked of it."""
    pages: dict[str, bytes] = {}
    asked: list[str] = []
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if self.path.startswith("/redirect/"):
                self.send_response(302)
                self.send_header("Location", self.path.removeprefix("/redirect/"))
                self.end_headers()
                return
            self.send_response(200)
            page = pages[self.path]
            if self.path == "/cut":
                self.send_header("Content-Length", str(len(page) + 1))
            if self.path == "/chunked":
                page = b"%x\r\n%b" % (len(page) + 1, page)
                self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(page)
            while self.path == "/slow" and not stopped.wait(0.05):
                self.wfile.write(b"#")

        def log_message(self, *args: object) -> None:
            pass

    with listening(Handler) as url:
        yield url, pages, asked
        stopped.set()


def source(url: str, *, released: bool = False) -> Source:
    return Source(("addons", "certManager"), url, released)


def key(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()


def problem(url: str, pin: str = "", *, released: bool = False) -> str:
    found = fetch([source(url, released=released)], {key(url): pin} if pin else {}, patience=20)
    return "; ".join(map(str, found.problems))


def test_a_release_is_fetched_once(server: Any) -> None:
    url, pages, asked = server
    pages["/a"] = TEXT.encode()
    for _ in range(2):
        found = fetch([source(f"{url}/a", released=True)], {}, patience=20)
        assert found.texts == {f"{url}/a": TEXT}
        assert found.checksums == {key(f"{url}/a"): hashlib.sha256(TEXT.encode()).hexdigest()}
    assert asked == ["/a"]
    assert [each.name for each in cache_file("").parent.iterdir()] == [cache_file(f"{url}/a").name]


def test_another_address_is_taken_from_the_cache_only_with_its_checksum(server: Any) -> None:
    url, pages, asked = server
    pages["/a"] = TEXT.encode()
    first = fetch([source(f"{url}/a")], {}, patience=20)
    pages["/a"] = manifest("own", "2").encode()
    assert fetch([source(f"{url}/a")], {}, patience=20).texts == {f"{url}/a": manifest("own", "2")}
    assert len(asked) == 2
    found = problem(f"{url}/a", first.checksums[key(f"{url}/a")])
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
    def fail(*args: object, **kwargs: object) -> Any:
        raise error

    monkeypatch.setattr(HTTPSHandler, "https_open", fail)
    assert f"cannot be fetched: {reason}. Give the manifest as `file` or `inline`" in problem("https://a/b")


def test_problems_are_in_the_order_of_the_addons(monkeypatch: Any) -> None:
    urls = [f"https://a/{number}" for number in range(3)]
    failed = {url: threading.Event() for url in urls}

    def fail_after_the_next(handler: HTTPSHandler, request: Request) -> Any:
        later = urls[urls.index(request.full_url) + 1 :]
        assert not later or failed[later[0]].wait(20)
        failed[request.full_url].set()
        raise TimeoutError

    monkeypatch.setattr(HTTPSHandler, "https_open", fail_after_the_next)
    found = fetch([source(url, released=True) for url in urls], {}, patience=20)
    assert [url in str(each) for url, each in zip(urls, found.problems, strict=True)] == 3 * [True]
    assert [each.url for each in found.failed] == urls


@pytest.mark.parametrize("path", ["/cut", "/chunked"])
def test_a_part_of_a_manifest_is_refused(path: str, server: Any) -> None:
    url, pages, _ = server
    pages[path] = TEXT.encode()
    assert "cannot be fetched: the connection was closed before all of it was sent" in problem(f"{url}{path}")
    assert not cache_file(f"{url}{path}").exists()


def test_a_redirect_must_not_lead_to_a_less_safe_address(server: Any) -> None:
    url, pages, asked = server
    pages["/a"] = TEXT.encode()
    assert problem(f"{url}/redirect/{url}/a") == ""
    reason = "cannot be fetched: the server redirects to an address that is not an https URL"
    assert reason in problem(f"{url}/redirect/ftp://127.0.0.1/a")
    assert asked[1:] == ["/a", "/redirect/ftp://127.0.0.1/a"]
    with pytest.raises(OSError) as raised:  # noqa: PT011 - the class is private
        redirected("https://a/b", f"{url}/a")
    assert reason.endswith(upstream._reason(raised.value))
    assert redirected("http://a/b", "https://a/c").full_url == "https://a/c"


def redirected(before: str, after: str) -> Request:
    """The request after a redirect; no test has a server with a certificate that is trusted."""
    found = upstream._Redirects().redirect_request(Request(before), io.BytesIO(), 302, "", HTTPMessage(), after)
    assert found is not None
    return found


def test_a_server_that_sends_a_byte_now_and_then_is_late(server: Any, monkeypatch: Any) -> None:
    url, pages, _ = server
    pages["/slow"] = TEXT.encode()
    monkeypatch.setattr(upstream, "_WHOLE_SECONDS", 0.3)
    asked = source(f"{url}/slow")
    began = time.monotonic()
    assert fetch([asked], {}, patience=60).late == (asked,)
    assert time.monotonic() - began < 20
    deadline = time.monotonic() + 20
    while any(each.name == "ksail-pulumi-fetch" for each in threading.enumerate()):  # it ends on its own
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_user_without_a_home_has_no_cache(server: Any, monkeypatch: Any) -> None:
    url, pages, _ = server
    pages["/a"] = TEXT.encode()

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert fetch([source(f"{url}/a")], {}, patience=20).texts == {f"{url}/a": TEXT}


def test_another_error_is_raised_by_the_caller(server: Any, monkeypatch: Any) -> None:
    url, pages, _ = server
    pages["/a"] = TEXT.encode()

    def fail(text: str) -> Any:
        raise LookupError("odd")

    monkeypatch.setattr(upstream, "objects_in", fail)
    with pytest.raises(LookupError, match="odd"):
        fetch([source(f"{url}/a")], {}, patience=20)


def test_the_cache_is_the_users_own_and_has_no_rests(server: Any) -> None:
    url, pages, _ = server
    pages["/a"] = TEXT.replace("\n", "\r\n").encode()
    cache_file(f"{url}/a").mkdir(parents=True)  # so it cannot be replaced
    assert problem(f"{url}/a") == ""
    folder = cache_file("").parent
    assert [each.name for each in folder.iterdir()] == [cache_file(f"{url}/a").name]
    cache_file(f"{url}/a").rmdir()
    folder.rmdir()
    assert problem(f"{url}/a") == ""
    assert folder.stat().st_mode & 0o777 == 0o700
    assert cache_file(f"{url}/a").read_bytes() == pages["/a"]
