"""A refresh says who has changed the cluster, where Omni's audit log can be read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ksail_pulumi.lifecycle.attribution import SECONDS
from ksail_pulumi.lifecycle.outputs import ClusterOutputs
from ksail_pulumi.lifecycle.read import read
from ksail_pulumi.omni.api import management_pb2, specs_pb2
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import Client, connect
from ksail_pulumi.omni.resources import (
    ANNOTATION_CLUSTER_LOCKED,
    CLUSTER,
    CONFIG_PATCH,
    LABEL_CLUSTER,
    MACHINE_SET_NODE,
    Resource,
)
from ksail_pulumi.simulator.server import Simulator
from tests.simulator.conftest import Caller

from .conftest import Lab

PATCH = {"name": "sysctl", "inline": "machine:\n  sysctls:\n    a: '1'\n"}
SECRET = "machine:\n  sysctls:\n    a: hunter2\n"


@pytest.fixture
def somebody(simulator: Simulator) -> Iterator[Client]:
    """A colleague."""
    client = connect(Connection(simulator.endpoint, simulator.issue_key("colleague", role="Operator")))
    yield client
    client.close()


def refresh(lab: Lab, outputs: ClusterOutputs, client: Client | None = None) -> list[str]:
    told: list[str] = []
    found = read(lab.name, client or lab.client, identity=lab.identity(), old=outputs.to_wire(), inform=told.append)
    assert found is not None
    return told


def change_patch(lab: Lab, client: Client, text: str = SECRET) -> str:
    (patch,) = (each for each in lab.of(CONFIG_PATCH).values() if lab.mark.owns(each))
    changed = specs_pb2.ConfigPatchSpec(data=text)
    client.state.modify(CONFIG_PATCH, patch.id, lambda each: replace(each, spec=changed))
    return patch.id


def test_the_newest_change_of_each_drifted_resource_is_attributed(lab: Lab, somebody: Client) -> None:
    outputs = lab.create(workers=3, patches=[PATCH])
    assert refresh(lab, outputs) == []
    change_patch(lab, somebody, "machine: {}\n")
    patch = change_patch(lab, somebody)
    gone = sorted(lab.machines("workers"))[:2]
    for machine in gone:
        somebody.state.teardown(MACHINE_SET_NODE, machine)
    spec = specs_pb2.ConfigPatchSpec(data="machine:\n  sysctls:\n    z: '1'\n")
    somebody.state.create(Resource(CONFIG_PATCH, f"900-{lab.name}", spec, {LABEL_CLUSTER: lab.name}))

    (line,) = refresh(lab, outputs)
    who = "colleague@serviceaccount.omni.sidero.dev"
    assert line.startswith(f"Omni's audit log: {who} changed patch {patch} on 20")
    assert f"; {who} removed machines {', '.join(gone)} on 20" in line
    assert line.endswith(" UTC")
    assert "hunter2" not in line
    assert f"900-{lab.name}" not in line  # what others added is not an input


def test_versions_are_attributed_to_the_one_who_changed_the_cluster(lab: Lab, somebody: Client) -> None:
    outputs = lab.create(talosVersion="v1.13.7", waitFor="none")

    def newer(cluster: Resource) -> Resource:
        spec = type(cluster.spec)()
        spec.CopyFrom(cluster.spec)
        spec.talos_version = "1.13.8"
        return replace(cluster, spec=spec)

    somebody.state.modify(CLUSTER, lab.name, newer)
    (line,) = refresh(lab, outputs)
    assert f"colleague@serviceaccount.omni.sidero.dev changed cluster {lab.name} on 20" in line


def test_a_removed_patch_is_attributed_to_the_user_and_not_to_the_controller(lab: Lab, somebody: Client) -> None:
    outputs = lab.create(patches=[PATCH], waitFor="none")
    (patch,) = (each.id for each in lab.of(CONFIG_PATCH).values() if lab.mark.owns(each))
    somebody.state.teardown(CONFIG_PATCH, patch)
    while lab.client.state.find(CONFIG_PATCH, patch) is not None:  # a controller of Omni destroys it
        time.sleep(0.02)
    (line,) = refresh(lab, outputs)
    assert f"removed patch {patch} on 20" in line


def test_labels_and_locks_are_drift_that_nobody_is_blamed_for(lab: Lab, somebody: Client) -> None:
    outputs = lab.create(labels={"env": "test"}, locked=False, waitFor="none")

    def relabel(cluster: Resource) -> Resource:
        annotations = {**cluster.annotations, ANNOTATION_CLUSTER_LOCKED: ""}
        return replace(cluster, labels={**cluster.labels, "env": "prod"}, annotations=annotations)

    somebody.state.modify(CLUSTER, lab.name, relabel)
    told: list[str] = []
    found = read(lab.name, somebody, identity=lab.identity(), old=outputs.to_wire(), inform=told.append)
    assert found is not None
    assert (found.inputs["labels"], found.inputs["locked"]) == ({"env": "prod"}, True)
    assert told == []


def test_our_own_writes_and_those_of_controllers_are_not_attributed(lab: Lab, simulator: Simulator) -> None:
    outputs = lab.create(patches=[PATCH], waitFor="none")
    patch = change_patch(lab, lab.client)
    assert refresh(lab, outputs) == []
    spec = specs_pb2.ConfigPatchSpec(data=SECRET + "    b: '1'\n")
    simulator.store.edit(CONFIG_PATCH, patch, lambda each: replace(each, spec=spec))
    assert refresh(lab, outputs) == []


@pytest.mark.parametrize("role", ["Operator", "Auditor"])
def test_the_role_decides_whether_the_log_is_read_and_not_whether_the_refresh_succeeds(
    lab: Lab, somebody: Client, simulator: Simulator, role: str
) -> None:
    outputs = lab.create(patches=[PATCH], waitFor="none")
    change_patch(lab, somebody)
    client = connect(Connection(simulator.endpoint, simulator.issue_key(f"our-{role}", role=role)))
    assert bool(refresh(lab, outputs, client)) == (role == "Auditor")
    client.close()


def test_a_slow_log_does_not_hold_a_refresh_up(lab: Lab, somebody: Client, simulator: Simulator) -> None:
    outputs = lab.create(patches=[PATCH], waitFor="none")
    change_patch(lab, somebody)
    identity = lab.identity()
    simulator.faults.round_trip = SECONDS + 1
    told: list[str] = []
    began = time.monotonic()
    found = read(lab.name, lab.client, identity=identity, old=outputs.to_wire(), inform=told.append)
    took = time.monotonic() - began
    simulator.faults.round_trip = 0.0
    assert found is not None
    assert told == []
    assert took < 2 * SECONDS + 3


def test_without_drift_the_log_is_not_read(lab: Lab, somebody: Client, simulator: Simulator) -> None:
    outputs = lab.create(patches=[PATCH], waitFor="none")
    auditor = connect(Connection(simulator.endpoint, simulator.issue_key(f"of-{lab.name}", role="Auditor")))
    log = Caller(simulator.endpoint, simulator.service_account_key)

    def readings() -> int:
        actor = f"of-{lab.name}@serviceaccount.omni.sidero.dev"
        return len(list(log.stream("ReadAuditLog", management_pb2.ReadAuditLogRequest(event_type=8, actor=actor))))

    assert refresh(lab, outputs, auditor) == []
    assert readings() == 0
    change_patch(lab, somebody)
    assert len(refresh(lab, outputs, auditor)) == 1
    assert readings() == 1
    auditor.close()
    log.channel.close()
