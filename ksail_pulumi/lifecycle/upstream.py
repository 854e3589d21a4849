"""Fetches the manifests of add-ons that others publish, once, and keeps them in the user's cache folder.

The checksum of the first fetch is in the state. A manifest with another one is refused: somebody has replaced it.
"""

from __future__ import annotations

import contextvars
import hashlib
import http.client
import os
import socket
import ssl
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, build_opener

from ksail_pulumi.lifecycle.snapshot import take_snapshot
from ksail_pulumi.model.objects import objects_in
from ksail_pulumi.plan.planning import sources_of, urls_of
from ksail_pulumi.problems import InvalidCluster, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from http.client import HTTPMessage, HTTPResponse
    from typing import IO
    from urllib.request import Request

    from ksail_pulumi.addons.groups import Source
    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.plan.ownership import OwnershipMark

_ANSWER_SECONDS = 30.0
"""How long a server may send nothing."""

_WHOLE_SECONDS = 300.0
"""How long a fetch may take: a server that sends a byte now and then must not block an update until its deadline."""

_MOST_BYTES = 16 * 1024 * 1024
_PART_BYTES = 64 * 1024
_REMEDY = "Give the manifest as `file` or `inline` if this machine cannot reach that address"


@dataclass(frozen=True)
class Fetched:
    """Manifests that were fetched.

    Attributes:
        texts: The manifests by URL.
        checksums: The SHA-256 of each, by that of its URL, which may contain a secret. Those of earlier fetches too,
            if their URLs are still in use.
        problems: Why others were not, one for each.
        failed: Those that these are about.
        late: Those that had not come in time.
    """

    texts: dict[str, str] = field(default_factory=dict, repr=False)
    checksums: dict[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    failed: tuple[Source, ...] = ()
    late: tuple[Source, ...] = ()


def fetch_for(spec: ClusterSpec, mark: OwnershipMark, session: Session, pins: Mapping[str, str]) -> Fetched:
    """Fetch what the add-ons of a cluster need and Omni does not have yet.

    Args:
        spec: The cluster.
        mark: Its owner.
        session: The Omni and the deadline.
        pins: The SHA-256 of manifests of earlier fetches, by that of their URLs.

    Raises:
        InvalidCluster: A manifest cannot be fetched, or has changed.
        OmniError: Omni did not answer.
        CancelledError: The user interrupted.
    """
    if not any(True for _ in spec.addons.others()):
        return Fetched()
    snapshot = take_snapshot(session.client, spec.name)
    sources = sources_of(spec, snapshot, mark)
    if sources:
        session.progress("fetching the manifests of add-ons")
    fetched = fetch(
        sources,
        pins,
        patience=session.deadline.remaining(),
        check=lambda: session.check_cancelled("fetching the manifests of add-ons"),
    )
    late = [Problem(each.path, "its manifest was not fetched in time") for each in fetched.late]
    if problems := [*fetched.problems, *late]:
        raise InvalidCluster(problems)
    in_use = {_checksum(url) for url in urls_of(spec, snapshot)}
    kept = {key: checksum for key, checksum in pins.items() if key in in_use}
    return Fetched(fetched.texts, {**kept, **fetched.checksums})


def fetch(
    sources: Sequence[Source], pins: Mapping[str, str], *, patience: float, check: Callable[[], None] = lambda: None
) -> Fetched:
    """Fetch manifests at the same time.

    Args:
        sources: The manifests.
        pins: The SHA-256 of those that were fetched before, by that of their URLs.
        patience: How long all of it may take, in seconds.
        check: Called again and again; may raise.
    """
    outcomes: dict[str, str | Problem] = {}
    failures: list[Exception] = []
    until = time.monotonic() + min(patience, _WHOLE_SECONDS)

    def obtain(source: Source) -> None:
        try:
            outcomes[source.url] = _obtained(source, pins.get(_checksum(source.url), ""), until)
        except InvalidCluster as error:
            outcomes[source.url] = error.problems[0]
        except _LateError:
            pass  # nobody waits for it
        except Exception as error:
            failures.append(error)  # for the caller's thread

    threads = [
        threading.Thread(
            target=contextvars.copy_context().run, args=(obtain, each), name="ksail-pulumi-fetch", daemon=True
        )
        for each in sources
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive() and time.monotonic() < until:
            check()
            thread.join(0.05)
    if failures:
        raise failures[0]
    found = dict(outcomes)
    texts = {url: each for url, each in found.items() if isinstance(each, str)}
    failed = {each: problem for each in sources if isinstance(problem := found.get(each.url), Problem)}
    return Fetched(
        texts,
        {_checksum(url): _checksum(text) for url, text in texts.items()},
        tuple(dict.fromkeys(failed.values())),
        tuple(failed),
        tuple(each for each in sources if each.url not in found),
    )


def cache_folder() -> Path:
    """Where fetched manifests are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "ksail-pulumi" / "manifests"


def cache_file(url: str) -> Path:
    """The file in the cache folder for a URL."""
    return cache_folder() / f"{_checksum(url)[:40]}.yaml"


def _obtained(source: Source, pin: str, until: float) -> str:
    """A manifest, from the cache folder if that has the right one.

    Raises:
        InvalidCluster: It cannot be fetched, or has changed.
    """
    cached = _cached(source.url)
    if cached is not None and (_checksum(cached) == pin or (source.released and not pin)):
        return cached
    text = _downloaded(source, until)
    if pin and _checksum(text) != pin:
        raise _problem(
            source,
            f"has changed since it was first installed (SHA-256 {_checksum(text)}, then {pin}). If you trust it, give "
            "it as `file` or under another URL",
        )
    if not objects_in(text):
        raise _problem(source, "has no Kubernetes objects")
    _keep(source.url, text)
    return text


class _LateError(Exception):
    """The time for a fetch is over."""


class _RedirectError(OSError):
    """A redirect to an address that is not protected like the one that redirects."""


class _Redirects(HTTPRedirectHandler):
    def redirect_request(  # noqa: PLR0917 - as in the standard library
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).scheme not in ("https", urlsplit(req.full_url).scheme):
            raise _RedirectError
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _downloaded(source: Source, until: float) -> str:
    try:
        with build_opener(_Redirects).open(source.url, timeout=_ANSWER_SECONDS) as response:
            content = _content(response, until)
        if len(content) > _MOST_BYTES:
            raise _problem(source, f"is larger than {_MOST_BYTES} bytes")
        return content.decode()
    except UnicodeDecodeError:
        raise _problem(source, "is not UTF-8 text") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _problem(source, f"cannot be fetched: {_reason(error)}. {_REMEDY}") from None


def _content(response: HTTPResponse, until: float) -> bytes:
    """All of an answer, or more than `_MOST_BYTES` of it.

    Raises:
        IncompleteRead: The connection was closed before the end.
        _LateError: The time is over.
    """
    content = bytearray()
    while len(content) <= _MOST_BYTES:
        if time.monotonic() > until:
            raise _LateError
        part = response.read1(_PART_BYTES)
        if not part:
            if response.length:  # the bytes that are missing; `read1` does not report them
                raise http.client.IncompleteRead(b"", response.length)
            break
        content += part
    return bytes(content)


def _reason(error: Exception) -> str:
    """Why a manifest cannot be fetched, without its URL, which may contain a secret."""
    if isinstance(error, HTTPError):
        return f"the answer has the HTTP status {error.code}"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection was closed before all of it was sent"
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, _RedirectError):
        return "the server redirects to an address that is not an https URL"
    if isinstance(cause, socket.gaierror):
        return "the name of its host is not known here (no network?)"
    if isinstance(cause, TimeoutError):
        return f"no answer within {_ANSWER_SECONDS:g} s"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its TLS certificate is not trusted ({cause.verify_message})"
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno)
    return "the connection failed"


def _problem(source: Source, reason: str) -> InvalidCluster:
    if source.released:
        return InvalidCluster([Problem(source.path, f"its manifest at {source.url} {reason}")])
    return InvalidCluster([Problem((*source.path, "url"), f"the manifest at this address {reason}")])


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _cached(url: str) -> str | None:
    try:
        return cache_file(url).read_bytes().decode()
    except (OSError, ValueError, RuntimeError):  # RuntimeError: this user has no home
        return None


def _keep(url: str, text: str) -> None:
    """Write a manifest to the cache folder, in one step: other processes read it. Without one, it is fetched again."""
    with suppress(OSError, RuntimeError):
        path = cache_file(url)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            file = Path(folder) / path.name
            file.write_bytes(text.encode())
            file.replace(path)
