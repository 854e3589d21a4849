"""Settings of machines, and a cluster that finds the machines by them, in the real `pulumi` command."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.omni.resources import KERNEL_ARGS, MACHINE_LABELS, MACHINE_SET_NODE

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource
    from tests.e2e.project import Project

PROGRAM = """\
import json
from pathlib import Path

import pulumi

from ksail_pulumi import MachineConfig, OmniCluster

asked = json.loads(Path("dev.json").read_text())
config = MachineConfig("rack", **asked["config"])
if "cluster" in asked:
    OmniCluster("west", **asked["cluster"], opts=pulumi.ResourceOptions(depends_on=[config]))
pulumi.export("labels", config.labels)
"""


class TestAMachineAndAClusterThatFindsItByItsLabels:
    @pytest.fixture(autouse=True)
    def _program(self, project: Project) -> None:
        project.program(PROGRAM)
        project.init()

    @pytest.mark.sweep
    def test_live_from_preview_to_destroy(self, project: Project, omni: Client, free_machines: list[str]) -> None:
        machine = free_machines[-1]
        (project.folder / "time.yaml").write_text("machine:\n  time:\n    servers: [time.cloudflare.com]\n")
        config = {"machine_id": machine.upper(), "labels": {"zone": "b"}, "patches": [{"file": "time.yaml"}]}
        cluster = {"control_plane": {"selector": "zone = b"}, "ownership": "exclusive"}
        project.clusters({"config": config, "cluster": cluster})
        assert re.search(rf"west-control-planes gets (\S+ \()?{machine}", project.preview().told["west"])
        project.up()
        assert [node.id for node in omni.state.list(MACHINE_SET_NODE)] == [machine]
        project.preview("--expect-no-changes")
        assert project.refresh().changes == {"unchanged": 6}

        project.clusters({"config": {**config, "kernel_args": ["quiet"]}, "cluster": cluster})
        assert "adds the kernel arguments of" in project.preview().told["rack"]
        assert project.up().changes == {"updated": 1, "unchanged": 5}
        omni.state.modify(MACHINE_LABELS, machine, lambda found: _labelled(found, zone="c", theirs="1"))
        refreshed = " ".join(project.refresh("--diff").output.split())
        assert 'zone: "b" => "c"' in refreshed
        assert "theirs" not in refreshed
        assert project.up().changes == {"updated": 1, "unchanged": 5}
        assert omni.state.get(MACHINE_LABELS, machine).labels == {"zone": "b", "theirs": "1"}

        project.destroy()
        assert omni.state.get(MACHINE_LABELS, machine).labels == {"theirs": "1"}
        assert omni.state.find(KERNEL_ARGS, machine) is None

    def test_the_first_preview_refuses_a_field_that_the_cluster_sets_too(
        self, project: Project, free_machines: list[str]
    ) -> None:
        machine = free_machines[0]
        described = {machine: {"kernel_args": ["quiet"]}}
        cluster = {"control_plane": {"machines": [machine]}, "machines": described}
        project.clusters({"config": {"machine_id": machine, "kernel_args": ["quiet"]}, "cluster": cluster})
        output = " ".join(project.preview(fails=True).output.split())
        assert f"the kernel arguments of machine {machine} are set by the resource" in output
        assert "Traceback" not in output

    @pytest.mark.sweep
    def test_secrets_are_stored_encrypted_and_never_shown(
        self, project: Project, omni: Client, free_machines: list[str]
    ) -> None:
        """The values are put together in the program, whose text is stored too."""
        secrets = {"labels": "zone", "kernel_args": "arg", "patches": "patch"}
        given = {
            "labels": '{"a": hidden("zone")}',
            "kernel_args": '[hidden("arg")]',
            "patches": '[{"name": "a", "inline": {"machine": {"sysctls": {"a.b": hidden("patch")}}}}]',
        }
        hidden = 'hidden = lambda name: pulumi.Output.secret(f"canary-{name}-3141")\n'
        inputs = ", ".join(f"{name}={text}" for name, text in given.items())
        config = f"config = MachineConfig('rack', machine_id={free_machines[0]!r}, {inputs})"
        project.program(PROGRAM.replace('config = MachineConfig("rack", **asked["config"])', hidden + config))
        project.clusters({})
        project.preview()
        project.up()
        assert omni.state.get(MACHINE_LABELS, free_machines[0]).labels == {"a": "canary-zone-3141"}
        project.refresh("--diff")
        stored = project.stored_text()
        assert not [name for name in secrets.values() if f"canary-{name}-3141" in stored]
        project.destroy()


def _labelled(found: Resource, **labels: str) -> Resource:
    return replace(found, labels={**found.labels, **labels})
