"""The functions for programs, with a simulated Omni behind them."""

import asyncio
import dataclasses
import inspect

import pulumi
import pytest
from pulumi.output import Unknown

import ksail_pulumi
from ksail_pulumi.errors import InputError, NotFoundError, SettingsError
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.resources import MACHINE_CLASS, Resource
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.simulator.server import Simulator

NAMES = ("get_cluster", "list_clusters", "list_machines", "get_versions", "get_extensions", "get_machine_classes")


@pytest.fixture(scope="module")
def simulator():
    with Simulator(machines=3) as omni:
        client = connect(Connection(omni.endpoint, omni.service_account_key))
        spec = specs_pb2.MachineClassSpec()
        spec.auto_provision.provider_id, spec.auto_provision.provider_data = "talemu", "token: canary"
        omni.store.create(Resource(MACHINE_CLASS, "auto", spec))
        omni.store.create(Resource(MACHINE_CLASS, "big", specs_pb2.MachineClassSpec(match_labels=["size = big"])))
        create(parse_cluster({"name": "west"}), OwnershipMark("o/p/s/west"), Session(client, Deadline.after(60)))
        yield omni
        client.close()


@pytest.fixture(params=["Reader", "Operator"])
def reached(request, simulator, monkeypatch):
    """The environment leads to the simulated Omni, with a key of a role."""
    monkeypatch.setenv("OMNI_ENDPOINT", simulator.endpoint)
    monkeypatch.setenv("OMNI_SERVICE_ACCOUNT_KEY", simulator.issue_key(f"as-{request.param.lower()}", request.param))


@pytest.mark.usefixtures("reached")
def test_they_read_what_the_account_has():
    west = ksail_pulumi.get_cluster("west")
    assert (west.ready, west.owner, len(west.nodes), west.running_talos_version) == (
        True,
        "o/p/s/west",
        1,
        west.talos_version,
    )
    assert [dataclasses.replace(west, kubernetes_api="")] == ksail_pulumi.list_clusters()

    machines = ksail_pulumi.list_machines()
    assert [each.cluster for each in machines if not each.available] == ["west"]
    free = ksail_pulumi.list_machines(selector="available")
    assert [each.id for each in free] == [each.id for each in machines if each.available]

    versions = ksail_pulumi.get_versions()
    assert (versions.talos_version, versions.kubernetes_version) == (west.talos_version, west.kubernetes_version)
    newest = next(each for each in versions.talos_versions if each.version == versions.talos_version)
    assert (newest.deprecated, versions.kubernetes_version in newest.kubernetes_versions) == (False, True)

    extensions = ksail_pulumi.get_extensions()
    assert "siderolabs/iscsi-tools" in [each.name for each in extensions]
    assert ksail_pulumi.get_extensions(f"v{versions.talos_version}") == extensions

    auto, big = ksail_pulumi.get_machine_classes()
    assert (auto.name, auto.provider_id, auto.match_labels) == ("auto", "talemu", [])
    assert (big.name, big.match_labels, big.machine_sets, big.owner) == ("big", ["size = big"], [], "")
    assert "canary" not in repr(auto)


def test_the_arguments_lead_to_another_omni(simulator, monkeypatch):
    monkeypatch.delenv("OMNI_ENDPOINT", raising=False)
    monkeypatch.setenv("OTHER_KEY", simulator.service_account_key)
    found = ksail_pulumi.get_machine_classes(endpoint=simulator.endpoint, service_account_key_env_var="OTHER_KEY")
    assert [each.name for each in found] == ["auto", "big"]


def test_the_stack_s_configuration_leads_to_an_omni(simulator, monkeypatch):
    for name in ("OMNI_ENDPOINT", "OMNI_SERVICE_ACCOUNT_KEY", "SIDERO_SERVICE_ACCOUNT_KEY"):
        monkeypatch.delenv(name, raising=False)
    config = {"omni:endpoint": simulator.endpoint, "omni:serviceAccountKey": simulator.service_account_key}
    pulumi.runtime.set_all_config(config)
    try:
        assert len(ksail_pulumi.list_machines()) == 3
    finally:
        pulumi.runtime.set_all_config({})


