"""Reading a cluster back: drift shows, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ksail_pulumi.errors import AuthenticationError
from ksail_pulumi.lifecycle.read import read
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.resources import CLUSTER, CONFIG_PATCH, MACHINE_SET_NODE, Resource
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab

Needs = Callable[[int], list[str]]
PATCH = {"name": "sysctl", "inline": "# ours\nmachine:\n  sysctls:\n    a: '1'\n"}


def test_a_cluster_that_does_not_exist_is_nothing(lab: Lab) -> None:
    assert lab.read() is None


def test_a_cluster_that_is_going_is_nothing(lab: Lab, needs: Needs) -> None:
    needs(1)
    outputs = lab.create(waitFor="none")
    lab.client.state.teardown(CLUSTER, lab.name)
    assert lab.read(outputs) is None


def test_without_drift_inputs_and_outputs_are_what_they_were(lab: Lab, needs: Needs) -> None:
    needs(2)
    outputs = lab.create(
        controlPlane={"count": 1, "labels": {"a": "b"}},
        workers=[{"name": "gpu", "count": 1, "patches": [PATCH]}],
        patches=[PATCH],
        labels={"env": "test"},
        kubeconfig={"user": "ops"},
        backupBefore=["upgrade"],
        onUpgradeFailure="revert",
        onUpdate={"disconnectedMachines": "remove"},
        onDelete={"disconnectedMachines": "wait"},
    )
    found = lab.read(outputs)
    assert found is not None
    assert found.to_wire() == outputs.to_wire()


def test_drift_shows_in_the_inputs(lab: Lab, needs: Needs) -> None:
    needs(3)
    wanted = {"workers": 2, "patches": [PATCH], "labels": {"env": "test"}, "waitFor": "none"}
    outputs = lab.create(**wanted)
    worker = sorted(lab.machines("workers"))[0]
    lab.client.state.teardown(MACHINE_SET_NODE, worker)
    patch = next(each for each in lab.of(CONFIG_PATCH).values() if lab.mark.owns(each))
    changed = type(patch.spec)(data="machine: {}\n")
    lab.client.state.modify(CONFIG_PATCH, patch.id, lambda each: replace(each, spec=changed))

    def relabel(cluster: Resource) -> Resource:
        return replace(cluster, labels={**cluster.labels, "env": "prod"})

    lab.client.state.modify(CLUSTER, lab.name, relabel)
    found = lab.read(outputs)
    assert found is not None
    assert found.inputs["workers"] == 1
    assert found.inputs["labels"]["env"] == "prod"
    assert found.inputs["patches"][0]["inline"] == "machine: {}\n"
    repaired = lab.update(found, **wanted)
    assert repaired.inputs == outputs.inputs
    assert len(lab.machines("workers")) == 2


def test_without_a_state_everything_is_spelled_out(lab: Lab, needs: Needs) -> None:
    needs(2)
    made = lab.create(workers=1, labels={"env": "test"})
    found = lab.read()
    assert found is not None
    assert found.inputs["name"] == lab.name
    assert set(found.inputs["workers"][0]["machines"]) == lab.machines("workers")
    assert found.inputs["labels"] == {"env": "test"}
    assert found.inputs["talosVersion"] == made.inputs["talosVersion"]
    assert found.nodes == made.nodes
    assert found.ready


def test_a_key_that_is_not_accepted_is_an_error_and_not_a_missing_cluster(simulator: Simulator) -> None:
    key = simulator.issue_key("short-lived")
    client = connect(Connection(simulator.endpoint, key))
    simulator.revoke_key(key)
    with pytest.raises(AuthenticationError):
        read("any", client)
    client.close()
