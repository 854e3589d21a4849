"""What `check` says, in Pulumi's own process, where it cannot or need not ask an Omni."""

import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from pulumi.output import Unknown
from pulumi.runtime import rpc

from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.provider import sessions
from ksail_pulumi.provider.cluster import OmniClusterProvider
from ksail_pulumi.provider.machine_class import MachineClassProvider
from ksail_pulumi.simulator.server import Simulator
from tests.host import URN, Failed

INPUTS = {"name": "west", "controlPlane": {"count": 1}, "__owner": "organization/shop/dev/west"}
UNKNOWN = Unknown()
KEY = "OMNI_SERVICE_ACCOUNT_KEY"


@pytest.fixture(scope="module")
def service_account_key():
    return Simulator(machines=0).service_account_key


class Listener:
    """Listens where an Omni would, and knows whether anybody came."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"grpc://127.0.0.1:{self.socket.getsockname()[1]}"

    def was_called(self):
        self.socket.setblocking(False)
        try:
            self.socket.accept()[0].close()
        except BlockingIOError:
            return False
        return True


@pytest.fixture
def listener():
    found = Listener()
    yield found
    found.socket.close()


def test_every_wrong_field_is_named_by_its_path(provider):
    wrong = {
        **INPUTS,
        "talosVersion": "new",
        "controlPlane": {"count": 1, "machines": ["a"]},
        "workers": [{"name": "gpu", "count": -1}],
        "patches": [{"name": "p"}],
        "waitFor": "godot",
        "kubeconfigOptions": {"ttl": "soon"},
        "colour": "red",
    }
    _, failures = provider.check(wrong)
    assert {"talosVersion", "workers[0].count", "waitFor", "kubeconfig.ttl", "colour"} <= set(failures)
    assert all(failures.values())


def test_no_failure_names_a_property_whose_value_the_engine_would_print(provider):
    """The engine says "property … value {…} has a problem", with the whole value, or `{<nil>}` for a nested path."""
    result = OmniClusterProvider().check({}, {**INPUTS, "workers": [{"machineClass": {"name": "", "size": 1}}]})
    assert [(failure.property, failure.reason) for failure in result.failures] == [
        ("", "workers[0].machineClass.name: cannot be empty: it is the name of a machine class in Omni")
    ]


def test_right_inputs_come_back_as_they_were_written(provider):
    written = {**INPUTS, "talosVersion": "v1.13.8", "workers": [{"count": 2}], "labels": {"my_label": "x"}}
    assert provider.check({**written, "__preview": True}) == (written, {})


def test_a_machine_in_two_spellings_is_one_machine(provider):
    machine = "4c4c4544-0044-4a10-8056-b4c04f564433"
    twice = {"controlPlane": {"machines": [machine]}, "workers": [{"machines": [machine.upper()]}]}
    _, failures = provider.check({**INPUTS, **twice})
    assert failures == {"workers[0].machines[0]": f'machine "{machine}" is used in both controlplane and workers'}
    _, failures = provider.check({**INPUTS, "machines": {machine: {"locked": True}, machine.upper(): {}}})
    assert failures == {f"machines.{machine}": "is set twice, in two spellings: keep one of them"}


def test_what_is_not_known_yet_of_a_machine_in_capitals_is_not_judged(provider):
    machine = "4C4C4544-0044-4A10-8056-B4C04F564433"
    machines = {machine: {"patches": [{"name": "p", "inline": UNKNOWN}]}}
    written = {**INPUTS, "controlPlane": {"machines": [machine]}, "machines": machines}
    assert provider.check({**written, "__preview": True})[1] == {}


@pytest.mark.parametrize(
    "inline",
    [
        "machine: {sysctls: {a: b}}\n---\n",
        "---\n# nothing\n---\nmachine: {sysctls: {a: b}}\n---\nnull\n",
        [{"machine": {"sysctls": {"a": "b"}}}, {}],
        [None, {"machine": {"sysctls": {"a": "b"}}}],
    ],
)
def test_empty_documents_in_a_patch_are_taken(provider, inline):
    written = {**INPUTS, "patches": [{"name": "p", "inline": inline}]}
    assert provider.check({**written, "__preview": True}) == (written, {})


def test_a_patch_of_nothing_but_empty_documents_is_refused(provider):
    _, failures = provider.check({**INPUTS, "patches": [{"name": "p", "inline": "---\n---\nnull\n"}]})
    assert failures == {"patches[0].inline": "config not found: the patch is empty"}


def test_inputs_in_another_spelling_come_back_as_on_the_wire(provider):
    inputs, failures = provider.check({**INPUTS, "control_plane": {"machine_class": {"name": "a_b", "size": 1}}})
    assert failures == {"controlPlane": "is set twice, in two spellings: keep one of them"}
    other_words = {"name": "west", "control_plane": {"machine_class": {"name": "a_b", "size": 1}}}
    inputs, failures = provider.check({**other_words, "__preview": True})
    assert (inputs, failures) == ({"name": "west", "controlPlane": {"machineClass": {"name": "a_b", "size": 1}}}, {})


@pytest.mark.parametrize(
    "unknown",
    [
        {"talosVersion": UNKNOWN},
        {"controlPlane": UNKNOWN},
        {"controlPlane": {"machines": ["a", UNKNOWN]}},
        {"workers": [{"name": "gpu", "machineClass": {"name": UNKNOWN, "size": 1}}]},
        {"patches": [{"name": "p", "inline": {"machine": {"network": {"nameservers": [UNKNOWN]}}}}]},
        {"patches": [{"name": "p", "inline": UNKNOWN}]},
        {"machines": {"a": {"patches": [{"name": UNKNOWN, "inline": "a: 1"}]}}},
        {"labels": {"a": UNKNOWN}},
        {"name": UNKNOWN},
    ],
)
def test_what_is_not_known_yet_is_not_judged(provider, unknown):
    inputs, failures = provider.check({**INPUTS, **unknown})
    assert failures == {}
    assert rpc.contains_unknowns(inputs)


def test_what_is_known_is_judged_beside_what_is_not(provider):
    _, failures = provider.check({**INPUTS, "talosVersion": UNKNOWN, "waitFor": "godot"})
    assert set(failures) == {"waitFor"}


def test_versions_that_are_left_out_later_stay(provider):
    olds = {**INPUTS, "talosVersion": "1.13.8"}
    inputs, _ = provider.check({**INPUTS, "kubernetesVersion": "1.36.3"}, olds)
    assert (inputs["talosVersion"], inputs["kubernetesVersion"]) == ("1.13.8", "1.36.3")


def test_the_mark_follows_the_urn(provider):
    """Which has the stack's new name at once, and the types of the parents."""
    olds = {**INPUTS, "__owner": "organization/shop/prod/west"}
    assert provider.check(INPUTS, olds)[0]["__owner"] == "organization/shop/dev/west"
    urn = "urn:pulumi:dev::shop::my:app:App$pulumi-python:dynamic/ksail:OmniCluster::west"
    marked = provider.check(INPUTS, olds, urn=urn)[0]["__owner"]
    assert marked == "organization/shop/dev/my:app:App$pulumi-python:dynamic/ksail:OmniCluster::west"


