"""Several clusters of one program that take machines from one pool."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.omni.resources import CLUSTER, LABEL_CLUSTER, MACHINE_SET_NODE
from tests.e2e import server

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.simulator.server import Simulator
    from tests.e2e.project import Project

# `second` is created last: it depends on `third`, which the program declares after it, by a value that decides nothing.
PROGRAM = """\
import asyncio

import pulumi

from ksail_pulumi import OmniCluster

last = asyncio.get_event_loop().create_future()
OmniCluster("first", workers=1, wait_for="none")
OmniCluster("second", workers=1, wait_for="none", labels={"last": pulumi.Output.from_input(last)})
third = OmniCluster("third", workers=1, wait_for="none")
third.cluster_uuid.apply(lambda uuid: last.set_result("x") if not last.done() else None)
if pulumi.runtime.is_dry_run():
    last.set_result("x")
"""


@pytest.mark.sweep
def test_a_preview_names_the_machines_that_each_cluster_takes(
    project: Project, simulator: Simulator, omni: Client
) -> None:
    project.init()
    project.clusters({"first": {"control_plane": 4}, "second": {"control_plane": 4}})
    warned = project.preview().told["second"]
    assert "need 4, got 2 (unavailable: 4 reserved for cluster first in this run)" in warned

    project.program(PROGRAM)
    preview = project.preview()
    promised: dict[str, set[str]] = {
        name: set(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", preview.told[name]))
        for name in ("first", "second", "third")
    }
    assert [len(machines) for machines in promised.values()] == [2, 2, 2], preview.output
    assert len(set.union(*promised.values())) == 6, preview.output

    project.up()
    created = [entry.id for entry in simulator.store.audit if (entry.verb, entry.type) == ("create", CLUSTER.name)]
    assert created.index("third") < created.index("second")
    for name, machines in promised.items():
        assert {node.id for node in omni.state.list(MACHINE_SET_NODE, {LABEL_CLUSTER: name})} == machines
    assert set(server.uuids(omni)) == set(promised)
