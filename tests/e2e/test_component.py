"""A cluster that moves into a `KSailCluster`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e import server

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from tests.e2e.project import Project

BEFORE = """\
from ksail_pulumi import OmniCluster

OmniCluster("west", wait_for="none")
"""
AFTER = """\
import pulumi

from ksail_pulumi import KSailCluster

aliases = [pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)]
KSailCluster("west", wait_for="none", cluster_opts=pulumi.ResourceOptions(aliases=aliases))
"""


@pytest.mark.sweep
def test_a_cluster_moves_into_a_component(project: Project, omni: Client) -> None:
    project.init()
    project.program(BEFORE)
    project.up()
    before = server.uuids(omni)
    project.program(AFTER)
    up = project.up()
    assert up.changes["created"] == 1, up.output
    assert not {"deleted", "replaced"} & set(up.changes), up.output
    assert server.uuids(omni) == before
    project.preview("--expect-no-changes")
