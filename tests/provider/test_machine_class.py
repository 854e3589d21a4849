"""A machine class in Pulumi's own provider process, with a simulated Omni behind it."""

import base64
from dataclasses import replace

import pytest
from pulumi.dynamic.dynamic import serialize_provider

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import INFRA_PROVIDER_STATUS, MACHINE_CLASS, MACHINE_SET, Resource
from ksail_pulumi.provider.machine_class import MachineClassProvider
from ksail_pulumi.simulator.server import Simulator
from tests.host import said

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
def provider(start_configured):
    return start_configured(MachineClassProvider())


def inputs(**others):
    return {"name": "big", "__owner": OWNER, "__createFirst": True, "__preview": True, **others}


def stored(asked):
    return {key: value for key, value in asked.items() if key not in ("__createFirst", "__preview")}


def use(cluster="west"):
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
    return replace(resource, spec=specs_pb2.MachineClassSpec(match_labels=labels))


def test_an_infra_provider_s_class_keeps_the_form_of_its_inputs_and_shows_no_setting(provider, client, engine):
    asked, failures = provider.check(inputs(autoProvision=PROVISIONED), urn=URN)
    assert failures == {}
    _, outputs = provider.create(asked, urn=URN)
    spec = client.state.get(MACHINE_CLASS, "big").spec.auto_provision
    assert (spec.provider_id, spec.provider_data) == ("talemu", "cpus: 4\npassword: p4ssw0rd-canary\n")
    assert (spec.grpc_tunnel, list(spec.kernel_args), spec.meta_values[0].key) == (1, ["console=ttyS0"], 10)
    assert provider.read("big", outputs, urn=URN) == ("big", outputs, asked)

    _, failures = provider.check(inputs(autoProvision={**PROVISIONED, "providerId": "nobody"}), asked, urn=URN)
    assert said(failures) == ('autoProvision.providerId: infra provider "nobody" not found; known are talemu')
    assert not any("p4ssw0rd" in line for line in engine.texts())


WRONG = [
    ({}, "machine class should either have auto provision or match labels set"),
    (
        {"matchLabels": ["a"], "autoProvision": PROVISIONED},
        "can't set both auto provision and match labels at the same time",
    ),
    ({"autoProvision": {"providerId": ""}}, "autoProvision.providerId: providerID can not be empty"),
    ({"autoProvision": {"providerID": "talemu"}}, "autoProvision.providerID: unknown field; did you mean providerId?"),
    ({"matchLabels": ["a ="], "name": 3.0}, "name: should be a string, not the number 3"),
    (
        {"matchLabels": ["omni.sidero.dev/no-manual-allocation"]},
        "matchLabels[0]: selectors using label omni.sidero.dev/no-manual-allocation are not allowed",
    ),
]


@pytest.mark.parametrize(("given", "reason"), WRONG)
def test_what_omni_would_refuse_is_refused_by_the_check(provider, given, reason):
    _, failures = provider.check(inputs(**given), urn=URN)
    assert reason in said(failures).splitlines()


@pytest.mark.parametrize("selector", ["a in b", "a = (", "!"])
def test_a_selector_that_omni_cannot_parse_is_refused(provider, selector):
    _, failures = provider.check(inputs(matchLabels=["a", selector]), urn=URN)
    assert said(failures).startswith(f'matchLabels[1]: failed to parse matchLabels: "{selector}": ')


