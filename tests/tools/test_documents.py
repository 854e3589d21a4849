"""What the documents say can be found: every page, link, anchor, input and command."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

import pytest

from ksail_pulumi.cli import checks_pulumi
from ksail_pulumi.cli.app import COMMANDS
from ksail_pulumi.provider.inputs import OmniClusterArgs
from ksail_pulumi.simulator.catalog import KUBERNETES_VERSIONS, TALOS_VERSIONS
from tools import obtain_pulumi
from tools.documents import INDEX, ROOT, anchors, documents, groups, links


@pytest.mark.parametrize("document", documents(), ids=str)
def test_links_lead_somewhere(document: Path) -> None:
    targets = links(document)
    assert [str(path) for path, _ in targets if not (ROOT / path).is_file()] == []
    assert [f"{path}#{anchor}" for path, anchor in targets if anchor and anchor not in anchors(path)] == []


def test_every_page_is_in_the_navigation() -> None:
    listed = [path for group in groups() for _, path in group.pages]
    pages = {path for path in documents() if path.parts[0] in ("docs", "examples") and path != INDEX}
    assert sorted(set(listed)) == sorted(listed)
    assert pages - set(listed) == set()


def test_every_page_has_one_title() -> None:
    for document in documents():
        lines = (ROOT / document).read_text().splitlines()
        assert lines[0].startswith("# "), document


def test_every_input_is_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    assert [field.name for field in dataclasses.fields(OmniClusterArgs) if f"`{field.name}`" not in text] == []


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    assert [name for name in COMMANDS if f"ksail-pulumi {name}" not in text] == []


def test_the_versions_are_those_of_the_package_and_of_the_tests() -> None:
    text = " ".join((ROOT / "docs" / "versions.md").read_text().split())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    (tested,) = (package["version"] for package in lock if package["name"] == "pulumi")
    (oldest,) = (each for each in project["dependencies"] if each.startswith("pulumi>="))
    floor, below = oldest.removeprefix("pulumi>=").split(",<")
    command = ".".join(map(str, checks_pulumi.OLDEST))
    assert f"| Python | {project['requires-python'].removeprefix('>=')} or newer." in text
    assert f"| {command} or newer. Tested with {obtain_pulumi.VERSION} |" in text
    assert f"| from {floor} to below {below}. Tested with {floor}.0 and {tested} |" in text
    assert f"Talos {TALOS_VERSIONS[0]} to {TALOS_VERSIONS[-1]} and" in text
    assert f"Kubernetes {KUBERNETES_VERSIONS[0]} to {KUBERNETES_VERSIONS[-1]} |" in text
