"""A machine configuration in Omni: from create to delete, and what it meets there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ksail_pulumi.errors import InputError, LifecycleError
from ksail_pulumi.lifecycle.machine_config import KIND
from ksail_pulumi.lifecycle.preview import preview
from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.model.machine_config import MachineConfigInputs
from ksail_pulumi.model.parse import parse_inputs
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import Client, connect
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.ownership import MachineConfigMark, OwnershipMark
from ksail_pulumi.problems import InvalidCluster
from ksail_pulumi.simulator.server import Simulator
from tests.lifecycle.conftest import Lab

TIME = {"name": "time", "inline": {"machine": {"time": {"servers": ["time.cloudflare.com"]}}}}
ALL = {"labels": {"zone": "b"}, "patches": [TIME], "kernelArgs": ["console=ttyS0"], "installDisk": {"disk": "/dev/sdb"}}


@dataclass
class Config:
    """One machine configuration of one owner."""

    client: Client
    machine: str
    mark: OwnershipMark = field(default_factory=lambda: OwnershipMark("org/test/dev/config"))

    def spec(self, inputs: dict[str, Any]) -> MachineConfigInputs:
        return parse_inputs({"machineId": self.machine, **inputs}, MachineConfigInputs)

    def session(self) -> Session:
        return Session(self.client, Deadline.after(60))

    def create(self, inputs: dict[str, Any], *, adopt: bool = False) -> None:
        KIND.create(self.spec(inputs), self.mark, self.session(), adopt=adopt)

    def update(self, inputs: dict[str, Any], before: dict[str, Any]) -> None:
        KIND.update(self.machine, self.spec(inputs), self.spec(before), self.mark, self.session())

    def delete(self, inputs: dict[str, Any]) -> None:
        KIND.delete(self.machine, self.spec(inputs), self.mark, self.session())

    def read(self, inputs: dict[str, Any]) -> dict[str, Any] | None:
        found = KIND.read(self.machine, self.client, mark=self.mark, spec=self.spec(inputs))
        return None if found is None else {key: value for key, value in found.inputs.items() if key != "machineId"}

    def failures(
        self, inputs: dict[str, Any], before: dict[str, Any] | None = None, *, adopt: bool = False
    ) -> dict[str, str]:
        """What a preview refuses, by field."""
        had = self.spec(before) if before is not None else None
        found = KIND.preview(self.spec(inputs), had, self.mark, self.client, adopt=adopt)
        return {problem.field: problem.reason for problem in found.failures}

    def forecasts(self, inputs: dict[str, Any], before: dict[str, Any]) -> list[str]:
        found = KIND.preview(self.spec(inputs), self.spec(before), self.mark, self.client, adopt=False)
        assert found.failures == ()
        return list(found.forecasts)

    def find(self, kind: omni.ResourceType) -> Resource | None:
        return self.client.state.find(kind, self.machine)

    def patches(self) -> list[str]:
        return sorted(each.id for each in self.client.state.list(omni.CONFIG_PATCH, {omni.LABEL_MACHINE: self.machine}))

    def labels(self) -> dict[str, str]:
        found = self.find(omni.MACHINE_LABELS)
        return dict(found.labels) if found is not None else {}

    def label(self, **labels: str) -> None:
        """Set labels as somebody else does."""
        self.client.state.modify(
            omni.MACHINE_LABELS, self.machine, lambda found: replace(found, labels={**found.labels, **labels})
        )


@pytest.fixture
def config(simulator: Simulator, omni: Client) -> Config:
    return Config(omni, simulator.machines[3].id)


def test_a_configuration_lives_from_create_to_delete(config: Config) -> None:
    before = config.find(omni.MACHINE_LABELS)
    config.create(ALL)
    status = config.find(omni.MACHINE_STATUS)
    assert status is not None
    assert status.labels["zone"] == "b"  # selectors find it as soon as create has returned
    args = config.find(omni.KERNEL_ARGS)
    assert args is not None
    assert list(args.spec.args) == ["console=ttyS0"]
    # This Omni has no install disks of its own.
    assert config.patches() == [
        f"000-machine-{config.machine}-install-disk",
        f"400-machine-{config.machine}-time",
    ]
    assert config.read(ALL) == ALL
    assert config.failures(ALL, ALL) == {}

    fewer = {"labels": {"rack": "7"}, "patches": [{**TIME, "inline": "debug: true\n"}]}
    config.update(fewer, ALL)
    assert config.labels() == {"rack": "7"}
    assert config.find(omni.KERNEL_ARGS) is None
    assert config.patches() == [f"400-machine-{config.machine}-time"]
    assert config.read(fewer) == fewer

    config.delete(fewer)
    after = config.find(omni.MACHINE_LABELS)
    assert before is not None
    assert after is not None
    assert (after.labels, after.annotations) == (before.labels, before.annotations)
    assert config.patches() == []
    assert config.read(fewer) is None
    config.delete(fewer)


def test_labels_that_exist_only_for_us_go_with_us(config: Config) -> None:
    config.client.state.teardown(omni.MACHINE_LABELS, config.machine)
    config.create({"labels": {"zone": "b"}})
    config.delete({"labels": {"zone": "b"}})
    assert config.find(omni.MACHINE_LABELS) is None
    config.create({"labels": {"zone": "b"}})
    config.label(theirs="1")
    config.delete({"labels": {"zone": "b"}})
    assert config.labels() == {"theirs": "1"}


def test_labels_of_others_are_kept_and_ours_are_followed_by_a_refresh(config: Config) -> None:
    config.label(theirs="1")
    inputs = {"labels": {"zone": "b", "rack": "7"}}
    config.create(inputs)
    assert config.labels() == {"theirs": "1", "zone": "b", "rack": "7"}
    config.label(zone="c", more="2")
    assert config.read(inputs) == {"labels": {"zone": "c", "rack": "7"}}
    config.update({"labels": {"zone": "b"}}, inputs)
    assert config.labels() == {"theirs": "1", "more": "2", "zone": "b"}
    config.delete({"labels": {"zone": "b"}})
    assert config.labels() == {"theirs": "1", "more": "2"}


def test_our_labels_stay_ours_if_a_tool_drops_the_annotations(config: Config) -> None:
    inputs = {"labels": {"zone": "b"}}
    config.create(inputs)
    config.client.state.modify(omni.MACHINE_LABELS, config.machine, lambda found: replace(found, annotations={}))
    assert config.read(inputs) == inputs
    assert config.failures({"labels": {"zone": "c"}}, inputs) == {}
    config.update({"labels": {"zone": "c"}}, inputs)
    assert config.labels() == {"zone": "c"}


def test_what_others_have_set_is_refused_or_taken_over(config: Config) -> None:
    state, machine = config.client.state, config.machine
    config.label(zone="a")
    state.create(Resource(omni.KERNEL_ARGS, machine, specs_pb2.KernelArgsSpec(args=["quiet"])))
    patch = f"400-machine-{machine}-time"
    state.create(
        Resource(
            omni.CONFIG_PATCH, patch, specs_pb2.ConfigPatchSpec(data="debug: true\n"), {omni.LABEL_MACHINE: machine}
        )
    )
    inputs = {key: value for key, value in ALL.items() if key != "installDisk"}
    refused = config.failures(inputs)
    assert refused.keys() == {"labels.zone", "patches", "kernelArgs"}
    for reason in refused.values():
        assert f"opts=pulumi.ResourceOptions(import_='{machine}')" in reason
    with pytest.raises(InvalidCluster, match="this resource has not"):
        config.create(inputs)
    assert config.labels() == {"zone": "a"}

    taken = KIND.preview(config.spec(inputs), None, config.mark, config.client, adopt=True)
    name = omni.machine_name(state.get(omni.MACHINE_STATUS, machine))
    assert (taken.failures, taken.forecasts) == (
        (),
        (
            f"patch {patch} is taken over, and changed",
            f"list of kernel arguments {machine} is taken over, and changed",
            f"these labels of machine {name} are taken over: zone",
        ),
    )
    config.create(inputs, adopt=True)
    assert config.read(inputs) == inputs
    config.delete(inputs)
    assert (config.labels(), config.patches(), config.find(omni.KERNEL_ARGS)) == ({}, [], None)


def test_a_machine_has_one_configuration(config: Config) -> None:
    config.create({"labels": {"zone": "b"}})
    other = replace(config, mark=OwnershipMark("org/test/dev/other"))
    refused = other.failures({"patches": [TIME]})
    assert refused.keys() == {"machineId"}
    assert "the Pulumi resource org/test/dev/config" in refused["machineId"]
    other.create({"patches": [TIME]}, adopt=True)
    assert (config.labels(), config.patches()) == ({}, [f"400-machine-{config.machine}-time"])
    assert config.read({"labels": {"zone": "b"}}) is None


def test_a_create_that_was_interrupted_is_continued(config: Config) -> None:
    config.create(ALL)
    config.create({"labels": {"zone": "b"}, "patches": [{**TIME, "name": "ntp"}]})
    assert (config.patches(), config.find(omni.KERNEL_ARGS)) == ([f"400-machine-{config.machine}-ntp"], None)


def test_an_unknown_machine_is_refused(config: Config) -> None:
    unknown = replace(config, machine="00000000-0000-4000-8000-000000000000")
    refused = unknown.failures({"labels": {"zone": "b"}})
    assert refused == {
        "machineId": 'machine "00000000-0000-4000-8000-000000000000" is not in this Omni: register it first, or '
        "correct the ID"
    }
    with pytest.raises(InvalidCluster, match="is not in this Omni"):
        unknown.create({"labels": {"zone": "b"}})


def test_a_patch_that_omni_refuses_is_refused_by_the_preview(config: Config) -> None:
    refused = config.failures({"patches": [{"name": "a", "inline": "machine: {unknown: 1}\n"}]})
    assert refused.keys() == {"patches[0].inline"}


def test_an_omni_with_install_disks_gets_one() -> None:
    with Simulator(machines=2, speed="fast", api_version=3) as simulator:
        client = connect(Connection(simulator.endpoint, simulator.service_account_key))
        config = Config(client, simulator.machines[0].id)
        inputs = {"installDisk": {"diskSelector": "disk.size > 100u * GB"}}
        config.create(inputs)
        disk = config.find(omni.MACHINE_INSTALL_DISK_CONFIG)
        assert disk is not None
        assert disk.spec.disk_selector == "disk.size > 100u * GB"
        assert config.read(inputs) == inputs
        overriding = {"patches": [{"name": "a", "inline": {"machine": {"install": {"disk": "/dev/sda"}}}}]}
        assert "use installDisk" in config.failures(overriding)["patches[0].inline"]
        config.delete(inputs)
        assert config.find(omni.MACHINE_INSTALL_DISK_CONFIG) is None
        client.close()


def test_an_omni_without_disk_selectors_refuses_one(config: Config) -> None:
    refused = config.failures({"installDisk": {"diskSelector": "disk.size > 100u * GB"}})
    assert "name the disk with installDisk.disk" in refused["installDisk.diskSelector"]


def test_a_cluster_gets_machines_by_labels_and_keeps_what_a_configuration_has_set(
    config: Config, lab: Lab, needs: Callable[[int], list[str]]
) -> None:
    needs(2)
    config = replace(config, mark=lab.mark)  # the resources of both may have the same name
    config.create(ALL)
    inputs: dict[str, Any] = {"controlPlane": {"count": 1, "selector": "zone = b"}, "ownership": "exclusive"}
    first = lab.create(**inputs)
    assert lab.machines("control-planes") == {config.machine}
    refreshed = lab.read(first)
    assert refreshed is not None
    assert refreshed.inputs == first.inputs  # a refresh shows nothing of the configuration
    inputs["workers"] = 1
    second = lab.update(first, **inputs)
    adopted = lab.create(adopt=True, **inputs)
    assert config.read(ALL) == ALL

    (worker,) = lab.machines("workers")
    on_worker = replace(config, machine=worker, mark=OwnershipMark("org/test/dev/worker"))
    on_worker.create({"patches": [TIME], "kernelArgs": ["quiet"]})
    lab.update(adopted, **{**inputs, "workers": 0})
    assert second.name == lab.name
    assert on_worker.read({"patches": [TIME], "kernelArgs": ["quiet"]}) is not None
    lab.delete()
    assert config.read(ALL) == ALL


def test_a_field_is_set_by_a_cluster_or_by_a_configuration(config: Config, lab: Lab) -> None:
    fields = {"patches": [TIME], "kernelArgs": ["quiet"], "install": {"disk": "/dev/sda"}}
    inputs = {"controlPlane": {"machines": [config.machine]}, "machines": {config.machine: fields}}
    config.create(ALL)
    found = preview(lab.spec(**inputs), None, lab.mark, lab.client)
    by_field = {problem.path[-1]: problem.reason for problem in found.failures}
    assert by_field.keys() == {"patches", "kernelArgs", "install"}
    assert all("set by the MachineConfig org/test/dev/config" in reason for reason in by_field.values())
    with pytest.raises(InvalidCluster, match="set by the MachineConfig"):
        lab.create(**inputs)
    config.delete(ALL)

    lab.create(**inputs)
    refused = config.failures(ALL, adopt=True)
    assert refused.keys() == {"patches", "kernelArgs", "installDisk"}
    assert all(f"set by cluster '{lab.name}'" in reason for reason in refused.values())
    assert config.failures({"labels": {"zone": "b"}}) == {}


def test_a_preview_says_what_a_change_means_for_a_machine_in_a_cluster(config: Config, lab: Lab) -> None:
    before = {"labels": {"zone": "b"}, "patches": [TIME]}
    config.create(before)
    lab.create(controlPlane={"machines": [config.machine]})
    name = omni.machine_name(config.client.state.get(omni.MACHINE_STATUS, config.machine))
    assert config.forecasts({"labels": {"zone": "b"}, "kernelArgs": ["quiet"]}, before) == [
        f"adds the kernel arguments of {name}; it reboots",
        f"removes patch 400-machine-{config.machine}-time from {name}; it reboots if Talos requires it",
        f"machine {name} is in cluster {lab.name}; `up` does not wait for it",
    ]
    assert config.forecasts({"labels": {"zone": "c"}, "patches": [TIME]}, before) == []


def test_a_preview_says_that_a_locked_machine_gets_a_change_later(
    config: Config, lab: Lab, needs: Callable[[int], list[str]]
) -> None:
    control_plane = next(each for each in needs(2) if each != config.machine)
    before = {"labels": {"zone": "b"}}
    config.create(before)
    workers = [{"machines": [config.machine]}]
    machines = {config.machine: {"locked": True}}
    lab.create(controlPlane={"machines": [control_plane]}, workers=workers, machines=machines)
    *_, last = config.forecasts({**before, "patches": [TIME]}, before)
    assert last.endswith("is locked: it will not be updated until it is unlocked")


def test_a_patch_of_another_machine_is_left_alone(config: Config, simulator: Simulator) -> None:
    inputs = {"patches": [{"idOverride": "mine", "inline": "debug: true\n"}]}
    config.create(inputs)
    other = replace(config, machine=simulator.machines[4].id, mark=OwnershipMark("org/test/dev/other"))
    assert other.failures(inputs) == {"patches": "patch mine exists for another machine: use another ID"}
    other.delete(inputs)
    assert config.patches() == ["mine"]


def test_a_patch_with_an_id_of_the_user_moves_along_to_another_machine(
    config: Config, lab: Lab, simulator: Simulator
) -> None:
    inputs = {"labels": {"zone": "b"}, "patches": [{"idOverride": "mine", "inline": "debug: true\n"}]}
    config.create(inputs)
    there = replace(config, machine=simulator.machines[4].id)
    lab.create(controlPlane={"machines": [there.machine]})
    name = omni.machine_name(config.client.state.get(omni.MACHINE_STATUS, there.machine))
    found = KIND.preview(there.spec(inputs), None, there.mark, there.client, adopt=False)
    assert found.failures == ()
    assert found.forecasts[0] == f"adds patch mine to {name}; it reboots if Talos requires it"
    there.create(inputs)
    config.delete(inputs)
    assert (there.read(inputs), there.patches(), there.labels()) == (inputs, ["mine"], {"zone": "b"})
    assert (config.read(inputs), config.patches(), config.labels()) == (None, [], {})


def test_what_someone_takes_over_before_it_is_removed_stays(config: Config, simulator: Simulator) -> None:
    before = {"labels": {"zone": "b"}, "patches": [TIME, {**TIME, "name": "ntp"}], "kernelArgs": ["quiet"]}
    config.create(before)
    marks = MachineConfigMark("org/test/dev/other").annotations()

    def take_over(when: str, write: Any) -> None:
        """While the kernel arguments are written."""
        if (when, write.type) == ("before", omni.KERNEL_ARGS.name):
            found = simulator.store.find(omni.CONFIG_PATCH, f"401-machine-{config.machine}-ntp")
            assert found is not None
            simulator.store.update(replace(found, annotations={**found.annotations, **marks}))

    simulator.faults.on_write(take_over)
    config.update({"labels": {"zone": "b"}, "kernelArgs": ["loud"]}, before)
    assert config.patches() == [f"401-machine-{config.machine}-ntp"]


def test_labels_that_someone_adds_before_ours_are_removed_stay(config: Config, simulator: Simulator) -> None:
    config.client.state.teardown(omni.MACHINE_LABELS, config.machine)
    before = {"labels": {"zone": "b"}}
    config.create(before)

    def add(when: str, write: Any) -> None:
        if (when, write.type) == ("before", omni.KERNEL_ARGS.name):
            found = simulator.store.find(omni.MACHINE_LABELS, config.machine)
            assert found is not None
            simulator.store.update(replace(found, labels={**found.labels, "theirs": "1"}))

    simulator.faults.on_write(add)
    config.update({"kernelArgs": ["quiet"]}, before)
    assert config.labels() == {"theirs": "1"}


def test_a_new_owner_name_is_written(config: Config) -> None:
    config.create(ALL)
    renamed = replace(config, mark=OwnershipMark("org/test/dev/renamed", frozenset({config.mark.owner})))
    renamed.update(ALL, ALL)
    only_new = replace(config, mark=OwnershipMark("org/test/dev/renamed"))
    assert only_new.read(ALL) == ALL
    assert config.read(ALL) is None


def test_a_resource_that_someone_creates_in_the_meantime_is_not_overwritten(
    config: Config, simulator: Simulator
) -> None:
    made = Resource(omni.KERNEL_ARGS, config.machine, specs_pb2.KernelArgsSpec(args=["theirs"]))

    def first(when: str, write: Any) -> None:
        if (when, write.type) == ("before", omni.KERNEL_ARGS.name) and not simulator.store.list(omni.KERNEL_ARGS):
            simulator.store.create(made)

    simulator.faults.on_write(first)
    with pytest.raises(LifecycleError, match="created by someone else in the meantime"):
        config.create({"kernelArgs": ["ours"]})


def test_a_patch_of_a_cluster_is_not_taken_over(lab: Lab) -> None:
    patch = {"idOverride": "400-shared", "inline": {"machine": {"network": {"hostname": "x"}}}}
    lab.create(patches=[patch], waitFor="none")
    config = Config(lab.client, sorted(lab.available())[0])
    with pytest.raises(InputError, match="patch 400-shared exists for a cluster: use another ID"):
        config.create({"patches": [{"idOverride": "400-shared", "inline": {"debug": True}}]}, adopt=True)
    assert "hostname: x" in lab.client.state.get(omni.CONFIG_PATCH, "400-shared").spec.data
