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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.secrecy.instrumented import observe
from tests.secrecy.sites import REPORTS

if TYPE_CHECKING:
    import pytest

CANARIES = [f"Q{number:04d}Zplanted" for number in range(40)]
_READERS = ("goyaml/read.py", "model/files.py")
_OF_TEXTS = ("Problem", "Findings")

_ran: set[tuple[str, int]] = set()
_leaks: dict[str, str] = {}
_tests: set[str] = set()


def _made(module: str, line: int) -> None:
    _ran.add((module, line))


def _handed_out(where: str, given: Any) -> None:
    # What a reader of files returns is their content; what it raises is a message.
    if where.startswith(_READERS) and not isinstance(given, BaseException):
        return
    parts = given if isinstance(given, tuple) else [given]
    kinds = str if isinstance(given, tuple) else str | BaseException
    text = " ".join(str(each) for each in parts if isinstance(each, kinds) or type(each).__name__ in _OF_TEXTS)
    if "Zplanted" in text:
        _leaks.setdefault(where, text[:500])


observe(_made, _handed_out)

from ksail_pulumi import redaction  # noqa: E402 - it is observed from here on
from ksail_pulumi.model import parse as cluster  # noqa: E402


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


def _set_gate(*_: object) -> None:
    """Do at the start of a thread what a call of the engine does for its threads."""
    redaction._current.set(_GATE)
    sys.settrace(None)


_GATE = redaction.Gate(private=lambda: CANARIES)


def pytest_configure(config: pytest.Config) -> None:
    original = cluster.parse_cluster
    cluster.parse_cluster = lambda data, **options: original(planted(data), **options)  # type: ignore[assignment]
    redaction._current.set(_GATE)
    threading.settrace(_set_gate)


def pytest_runtest_call(item: pytest.Item) -> None:
    _tests.add(item.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    report = {"ran": sorted(_ran), "leaks": _leaks, "tests": len(_tests)}
    Path(os.environ[REPORTS], f"{os.getpid()}.json").write_text(json.dumps(report))
