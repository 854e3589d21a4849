from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.project import ROOT, Project
from tests.e2e.vault import vault
from tests.published import fill_cache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ksail_pulumi.omni.client import Client

# On a real Omni a machine takes minutes for what the simulator does in a second.
SECONDS = {"simulator": 600, "real": 3600}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kind = "real" if config.getoption("--omni-endpoint") else "simulator"
    for item in items:
        if item.path.parent == ROOT / "tests" / "e2e":
            item.add_marker(pytest.mark.timeout(SECONDS[kind]))


@pytest.fixture(scope="session")
def pulumi() -> Iterator[dict[str, str]]:
    """What a process needs in its environment to run the `pulumi` command."""
    found = json.loads(
        subprocess.run(
            [sys.executable, ROOT / "tools" / "obtain_pulumi.py", "--json", "--cached"],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        ).stdout
    )
    if "reason" in found:
        pytest.skip(f"needs the pulumi command (make pulumi): {found['reason']}")
    with vault() as key_server:
        yield {**found["env"], **key_server}


@pytest.fixture
def omni_environment(omni: Client, omni_endpoint: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """What a process needs in its environment to reach the Omni that the tests run on."""
    if omni_endpoint:
        names = ("OMNI_SERVICE_ACCOUNT_KEY", "OMNI_CA_FILE")
        return {"OMNI_ENDPOINT": omni_endpoint} | {name: os.environ[name] for name in names if name in os.environ}
    simulated = request.getfixturevalue("simulator")
    return {"OMNI_ENDPOINT": simulated.endpoint, "OMNI_SERVICE_ACCOUNT_KEY": simulated.service_account_key}


@pytest.fixture
def project(
    tmp_path: Path, pulumi: dict[str, str], omni_environment: dict[str, str], omni_endpoint: str
) -> Iterator[Project]:
    """A project without a stack, whose program makes what `project.clusters` says."""
    project = Project.create(tmp_path, pulumi, omni_environment)
    yield project
    if omni_endpoint:
        project.clean_up()


@pytest.fixture
def published(pulumi: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifests of add-ons are in the cache folder: this machine may have no network."""
    fill_cache(tmp_path / "cache", monkeypatch)


@pytest.fixture
def name(omni: Client) -> str:
    """The beginning of names that no other cluster of the account has."""
    return f"test-{secrets.token_hex(4)}"
