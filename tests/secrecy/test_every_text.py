"""Every text that the package can make for a user is made, and none shows what may be secret.

The texts are collected by walking the code. They are made by running the other tests once more, with canaries in every
cluster (`tests/secrecy/observer.py`); a constant text shows nothing and does not count.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.secrecy.observer import REPORTS
from tests.secrecy.sites import ROOT, SITES, not_run

if TYPE_CHECKING:
    from pathlib import Path

SUITES = ("model", "formats", "goyaml", "addons", "plan", "omni", "cli", "provider", "lifecycle", "secrecy")
ELSEWHERE = ("provider/test_cluster.py", "provider/test_stderr.py")
"""Tests of a provider process of its own, where nothing looks at the texts."""

# What no test of the suites makes in this process, and why its text cannot hold a secret.
EXEMPT = {
    "__init__.py __getattr__": "a name in the program's own import",
    "addons/catalogue.py published": "the name of a project",
    "cli/arguments.py count": "an argument of our own command, typed on the same screen",
    "cli/live.py cluster_rows": "two numbers",
    "cli/simulate.py _started": "a port",
    "cli/simulate.py run": "a command's name, typed on the same screen",
    "lifecycle/delete.py _wait_until_deleted": "a cluster's name",
    "lifecycle/identity.py wait_for_uuid": "a cluster's name and an endpoint",
    "lifecycle/preview.py _missing": "a cluster's name and an endpoint",
    "lifecycle/preview.py _replaces": "a cluster's name, its machines and its owner",
    "lifecycle/waiting/diagnosis.py _Blocking._line": "a machine's name, its set and its stage",
    "lifecycle/waiting/progress.py _waiting_for": "a version",
    "lifecycle/update.py _present": "a cluster's name",
    "omni/tls.py look_closer": "an error of the TLS library about a server",
    "plan/etcd.py _by_number": "a number",
    "plan/findings.py _taken_over": "a cluster's name and its owner",
    "plan/ownership.py owner_by_urn": "no message: the mark of a resource, from its URN",
    "plan/versions.py resolve_versions": "a version that Omni offers",
    "provider/check.py _asked_twice": "a resource's and a cluster's name",
    "provider/check.py _warn_of_replacement": "the name of a field",
    "provider/configured.py _look_at_provider": "a provider's name; tests/e2e/test_canaries.py",
    "provider/configured.py look_at_settings": "a constant; tests/e2e/test_canaries.py",
    "provider/credentials.py differ": "the name of an output and a date",
    "provider/host/call.py call": "the name of a class of Python",
    "provider/looking.py _Asking._left_behind": "a cluster's name, its machines and an endpoint",
    "provider/verbs.py read": "a cluster's name and an endpoint",
    "provider/verbs.py _in_short": "a number of machines and the versions",
    "model/validation.py metadata_problem": "`label` or `annotation`, and sizes",
    "model/validation.py _name": "one of two constants",
    "model/validation.py _not_balanced": "one character of a disk selector",
}


def test_the_texts_are_found_by_walking_the_code() -> None:
    found = SITES
    assert len(found) > 200
    rooms = {site.module.partition("/")[0] for site in found}
    assert {"model", "formats", "addons", "plan", "lifecycle", "omni", "provider"} <= rooms
    known = {f"{site.module} {site.function}" for site in found}
    assert sorted(set(EXEMPT) - known) == []


@pytest.mark.sweep
@pytest.mark.timeout(7200)
def test_every_text_is_made_and_shows_nothing_that_may_be_secret(tmp_path: Path) -> None:
    folders = [str(ROOT.parent / "tests" / suite) for suite in SUITES]
    ignored = [f"--ignore={ROOT.parent / 'tests' / file}" for file in ELSEWHERE]
    options = [
        *ignored,
        "-m",
        "not sweep and not hypothesis",
        "-q",
        "--tb=no",
        "--timeout=600",
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.secrecy.observer",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", str(2 * (os.cpu_count() or 1)), *options, *folders],
        cwd=ROOT.parent,
        env={**os.environ, REPORTS: str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    # 1: some tests fail, as their clusters have more in them than they expect.
    assert done.returncode in (0, 1), done.stdout[-3000:]
    reports = [json.loads(file.read_text()) for file in tmp_path.iterdir()]
    assert sum(report["tests"] for report in reports) > 1500
    assert [report["leaks"] for report in reports if report["leaks"]] == []
    ran = {(module, line) for report in reports for module, line in report["ran"]}
    left = [site for site in not_run(ran, SITES) if f"{site.module} {site.function}" not in EXEMPT]
    assert list(map(str, left)) == []