def test_the_kind_cannot_change_while_sets_use_the_class(provider, client, simulator, failed):
    asked, _ = provider.check(inputs(matchLabels=["size = big"]), urn=URN)
    _, outputs = provider.create(asked, urn=URN)
    simulator.store.create(use())
    other = inputs(autoProvision=PROVISIONED)
    _, failures = provider.check(other, asked, urn=URN)
    assert "autoProvision: cannot replace matchLabels while machine sets use the class" in said(failures)
    assert "In use by: west-workers of cluster west" in said(failures)
    with pytest.raises(failed, match="cannot replace matchLabels while machine sets use the class"):
        provider.update("big", outputs, stored(other), urn=URN)
    assert list(client.state.get(MACHINE_CLASS, "big").spec.match_labels) == ["size = big"]

    with pytest.raises(failed) as refused:
        provider.delete("big", outputs, urn=URN)
    assert "can not delete the machine class as it is still in use by machine sets: west-workers" in str(refused.value)
    assert "give them another machine class" in str(refused.value)


def test_a_class_of_others_is_left_alone_unless_it_is_imported(provider, client, failed, engine):
    client.state.create(Resource(MACHINE_CLASS, "big", specs_pb2.MachineClassSpec(match_labels=["theirs"])))
    ours = inputs(matchLabels=["ours"])
    asked, failures = provider.check(ours, urn=URN)
    assert "import it: opts=pulumi.ResourceOptions(import_='big')" in said(failures)
    with pytest.raises(failed, match="was created manually or in Omni's UI"):
        provider.create(asked, urn=URN)
    with pytest.raises(failed, match="was created manually or in Omni's UI"):
        provider.delete("big", {**asked, "__package": "1", "__omni": ""}, urn=URN)
    assert list(client.state.get(MACHINE_CLASS, "big").spec.match_labels) == ["theirs"]

    asked, failures = provider.check({**ours, "__adopt": True}, urn=URN)
    assert failures == {}
    assert "machine class big is taken over, and changed: matchLabels" in engine.texts()
    provider.create(asked, urn=URN)
    taken = client.state.get(MACHINE_CLASS, "big")
    assert (list(taken.spec.match_labels), taken.annotations["ksail-pulumi/owner"]) == (["ours"], OWNER)


def test_a_replacement_under_the_same_name_deletes_first(provider, failed):
    asked, _ = provider.check(inputs(matchLabels=["a"]), urn=URN)
    _, outputs = provider.create(asked, urn=URN)
    provider.diff("big", outputs, asked, urn=URN)
    _, failures = provider.check(inputs(matchLabels=["a"]), urn=URN)
    assert "set the option `delete_before_replace=True`" in said(failures)
    with pytest.raises(failed, match="cannot be created before the one that it replaces is deleted"):
        provider.create(asked, urn=URN)
    provider.delete("big", outputs, urn=URN)
    assert provider.create(asked, urn=URN)[0] == "big"


def test_get_reads_a_class_of_anybody_and_guards_the_settings_of_its_infra_provider(provider, client, failed):
    spec = specs_pb2.MachineClassSpec()
    spec.auto_provision.provider_id, spec.auto_provision.provider_data = "talemu", "token: canary"
    client.state.create(Resource(MACHINE_CLASS, "theirs", spec))
    _, outputs, _ = provider.read("theirs", {}, urn=URN)
    assert outputs["autoProvision"] == {"secret": {"providerId": "talemu", "providerData": "token: canary"}}
    with pytest.raises(failed, match="machine class 'nothing' not found in Omni at"):
        provider.read("nothing", {}, urn=URN)


def test_what_is_imported_must_exist(provider, failed):
    asked, failures = provider.check(inputs(matchLabels=["a"], __adopt=True), urn=URN)
    assert "machine class 'big' not found in Omni at" in said(failures)
    with pytest.raises(failed, match=r"not found in Omni at .*: remove `import_` to create it"):
        provider.create(asked, urn=URN)


def test_two_resources_cannot_manage_one_class(provider):
    assert provider.check(inputs(matchLabels=["a"]), urn=URN)[1] == {}
    other = {**inputs(matchLabels=["b"]), "__owner": "organization/shop/dev/other"}
    _, failures = provider.check(other, urn=URN.replace("::big", "::other"))
    assert said(failures) == f"the resource {URN!r} of this stack already manages machine class 'big'"
