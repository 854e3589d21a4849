"""The pytest fixtures."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.simulator.server import Simulator
from ksail_pulumi.testing.stacks import PulumiStacks, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

_MACHINES = 6
_OTHER_OMNI = ("OMNI_", "SIDERO_")
_OTHER_BACKEND = ("PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_STACK")


@pytest.fixture
def omni(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """An Omni with six emulated machines, or with those of `@pytest.mark.parametrize("omni", [3], indirect=True)`.

    The environment of the test leads to it, and to no other Omni.
    """
    with Simulator(machines=getattr(request, "param", _MACHINES)) as simulator:
        for name in [each for each in os.environ if each.startswith(_OTHER_OMNI)]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("OMNI_ENDPOINT", simulator.endpoint)
        monkeypatch.setenv("OMNI_SERVICE_ACCOUNT_KEY", simulator.service_account_key)
        yield simulator


@pytest.fixture
def pulumi_stack(
    omni: Simulator,  # noqa: ARG001 - the environment leads to it
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> PulumiStacks:
    """Makes Pulumi stacks on `omni`; see `PulumiStacks`. Their states are in a temporary folder."""
    folder = tmp_path_factory.mktemp("pulumi")
    for name in _OTHER_BACKEND:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment(folder).items():
        monkeypatch.setenv(name, value)
    return PulumiStacks(folder)