def test_a_name_that_is_left_out_stays(provider):
    """Whatever the resource is called now; a name that is written down is taken."""
    news = {**INPUTS, "name": "renamed", "__nameLeftOut": True}
    assert provider.check(news, INPUTS)[0] == INPUTS
    assert provider.check({**INPUTS, "name": "renamed"}, INPUTS)[0]["name"] == "renamed"


def test_two_resources_of_a_run_cannot_have_one_cluster(start_provider):
    provider = start_provider()
    assert provider.check(INPUTS, INPUTS) == (INPUTS, {})
    other = "urn:pulumi:dev::shop::pulumi-python:dynamic/ksail:OmniCluster::other"
    assert provider.check(INPUTS, INPUTS, urn=other)[1] == {
        "name": f"the resource {URN!r} of this stack already manages cluster 'west': choose another name"
    }


def test_what_a_name_that_is_not_known_yet_may_do_is_said(start_provider, engine):
    start_provider().check({**INPUTS, "name": UNKNOWN, "__preview": True}, INPUTS)
    assert engine.texts("WARNING") == [
        "name is not known yet. If it changes, the cluster is replaced: it is deleted, and its machines are wiped"
    ]


def test_the_mark_of_a_preview_is_not_stored(provider):
    assert provider.check({**INPUTS, "__preview": True})[0] == INPUTS


@pytest.mark.parametrize(
    ("inputs", "environment", "message"),
    [
        ({}, {}, "omni endpoint is required: set the environment variable OMNI_ENDPOINT"),
        (
            {},
            {"OMNI_ENDPOINT": "https://omni.example"},
            f"omni service account key is not set: environment variable {KEY} is not set",
        ),
        (
            {"endpoint": "https://omni.example", "serviceAccountKeyEnvVar": "WEST_KEY"},
            {KEY: "x"},
            "omni service account key is not set: environment variable WEST_KEY is not set",
        ),
        ({"endpoint": "https://omni.example"}, {KEY: "!"}, "base64"),
    ],
)
def test_a_preview_warns_of_settings_that_are_missing(start_provider, engine, inputs, environment, message):
    provider = start_provider(environment=environment)
    assert provider.check({**INPUTS, **inputs, "__preview": True}) == ({**INPUTS, **inputs}, {})
    assert [message in text for text in engine.texts("WARNING")] == [True]
    engine.clear()
    asked, failures = provider.check({**INPUTS, **inputs})
    assert failures == {}
    with pytest.raises(Failed, match=re.escape(message)):
        provider.create(asked)  # it might be a replacement, which has to keep name and versions
    assert provider.check({**INPUTS, **inputs}, {**INPUTS, "labels": {}}) == ({**INPUTS, **inputs}, {})
    assert engine.texts() == []


