"""A machine configuration in Pulumi's own provider process, also next to a cluster of the same program."""

import base64
from dataclasses import replace

import grpc
import pytest
from pulumi.dynamic.dynamic import serialize_provider

from ksail_pulumi.omni.resources import KERNEL_ARGS, MACHINE_LABELS
from ksail_pulumi.provider.machine_config import MachineConfigProvider
from ksail_pulumi.simulator.server import Simulator
from ksail_pulumi.simulator.store import StoreError
from tests.host import properties_of, said

DIFF_NONE, DIFF_UNKNOWN = 1, 0
TYPE = "urn:pulumi:dev::shop::pulumi-python:dynamic/ksail"
URN, OTHER_URN, CLUSTER_URN = f"{TYPE}:MachineConfig::rack", f"{TYPE}:MachineConfig::desk", f"{TYPE}:OmniCluster::west"
PICKLED = (
    b"\x80\x04\x95E\x00\x00\x00\x00\x00\x00\x00\x8c$ksail_pulumi.provider.machine_config\x94"
    b"\x8c\x15MachineConfigProvider\x94\x93\x94)\x81\x94."
)


def test_the_provider_is_pickled_by_its_import_path():
    assert base64.b64decode(serialize_provider(MachineConfigProvider())) == PICKLED


@pytest.fixture
def simulator():
    with Simulator(machines=3) as omni:
        yield omni


@pytest.fixture
def machine(simulator):
    return simulator.machines[0].id


@pytest.fixture
def provider(start_configured):
    return start_configured(MachineConfigProvider())


@pytest.fixture
def check_cluster(provider, pickled):
    """Check the inputs of a cluster in the process of the machine configuration, as in a run of one program."""

    def check(**inputs):
        own, provider.provider = provider.provider, pickled
        given = {"name": "west", "__owner": "organization/shop/dev/west", "__preview": True, **inputs}
        _, failures = provider.check(given, urn=CLUSTER_URN)
        provider.provider = own
        return failures

    return check


def inputs(machine, **others):
    return {"machineId": machine, "__owner": "organization/shop/dev/rack", "__createFirst": True, **others}


def test_a_configuration_lives_from_create_to_delete(provider, client, machine):
    asked, failures = provider.check(inputs(machine, labels={"zone": "b"}, kernelArgs=["quiet"]), urn=URN)
    assert failures == {}
    id_, outputs = provider.create(asked, urn=URN)
    assert (id_, client.state.get(MACHINE_LABELS, machine).labels) == (machine, {"zone": "b"})
    assert provider.diff(id_, outputs, asked, urn=URN).changes == DIFF_NONE
    assert provider.read(id_, outputs, urn=URN) == (id_, outputs, asked)

    other, failures = provider.check(inputs(machine, labels={"zone": "c"}), asked, urn=URN)
    assert failures == {}
    assert provider.diff(id_, outputs, other, urn=URN).changes == DIFF_UNKNOWN
    outputs = provider.update(id_, outputs, other, urn=URN)
    assert client.state.get(MACHINE_LABELS, machine).labels == {"zone": "c"}
    assert client.state.find(KERNEL_ARGS, machine) is None

    provider.delete(id_, outputs, urn=URN)
    assert client.state.get(MACHINE_LABELS, machine).labels == {}
    assert provider.read(id_, outputs, urn=URN) == ("", {}, {})


def test_a_create_that_fails_halfway_is_finished_by_an_update(provider, client, simulator, machine, failed):
    asked, _ = provider.check(inputs(machine, labels={"zone": "b"}, kernelArgs=["quiet"]), urn=URN)
    refusing = [True]

    def refuse(when, write):
        if (when, write.type, refusing) == ("before", MACHINE_LABELS.name, [True]):
            raise StoreError(grpc.StatusCode.INVALID_ARGUMENT, "not today")

    simulator.faults.on_write(refuse)
    with pytest.raises(failed, match="not today") as halfway:
        provider.create(asked, urn=URN)
    saved = halfway.value.init_failed
    assert (saved.id, client.state.get(KERNEL_ARGS, machine).spec.args) == (machine, ["quiet"])
    refusing.clear()
    provider.update(machine, properties_of(saved.properties), asked, urn=URN)
    assert client.state.get(MACHINE_LABELS, machine).labels == {"zone": "b"}


