"""Resources other than clusters in the real `pulumi` command."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import ETCD_BACKUP, LABEL_CLUSTER, MACHINE_CLASS, MACHINE_SET_NODE

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.simulator.server import Simulator
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

    @pytest.mark.sweep
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

    def test_a_cluster_that_does_not_wait_for_its_class_is_warned_of(self, project: Project) -> None:
        project.program(CLASS.replace('"name": small.name', '"name": "small"'))
        project.clusters({"labels": ["!gpu"], "size": 1})  # type: ignore[dict-item]
        told = project.preview().told["west"]
        assert "machine class small does not exist yet, and the cluster does not wait for it" in told

    def test_a_class_that_exists_nowhere_is_refused(self, project: Project) -> None:
        project.program(CLASS.replace('"name": small.name', '"name": "smal"'))
        project.clusters({"labels": ["!gpu"], "size": 1})  # type: ignore[dict-item]
        assert 'machine class with name "smal" doesn\'t exist' in project.preview(fails=True).output


FUNCTIONS = """\
import json
from pathlib import Path

import pulumi

import ksail_pulumi

asked = json.loads(Path("dev.json").read_text())
small = ksail_pulumi.MachineClass("small", match_labels=["!gpu"])
free = ksail_pulumi.list_machines_output(selector=small.id.apply(lambda _: "available"))
pulumi.export("free", free.apply(lambda machines: len(machines)))
pulumi.export("classes", ksail_pulumi.get_machine_classes())
if "cluster" in asked:
    pulumi.export("cluster", ksail_pulumi.get_cluster_output(asked["cluster"]))
"""


class TestFunctions:
    @pytest.mark.sweep
    def test_read_while_the_program_runs_and_wait_for_their_inputs(
        self, project: Project, free_machines: list[str]
    ) -> None:
        project.program(FUNCTIONS)
        project.init()
        project.clusters({})
        assert "free   : [unknown]" in project.preview().output
        project.up()
        project.up()
        outputs = project.outputs()
        assert outputs["free"] == len(free_machines)
        assert "small" in [each["name"] for each in outputs["classes"]]

        project.clusters({"cluster": "nobody"})  # type: ignore[dict-item]
        told = project.preview(fails=True).output
        assert "error: cluster not found: nobody" in told
        assert "Traceback" not in told


def _changed(resource: Resource) -> Resource:
    return replace(resource, spec=specs_pb2.MachineClassSpec(match_labels=["!gpu"]))


BACKUP = """\
import json
from pathlib import Path

from ksail_pulumi import EtcdBackup, OmniCluster
import pulumi

asked = json.loads(Path("dev.json").read_text())
west = OmniCluster("west", labels=asked["labels"])
backup = EtcdBackup("nightly", cluster=west.name, triggers={"release": asked["release"]})
pulumi.export("id", backup.id)
pulumi.export("snapshot", backup.snapshot)
"""


class TestABackupOfEtcd:
    @pytest.mark.sweep
    def test_lives_from_preview_to_destroy(self, project: Project, simulator: Simulator, omni: Client) -> None:
        def backups() -> list[str]:
            return sorted(each.spec.snapshot for each in omni.state.list(ETCD_BACKUP, {LABEL_CLUSTER: "west"}))

        def asks(release: str, **labels: str) -> None:
            project.clusters({"release": release, "labels": labels})  # type: ignore[dict-item]

        project.program(BACKUP)
        project.init()
        asks("1")
        assert "it must exist before the backup is taken" in project.preview().told["nightly"]
        project.up()
        assert backups() == [project.outputs()["snapshot"]]
        project.preview("--expect-no-changes")

        asks("1", tier="gold")
        assert project.preview().changes == {"update": 1, "unchanged": 5}, "a change of the cluster takes no backup"
        asks("2")
        preview = project.preview()
        assert preview.changes == {"replace": 1, "unchanged": 5}, preview.output
        assert "a backup of etcd of cluster west is taken" in preview.told["nightly"]
        up = project.up()
        assert up.changes == {"replaced": 1, "unchanged": 5}, up.output
        assert len(backups()) == 2
        assert project.outputs()["snapshot"] == backups()[0], "names of backups count backwards"

        gone = project.outputs()["id"]
        simulator.store.destroy(ETCD_BACKUP, gone, owner="EtcdBackupController")
        assert "no longer exists in Omni" in project.refresh().told["nightly"]
        assert project.up().changes == {"created": 1, "unchanged": 5}
        assert len(backups()) == 2
        project.destroy()
        assert len(simulator.store.list(ETCD_BACKUP)) == 2