def test_inputs_that_have_not_changed_are_not_taken_to_omni(start_provider, engine, listener, service_account_key):
    provider = start_provider(environment={"OMNI_ENDPOINT": listener.endpoint, KEY: service_account_key})
    olds = {**INPUTS, "patches": [{"name": "p", "inline": "machine: {}"}]}
    outputs = {
        **olds,
        "ready": True,
        "schema": 2,
        "phase": "RUNNING",
        "kubernetesVersion": "1.36.3",
        "__pinned": ["kubernetesVersion"],
    }
    assert provider.check({**olds, "__preview": True}, olds) == (olds, {})
    assert provider.diff("west", outputs, olds).changes == 1  # DIFF_NONE
    assert not listener.was_called()
    assert engine.texts() == []


CHECKS = [(OmniClusterProvider, INPUTS), (MachineClassProvider, {"name": "big", "matchLabels": ["arch = amd64"]})]


@pytest.mark.parametrize(("provider", "asked"), CHECKS)
def test_an_omni_that_does_not_answer_holds_nothing_up(
    monkeypatch, capsys, listener, service_account_key, provider, asked
):
    monkeypatch.setattr(sessions, "LOOK_SECONDS", 0.5)
    monkeypatch.setenv("WEST_KEY", service_account_key)
    inputs = {**asked, "endpoint": listener.endpoint, "serviceAccountKeyEnvVar": "WEST_KEY"}
    result = provider().check({}, {**inputs, "__preview": True})
    assert (result.inputs, result.failures) == (inputs, [])
    assert listener.was_called()
    reason = "did not answer within 0.5 s: check the network, and whether Omni is overloaded"
    assert capsys.readouterr().err == f"warning: Omni at {listener.endpoint} {reason}\n"


@pytest.mark.parametrize(("provider", "asked"), CHECKS)
def test_a_check_waits_while_omni_answers_others(monkeypatch, capsys, listener, service_account_key, provider, asked):
    monkeypatch.setattr(sessions, "LOOK_SECONDS", 0.5)
    monkeypatch.setenv("WEST_KEY", service_account_key)
    inputs = {**asked, "endpoint": listener.endpoint, "serviceAccountKeyEnvVar": "WEST_KEY"}
    link = connect(Connection(listener.endpoint, service_account_key))._channel.link
    link.heard_at = last = time.monotonic() + 1  # as if others got answers until then
    provider().check({}, {**inputs, "__preview": True})
    assert time.monotonic() - last >= 0.5
    assert "did not answer within 0.5 s" in capsys.readouterr().err


class _Silent(grpc.GenericRpcHandler):
    """Accepts every call and answers none before the end of the test."""

    def __init__(self):
        self.over = threading.Event()

    def service(self, _):
        return grpc.unary_stream_rpc_method_handler(lambda *_: iter(self.over.wait, True))


@pytest.fixture
def silent():
    """The endpoint of an Omni that accepts every call and answers none."""
    handler = _Silent()
    server = grpc.server(ThreadPoolExecutor(), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"grpc://127.0.0.1:{port}"
    handler.over.set()
    server.stop(None).wait()


@pytest.mark.parametrize(("provider", "asked"), CHECKS)
def test_the_omni_that_a_resource_leaves_is_named_if_it_does_not_answer(
    monkeypatch, capsys, silent, service_account_key, simulator, provider, asked
):
    monkeypatch.setattr(sessions, "LOOK_SECONDS", 4.0)
    monkeypatch.setenv("WEST_KEY", service_account_key)
    olds = {**asked, "endpoint": silent, "serviceAccountKeyEnvVar": "WEST_KEY"}
    monkeypatch.setenv("HERE_KEY", simulator.service_account_key)
    here = {"endpoint": simulator.endpoint, "serviceAccountKeyEnvVar": "HERE_KEY"}
    result = provider().check(olds, {**asked, **here, "__preview": True})
    assert result.failures == []
    (warning,) = capsys.readouterr().err.splitlines()
    assert f"Omni at {silent} to list" in warning
    assert simulator.endpoint not in warning
