"""A pytest plugin: runs other tests with canaries in every cluster, and looks at every text that the package makes.

The tests' own outcomes do not count here: a cluster with more in it is another one. What counts is which texts are
made on the way, and whether one of them shows what patches, manifests, labels or annotations hold.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ksail_pulumi import redaction
from ksail_pulumi.model import parse as cluster
from ksail_pulumi.plan.findings import Findings
from ksail_pulumi.problems import Problem
from tests.secrecy.sites import REPORTS, ROOT, sites

if TYPE_CHECKING:
    from types import CodeType, FrameType

    import pytest

SITES = sites()
CANARIES = [f"Q{number:04d}Zplanted" for number in range(40)]
_PREFIX = f"{ROOT}/"
_READERS = ("goyaml/read.py", "model/files.py")


@dataclass(frozen=True)
class _Texts:
    """Where a function makes texts.

    Attributes:
        found: Whether it makes any.
        lines: The lines that have not run yet.
    """

    found: bool
    lines: set[int]


_left: dict[CodeType, _Texts] = {}
_ran: set[tuple[str, int]] = set()
_leaks: dict[str, str] = {}
_tests: set[str] = set()


def _lines_of_texts(code: CodeType) -> _Texts:
    if not code.co_filename.startswith(_PREFIX):
        return _Texts(found=False, lines=set())
    module = code.co_filename[len(_PREFIX) :]
    lines = {line for _, _, line in code.co_lines() if line is not None}
    of_texts = {line for site in SITES if site.module == module for line in range(site.first, site.last + 1)}
    return _Texts(bool(lines & of_texts), lines & of_texts)


def planted(data: Any) -> Any:
    """The inputs of a cluster, with canaries in all that may be secret."""
    if not isinstance(data, Mapping):
        return data
    canaries = iter(CANARIES)
    made = _scope(dict(data), canaries)
    if isinstance(made.get("controlPlane"), Mapping):
        made["controlPlane"] = _scope(dict(made["controlPlane"]), canaries)
    if isinstance(made.get("workers"), list):
        made["workers"] = [
            _scope(dict(each), canaries) if isinstance(each, Mapping) else each for each in made["workers"]
        ]
    return made


def _scope(data: dict[str, Any], canaries: Any) -> dict[str, Any]:
    for name in ("labels", "annotations"):
        if isinstance(data.get(name, {}), Mapping):
            data[name] = {**data.get(name, {}), "planted": next(canaries)}
    if isinstance(data.get("patches", []), list | tuple):
        content = {"machine": {"sysctls": {"kernel.domainname": next(canaries)}}}
        patch = {"name": "planted", "inline": content, "description": next(canaries)}
        data["patches"] = [*data.get("patches", []), patch]
    return data


def _trace_calls(frame: FrameType, event: str, _: Any) -> Any:
    code = frame.f_code
    left = _left.get(code)
    if left is None:
        left = _left[code] = _lines_of_texts(code)
    if not left.found:
        return None
    # Tracing lines is expensive: it ends for a function once all of its texts were made.
    frame.f_trace_lines = bool(left.lines)
    return _looking


def _looking(frame: FrameType, event: str, given: Any) -> Any:
    """Record the lines of texts that run, and look at what the function hands out: returns, yields, raises."""
    if event == "line":
        left = _left[frame.f_code]
        if frame.f_lineno in left.lines:
            left.lines.discard(frame.f_lineno)
            _ran.add((frame.f_code.co_filename[len(_PREFIX) :], frame.f_lineno))
        return _looking
    if event == "exception":
        given = given[1]
    # What a reader of files returns is their content; what it raises is a message.
    is_message = event == "exception" or (event == "return" and not frame.f_code.co_filename.endswith(_READERS))
    if is_message and isinstance(given, str | BaseException | tuple | Problem | Findings):
        given = [each for each in given if isinstance(each, str | Problem)] if isinstance(given, tuple) else [given]
        text = " ".join(map(str, given))
        if "Zplanted" in text:
            where = f"{frame.f_code.co_filename[len(_PREFIX) :]} {frame.f_code.co_qualname}"
            _leaks.setdefault(where, text[:500])
    return _looking


def _trace_thread(frame: FrameType, event: str, given: Any) -> Any:
    if threading.current_thread().name.startswith("simulator"):
        sys.settrace(None)  # it makes no texts of ours, and tracing would take half of the time
        return None
    redaction._current.set(_GATE)  # what a call of the engine does for its threads
    sys.settrace(_trace_calls)
    return _trace_calls(frame, event, given)


_GATE = redaction.Gate(private=lambda: CANARIES)


def pytest_configure(config: pytest.Config) -> None:
    original = cluster.parse_cluster
    cluster.parse_cluster = lambda data, **options: original(planted(data), **options)  # type: ignore[assignment]
    redaction._current.set(_GATE)
    threading.settrace(_trace_thread)
    sys.settrace(_trace_calls)


def pytest_runtest_call(item: pytest.Item) -> None:
    _tests.add(item.nodeid)
    sys.settrace(_trace_calls)


def pytest_sessionfinish(session: pytest.Session) -> None:
    sys.settrace(None)
    report = {"ran": sorted(_ran), "leaks": _leaks, "tests": len(_tests)}
    Path(os.environ[REPORTS], f"{os.getpid()}.json").write_text(json.dumps(report))
