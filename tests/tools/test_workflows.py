"""The workflows run what `.ci/run` runs, with actions that cannot change, and with no more rights than they need."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tools.documents import ROOT

WORKFLOWS = {path.name: path.read_text() for path in (ROOT / ".github" / "workflows").iterdir()}


def workflow(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(WORKFLOWS[name])
    return loaded


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_are_pinned_to_commits(name: str) -> None:
    used = re.findall(r"uses: (.*)", WORKFLOWS[name])
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_everything_is_tested(name: str) -> None:
    steps = [step for job in workflow(name)["jobs"].values() for step in job["steps"]]
    assert ".ci/run" in [step.get("run") for step in steps]


def test_only_the_job_that_publishes_can_sign_in_to_pypi() -> None:
    release = workflow("release.yml")
    assert release["permissions"] == {"contents": "read"}
    jobs = release["jobs"]
    assert {name for name, job in jobs.items() if "permissions" in job} == {"publish"}
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["publish"]["needs"] == "build"
    assert not any("run" in step for step in jobs["publish"]["steps"])


@pytest.mark.parametrize("name", ["bug.yml", "feature.yml"])
def test_a_form_for_issues_has_what_github_requires(name: str) -> None:
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / name).read_text())
    assert form["name"]
    assert form["description"]
    kinds = {"markdown", "textarea"}
    assert {item["type"] for item in form["body"]} <= kinds
    identifiers = [item["id"] for item in form["body"] if item["type"] != "markdown"]
    assert identifiers
    assert len(set(identifiers)) == len(identifiers)
