"""Clusters from `pulumi preview` to `pulumi destroy`, on the simulator or on a real Omni.

One of these situations is the sample of `make test`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.simulator.server import Simulator
from tests.e2e.life import Account, Place, Situation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.omni.client import Client
    from tests.e2e.project import Project

OTHER_KEY = "OTHER_OMNI_KEY"


@pytest.fixture
def account(omni: Client, omni_environment: dict[str, str], free_machines: list[str]) -> Account:
    """The Omni that the environment names."""
    return Account(omni, free_machines, omni_environment["OMNI_SERVICE_ACCOUNT_KEY"])


@pytest.fixture
def other_account() -> Iterator[Account]:
    """One that the inputs name: a simulated one, also where the first is real."""
    with Simulator(machines=2, seed=1) as omni:
        client = connect(Connection(omni.endpoint, omni.service_account_key))
        machines = [machine.id for machine in omni.machines]
        inputs = {"endpoint": omni.endpoint, "service_account_key_env_var": OTHER_KEY}
        yield Account(client, machines, omni.service_account_key, inputs, omni)
        client.close()


class TestOneCluster:
    def test_lives_from_preview_to_destroy(self, project: Project, account: Account, name: str) -> None:
        places = (Place(name, "dev", "main", account),)
        Situation(project, places, workers=1).lives_from_preview_to_destroy()


@pytest.mark.sweep
class TestTwoClustersInOneStackThatPickFromOnePool:
    def test_live_from_preview_to_destroy(self, project: Project, account: Account, name: str) -> None:
        places = tuple(Place(f"{name}-{which}", "dev", which, account) for which in ("one", "two"))
        Situation(project, places, workers=0).lives_from_preview_to_destroy()


@pytest.mark.sweep
class TestTwoOmnisInOneStack:
    def test_their_clusters_live_from_preview_to_destroy(
        self, other_account: Account, project: Project, account: Account, name: str
    ) -> None:
        project.environment[OTHER_KEY] = other_account.key
        places = (Place(f"{name}-here", "dev", "here", account), Place(f"{name}-there", "dev", "there", other_account))
        Situation(project, places, workers=0).lives_from_preview_to_destroy()


@pytest.mark.sweep
class TestTwoStacksOfOneProject:
    def test_their_clusters_live_from_preview_to_destroy(self, project: Project, account: Account, name: str) -> None:
        places = tuple(Place(f"{name}-{stack}", stack, "main", account) for stack in ("dev", "prod"))
        Situation(project, places, workers=0).lives_from_preview_to_destroy()