@pytest.mark.parametrize(
    ("ask", "error", "text"),
    [
        (lambda: ksail_pulumi.get_cluster("nobody"), NotFoundError, "cluster not found: nobody"),
        (lambda: ksail_pulumi.list_machines(selector="a = ("), InputError, 'selector: "a = (" is not a selector'),
        (lambda: ksail_pulumi.get_extensions("9.9.9"), InputError, "Omni has no system extensions for"),
        (lambda: ksail_pulumi.get_versions(service_account_key_env_var="NOTHING"), SettingsError, "NOTHING"),
    ],
)
@pytest.mark.usefixtures("reached")
def test_a_mistake_is_an_error_without_a_traceback(ask, error, text):
    with pytest.raises(pulumi.RunError) as caught:
        ask()
    assert isinstance(caught.value, error)
    assert text in str(caught.value)


def arguments(name):
    return inspect.signature(getattr(ksail_pulumi, name)).parameters


WRONG = [
    (None, " should be a string, not None: leave it out for the default"),
    (5, " should be a string, not the number 5"),
    (True, " should be a string, not true"),
    (["west"], " should be a string, not a list"),
    (object(), " should be a string, not an unsupported value"),
    ("\ud800", " contains invalid characters (lone surrogates)"),
]
EVERY_ARGUMENT = [(name, argument) for name in NAMES for argument in arguments(name)]


@pytest.mark.usefixtures("reached")
@pytest.mark.parametrize(("value", "reason"), WRONG)
@pytest.mark.parametrize(("name", "argument"), EVERY_ARGUMENT)
def test_a_value_of_the_wrong_type_is_refused_with_the_name_of_its_argument(loop, name, argument, value, reason):
    given = {**({"name": "west"} if name == "get_cluster" else {}), argument: value}
    if (argument, value) == ("name", None):
        reason = " is required"
    with pytest.raises(pulumi.RunError) as caught:
        getattr(ksail_pulumi, name)(**given)
    assert str(caught.value) == f"{name}: {argument}{reason}"

    async def answered():
        with pytest.raises(pulumi.RunError) as caught:
            await getattr(ksail_pulumi, f"{name}_output")(**given).future()
        return str(caught.value)

    assert loop.run_until_complete(answered()) == f"{name}: {argument}{reason}"


@pytest.mark.parametrize(("name", "argument"), EVERY_ARGUMENT)
def test_the_plain_form_refuses_an_output(loop, name, argument):
    async def ask():
        given = {**({"name": "west"} if name == "get_cluster" else {}), argument: pulumi.Output.from_input("west")}
        getattr(ksail_pulumi, name)(**given)

    with pytest.raises(pulumi.RunError) as caught:
        loop.run_until_complete(ask())
    assert str(caught.value) == f"{name}: {argument} is an Output, whose value is known later: use {name}_output"


def test_the_name_of_a_cluster_is_required():
    with pytest.raises(InputError, match=r"^get_cluster: name is required$"):
        ksail_pulumi.get_cluster("")


@pytest.mark.usefixtures("reached")
def test_outputs_are_answered_once_they_are_known(loop):
    async def known():
        machines = ksail_pulumi.list_machines_output(selector=pulumi.Output.from_input("available"))
        plain = [ksail_pulumi.list_clusters_output(), ksail_pulumi.get_versions_output()]
        more = [ksail_pulumi.get_extensions_output(), ksail_pulumi.get_machine_classes_output()]
        name = ksail_pulumi.get_cluster_output(pulumi.Output.from_input("west")).name
        return [await each.future() for each in (machines, *plain, *more, name)]

    machines, clusters, versions, extensions, classes, name = loop.run_until_complete(known())
    assert machines == ksail_pulumi.list_machines(selector="available")
    assert (clusters, versions) == (ksail_pulumi.list_clusters(), ksail_pulumi.get_versions())
    assert (extensions, classes) == (ksail_pulumi.get_extensions(), ksail_pulumi.get_machine_classes())
    assert name == "west"


def test_an_unknown_input_gives_an_unknown_output_and_makes_no_call(loop, monkeypatch):
    monkeypatch.delenv("OMNI_ENDPOINT", raising=False)

    async def is_known():
        unknown = pulumi.Output(set(), _future(Unknown()), _future(value=False))
        return await ksail_pulumi.get_cluster_output(unknown).is_known()

    assert loop.run_until_complete(is_known()) is False


def _future(value):
    future = asyncio.get_event_loop().create_future()
    future.set_result(value)
    return future


@pytest.mark.parametrize("name", NAMES)
def test_each_has_an_output_form(name):
    assert getattr(ksail_pulumi, f"{name}_output").__name__ == f"{name}_output"
