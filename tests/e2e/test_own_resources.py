"""Resources other than clusters in the real `pulumi` command."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import MACHINE_CLASS, MACHINE_SET_NODE

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource
    from tests.e2e.project import Project

CLASS = """\
import json
from pathlib import Path

import pulumi

from ksail_pulumi import MachineClass, OmniCluster

asked = json.loads(Path("dev.json").read_text())
small = MachineClass("small", match_labels=asked["labels"])
if "size" in asked:
    OmniCluster("west", control_plane={"machine_class": {"name": small.name, "size": asked["size"]}})
pulumi.export("name", small.name)
"""


class TestAMachineClassAndAClusterThatUsesIt:
    @pytest.fixture(autouse=True)
    def _program(self, project: Project) -> None:
        project.program(CLASS)
        project.init()

    def test_live_from_preview_to_destroy(self, project: Project, omni: Client) -> None:
        project.clusters({"labels": ["!gpu"], "size": 1})  # type: ignore[dict-item]
        project.preview()
        project.up()
        assert len(omni.state.list(MACHINE_SET_NODE)) == 1
        project.preview("--expect-no-changes")

        project.clusters({"labels": ["!gpu", "size = big"], "size": 1})  # type: ignore[dict-item]
        assert project.up().changes == {"updated": 1, "unchanged": 5}
        omni.state.modify(MACHINE_CLASS, "small", _changed)
        refreshed = project.refresh("--diff")
        assert "matchLabels" in refreshed.output
        assert project.up().changes == {"updated": 1, "unchanged": 5}

        project.destroy()
        assert omni.state.find(MACHINE_CLASS, "small") is None


def _changed(resource: Resource) -> Resource:
    return replace(resource, spec=specs_pb2.MachineClassSpec(match_labels=["!gpu"]))
