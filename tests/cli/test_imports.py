"""What a command imports, measured in a whole run: some modules are only imported when they are needed."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = "import sys\nfrom ksail_pulumi.cli.app import main\nmain(sys.argv[1:])\nprint('LOADED', *sys.modules)"


@pytest.fixture(scope="module")
def account() -> Iterator[Simulator]:
    with Simulator(machines=1) as omni:
        yield omni


def loaded_by(omni: Simulator, *arguments: str) -> set[str]:
    """The packages that a run of a command imports."""
    environment = {
        **os.environ,
        "OMNI_ENDPOINT": omni.endpoint,
        "OMNI_SERVICE_ACCOUNT_KEY": omni.service_account_key,
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return {name.partition(".")[0] for name in done.stdout.partition("LOADED")[2].split()}


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["list", "--output", "json"],
        ["list", "--output", "yaml"],
        ["info", "nowhere"],
        ["machines"],
        ["status", "nowhere"],
        ["status", "nowhere", "--watch"],
        ["doctor"],
        ["diagnose", "nowhere"],
    ],
)
def test_what_only_reads_builds_no_models(account, arguments):
    loaded = loaded_by(account, *arguments)
    assert "grpc" in loaded
    assert not loaded & {"pulumi", "pydantic", "yaml", "rich", "shtab"}
