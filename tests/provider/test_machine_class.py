"""A machine class in Pulumi's own provider process, with a simulated Omni behind it."""

import base64

import pytest
from pulumi.dynamic.dynamic import serialize_provider

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.resources import INFRA_PROVIDER_STATUS, MACHINE_CLASS, MACHINE_SET, Resource
from ksail_pulumi.provider.machine_class import MachineClassProvider
from ksail_pulumi.simulator.server import Simulator

DIFF_NONE = 1
URN = "urn:pulumi:dev::shop::pulumi-python:dynamic/ksail:MachineClass::big"
OWNER = "organization/shop/dev/big"
PICKLED = (
    b"\x80\x04\x95C\x00\x00\x00\x00\x00\x00\x00\x8c#ksail_pulumi.provider.machine_class\x94"
    b"\x8c\x14MachineClassProvider\x94\x93\x94)\x81\x94."
)
PROVISIONED = {
    "providerId": "talemu",
    "providerData": {"cpus": 4, "password": "p4ssw0rd-canary"},
    "kernelArgs": ["console=ttyS0"],
    "metaValues": [{"key": 10, "value": "network"}],
    "grpcTunnel": True,
}


def test_the_provider_is_pickled_by_its_import_path():
    assert base64.b64decode(serialize_provider(MachineClassProvider())) == PICKLED


@pytest.fixture
def simulator():
    with Simulator(machines=4) as omni:
        omni.store.create(
            Resource(INFRA_PROVIDER_STATUS, "talemu", INFRA_PROVIDER_STATUS.spec(), owner="InfraProviderController")
        )
        yield omni


@pytest.fixture
def client(simulator):
    found = connect(Connection(simulator.endpoint, simulator.service_account_key))
    yield found
    found.close()


@pytest.fixture
def provider(start_process, simulator):
    process = start_process(serialize_provider(MachineClassProvider()))
    process.configure({"omni:endpoint": simulator.endpoint, "omni:serviceAccountKey": simulator.service_account_key})
    return process


def inputs(**others):
    return {"name": "big", "__owner": OWNER, "__createFirst": True, "__preview": True, **others}


def stored(asked):
    return {key: value for key, value in asked.items() if key not in ("__createFirst", "__preview")}


def use(client, cluster="west"):
    """A machine set that uses the class."""
    spec = specs_pb2.MachineSetSpec()
    spec.machine_allocation.name = "big"
    labels = {"omni.sidero.dev/cluster": cluster}
    return Resource(MACHINE_SET, f"{cluster}-workers", spec, labels)


def test_a_class_lives_from_create_to_delete(provider, client):
    asked, failures = provider.check(inputs(matchLabels=["size = big"]), urn=URN)
    assert (failures, asked) == ({}, stored(inputs(matchLabels=["size = big"])))
    id_, outputs = provider.create(asked, urn=URN)
    assert id_ == "big"
    made = client.state.get(MACHINE_CLASS, "big")
    assert (list(made.spec.match_labels), made.annotations["ksail-pulumi/owner"]) == (["size = big"], OWNER)
    assert provider.diff("big", outputs, asked, urn=URN).changes == DIFF_NONE
    assert provider.read("big", outputs, urn=URN) == ("big", outputs, asked)

    more, failures = provider.check(inputs(matchLabels=["size = big", "gpu"]), asked, urn=URN)
    assert failures == {}
    assert provider.diff("big", outputs, more, urn=URN).changes == 0  # the engine finds out what
    outputs = provider.update("big", outputs, more, urn=URN)
    assert list(client.state.get(MACHINE_CLASS, "big").spec.match_labels) == ["size = big", "gpu"]

    client.state.modify(MACHINE_CLASS, "big", lambda each: _with_labels(each, ["other"]))
    _, _, drifted = provider.read("big", outputs, urn=URN)
    assert drifted["matchLabels"] == ["other"]

    provider.delete("big", outputs, urn=URN)
    assert client.state.find(MACHINE_CLASS, "big") is None
    provider.delete("big", outputs, urn=URN)
    assert provider.read("big", outputs, urn=URN) == ("", {}, {})


def _with_labels(resource, labels):
    from dataclasses import replace

    return replace(resource, spec=specs_pb2.MachineClassSpec(match_labels=labels))