def test_what_a_machine_has_can_be_read_without_a_state(provider, client, machine, failed):
    with pytest.raises(failed, match=f"machine configuration '{machine}' not found"):
        provider.read(machine, {}, urn=URN)
    client.state.modify(MACHINE_LABELS, machine, lambda found: replace(found, labels={"theirs": "1"}))
    _, outputs, _ = provider.read(machine, {}, urn=URN)
    assert outputs == {"machineId": machine, "labels": {"secret": {"theirs": "1"}}}


def test_another_machine_is_another_resource(provider, simulator, machine):
    asked, _ = provider.check(inputs(machine, labels={"zone": "b"}), urn=URN)
    id_, outputs = provider.create(asked, urn=URN)
    other = {**asked, "machineId": simulator.machines[1].id}
    assert provider.diff(id_, outputs, other, urn=URN).replaces == ["machineId"]


WRONG = [
    ({}, "at least one of labels, patches, kernelArgs and installDisk is required"),
    ({"labels": {"omni.sidero.dev/zone": "b"}}, 'prefix "omni.sidero.dev/" is reserved for internal use'),
    ({"kernelArgs": ["a" * 257]}, "kernelArgs[0]: args[0] is too long: 257 bytes (max 256)"),
    ({"installDisk": {}}, "installDisk: either disk or diskSelector must be set"),
    ({"patches": [{"inline": "debug: true"}]}, "patches[0]: either name or idOverride is required for inline patches"),
    (
        {"patches": [{"idOverride": "a", "inline": "debug: true"}] * 2},
        "patches[1].idOverride: resource ID duplicate: patches[0] has the same ID",
    ),
    ({"machineId": "rack", "labels": {"a": ""}}, 'machineId: invalid machine ID "rack": it should be a UUID'),
    (
        {"machineId": "00000000-0000-4000-8000-000000000000", "labels": {"a": ""}},
        "is not in this Omni: register it first, or correct the ID",
    ),
]


@pytest.mark.parametrize(("given", "reason"), WRONG)
def test_what_cannot_be_is_refused_by_the_check(provider, machine, given, reason):
    _, failures = provider.check({**inputs(machine), **given}, urn=URN)
    assert reason in said(failures)


def test_two_configurations_of_one_program_cannot_have_one_machine(provider, machine):
    assert provider.check(inputs(machine, labels={"a": ""}), urn=URN)[1] == {}
    _, failures = provider.check(inputs(machine, labels={"b": ""}), urn=OTHER_URN)
    assert f"{URN}' of this stack already manages machine" in said(failures)


@pytest.mark.parametrize("cluster_first", [True, False])
def test_a_cluster_and_a_configuration_of_one_program_cannot_set_the_same_field(
    provider, check_cluster, machine, cluster_first
):
    """Neither is in Omni yet."""
    cluster = {"controlPlane": {"machines": [machine]}, "machines": {machine: {"kernelArgs": ["quiet"]}}}
    config = inputs(machine, labels={"zone": "b"}, kernelArgs=["console=ttyS0"])
    if cluster_first:
        assert check_cluster(**cluster) == {}
        _, failures = provider.check(config, urn=URN)
        path, other = "kernelArgs", CLUSTER_URN
    else:
        assert provider.check(config, urn=URN)[1] == {}
        failures = check_cluster(**cluster)
        path, other = f"machines.{machine}.kernelArgs", URN
    assert said(failures).startswith(f"{path}: the kernel arguments of machine {machine} are set by the resource")
    assert other in said(failures)
    assert "remove them here, or remove them there and run `pulumi up`" in said(failures)


def test_other_fields_do_not_collide(provider, check_cluster, machine):
    cluster = {"controlPlane": {"machines": [machine]}, "machines": {machine: {"kernelArgs": ["quiet"]}}}
    assert check_cluster(**cluster) == {}
    patch = {"name": "time", "inline": "debug: true\n"}
    assert provider.check(inputs(machine, labels={"zone": "b"}, patches=[patch]), urn=URN)[1] == {}
