"""A cluster that KSail made is taken over, and is then changed like any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ksail_pulumi.formats.ksail.read import load_ksail
from ksail_pulumi.lifecycle.outputs import ClusterOutputs
from ksail_pulumi.lifecycle.preview import preview
from ksail_pulumi.omni.api.specs_pb2 import ConfigPatchSpec
from ksail_pulumi.omni.resources import CONFIG_PATCH, LABEL_CLUSTER_MACHINE, LABEL_MACHINE_SET
from ksail_pulumi.simulator.server import Simulator
from tests.ksail_made import PATCHES, create_with_ksail, write_project
from tests.published import fill_cache

from .conftest import Lab

Needs = Callable[[int], list[str]]
SYSCTLS = "cluster/sysctls.yaml"


@pytest.fixture(autouse=True)
def manifests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_cache(tmp_path / "cache", monkeypatch)


@dataclass
class Takeover:
    """A KSail project and its cluster, which KSail has just made."""

    lab: Lab
    folder: Path
    machines: list[str]

    def inputs(self, **more: Any) -> dict[str, Any]:
        """The inputs that `from_ksail` makes of the project; where nothing is said about waiting, there is none."""
        return {**load_ksail(self.folder / "ksail.yaml", {}).spec, "waitFor": "none", **more}

    def write(self, place: str, text: str) -> None:
        (self.folder / "talos" / place).write_text(text)

    def forecasts(self, **more: Any) -> list[str]:
        found = preview(self.lab.spec(**self.inputs(**more)), None, self.lab.mark, self.lab.client, adopt=True)
        assert found.failures == ()
        return list(found.forecasts)

    def create(self, **more: Any) -> ClusterOutputs:
        return self.lab.create(adopt=True, **self.inputs(**more))

    def update(self, outputs: ClusterOutputs, **more: Any) -> ClusterOutputs:
        return self.lab.update(outputs, **self.inputs(**more))

    def sees_no_drift(self, outputs: ClusterOutputs) -> bool:
        read = self.lab.read(outputs)
        assert read is not None
        return read.inputs == outputs.inputs

    def patches(self) -> dict[str, str]:
        """The text of every patch, by ID."""
        return {each.id: each.spec.data for each in self.lab.of(CONFIG_PATCH).values()}

    def somaxconn(self) -> str:
        """What the machines get, once Omni has merged the patches of the cluster: by ID, and a later one wins."""
        found = ""
        for patch in sorted(self.lab.of(CONFIG_PATCH).values(), key=lambda each: each.id):
            if not patch.labels.keys() & {LABEL_MACHINE_SET, LABEL_CLUSTER_MACHINE}:
                machine = yaml.safe_load(patch.spec.data).get("machine", {})
                found = machine.get("sysctls", {}).get("net.core.somaxconn", found)
        return found


@pytest.fixture
def ksail(lab: Lab, needs: Needs, tmp_path: Path) -> Takeover:
    machines = needs(2)[:2]
    write_project(tmp_path, lab.name, machines)
    create_with_ksail(lab.client, tmp_path, lab.name, machines)
    return Takeover(lab, tmp_path, machines)


def test_the_patches_of_the_program_keep_their_numbers_and_their_layout(ksail: Takeover, simulator: Simulator) -> None:
    name = ksail.lab.name
    before = ksail.patches()
    assert sorted(before) == [
        f"200-cluster-{name}-kubelet-cert-rotation",
        f"201-cluster-{name}-kubelet-csr-approver",
        f"202-cluster-{name}-sysctls",
        f"400-{name}-workers-labels",
    ]
    assert before[f"202-cluster-{name}-sysctls"] != PATCHES[SYSCTLS]

    forecasts = ksail.forecasts(addons={})
    outputs = ksail.create(addons={})

    assert ksail.patches() == before
    assert forecasts == [
        f"cluster {name} exists and is taken over",
        f"patch 201-cluster-{name}-kubelet-csr-approver is not in this program and stays: it wins over "
        f"200-cluster-{name}-kubelet-cert-rotation and loses to 202-cluster-{name}-sysctls, 400-{name}-workers-labels",
        'to remove what stays, set ownership="exclusive" or delete it in Omni',
    ]
    owned = {each.id for each in ksail.lab.of(CONFIG_PATCH).values() if ksail.lab.mark.owns(each)}
    assert owned == before.keys() - {f"201-cluster-{name}-kubelet-csr-approver"}
    assert ksail.sees_no_drift(outputs)
    written = len(simulator.store.audit)
    seen = {"nodes": [], "phase": "", "ready": False}  # the machines come up meanwhile
    assert {**ksail.update(outputs, addons={}).to_wire(), **seen} == {**outputs.to_wire(), **seen}
    assert simulator.store.audit[written:] == []


def test_a_takeover_reboots_no_machine_and_configures_none_again(ksail: Takeover, simulator: Simulator) -> None:
    def configured() -> list[Any]:
        found = [simulator.machines[each] for each in ksail.machines]
        return [(each.boots, each.config and each.config.digest, each.stage) for each in found]

    other = Lab(ksail.lab.client, ksail.lab.name)
    other.create(adopt=True, **ksail.inputs(addons={}, waitFor="ready"))
    before = configured()

    ksail.create(addons={}, waitFor="ready")

    assert configured() == before


def test_a_component_is_added_beside_what_stays(ksail: Takeover) -> None:
    name = ksail.lab.name

    (added, approver) = [line for line in ksail.forecasts() if "metrics-server" in line or "approver" in line]
    ksail.create()

    assert added.startswith("adds metrics-server 0.9.0:")
    assert approver.startswith(
        f"patch 201-cluster-{name}-kubelet-csr-approver is not in this program and stays: it wins over "
        f"100-cluster-{name}-component-metrics-server, 200-cluster-{name}-kubelet-cert-rotation and loses to "
    )
    assert {f"100-cluster-{name}-component-metrics-server", f"201-cluster-{name}-kubelet-csr-approver"} <= (
        ksail.patches().keys()
    )


def test_a_later_change_wins(ksail: Takeover) -> None:
    outputs = ksail.create()
    ksail.write(SYSCTLS, PATCHES[SYSCTLS].replace("1024", "4096"))

    outputs = ksail.update(outputs)

    assert ksail.somaxconn() == "4096"
    assert [each for each in ksail.patches() if each.endswith("-sysctls")] == [f"202-cluster-{ksail.lab.name}-sysctls"]
    assert ksail.sees_no_drift(outputs)


def test_a_change_by_hand_shows_and_is_taken_back(ksail: Takeover) -> None:
    outputs = ksail.create()
    resource_id = f"202-cluster-{ksail.lab.name}-sysctls"
    patch = ksail.lab.of(CONFIG_PATCH)[resource_id]
    by_hand = ConfigPatchSpec(data=patch.spec.data.replace("1024", "77"))
    ksail.lab.client.state.update(replace(patch, spec=by_hand))

    read = ksail.lab.read(outputs)
    assert read is not None
    inline = next(each["inline"] for each in read.inputs["patches"] if each["name"] == "sysctls")
    assert "77" in str(inline)
    ksail.update(read)

    assert ksail.somaxconn() == "1024"


def test_patches_that_are_added_come_where_the_program_has_them(ksail: Takeover) -> None:
    name = ksail.lab.name
    outputs = ksail.create(addons={})
    for added, value in (("a", "1"), ("b", "2"), ("z", "26")):
        ksail.write(f"cluster/{added}.yaml", PATCHES[SYSCTLS].replace("1024", value))

    outputs = ksail.update(outputs, addons={})

    assert [each for each in sorted(ksail.patches()) if "cluster" in each] == [
        f"200-cluster-{name}-a",
        f"201-cluster-{name}-b",
        f"201-cluster-{name}-kubelet-csr-approver",
        f"202-cluster-{name}-kubelet-cert-rotation",
        f"202-cluster-{name}-sysctls",
        f"204-cluster-{name}-z",
    ]
    assert ksail.somaxconn() == "26"
    assert ksail.sees_no_drift(outputs)


def test_a_patch_that_goes_from_the_program_goes(ksail: Takeover) -> None:
    outputs = ksail.create()
    (ksail.folder / "talos" / SYSCTLS).unlink()

    outputs = ksail.update(outputs)

    assert ksail.somaxconn() == ""
    assert ksail.sees_no_drift(outputs)


def test_with_exclusive_ownership_nothing_of_ksail_stays(ksail: Takeover) -> None:
    name = ksail.lab.name

    outputs = ksail.create(ownership="exclusive")

    assert sorted(ksail.patches()) == [
        f"100-cluster-{name}-component-metrics-server",
        f"200-cluster-{name}-kubelet-cert-rotation",
        f"202-cluster-{name}-sysctls",
        f"400-{name}-workers-labels",
    ]
    assert ksail.sees_no_drift(outputs)


def test_what_ksail_writes_beside_ours_later_shows_and_goes(ksail: Takeover) -> None:
    """Somebody runs KSail once more: it knows nothing of the takeover, and numbers its patches anew."""
    name = ksail.lab.name
    outputs = ksail.create()
    patch = ksail.lab.of(CONFIG_PATCH)[f"202-cluster-{name}-sysctls"]
    again = replace(
        patch,
        id=f"205-cluster-{name}-sysctls",
        spec=ConfigPatchSpec(data=patch.spec.data.replace("1024", "5")),
        annotations={"name": "sysctls"},
        version=0,
    )
    ksail.lab.client.state.create(again)
    assert ksail.somaxconn() == "5"

    read = ksail.lab.read(outputs)
    assert read is not None
    assert [each for each in read.inputs["patches"] if each.get("idOverride") == again.id]
    ksail.update(read)

    assert ksail.somaxconn() == "1024"
    assert again.id not in ksail.patches()
