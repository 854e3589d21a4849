"""The context that the child with the kubeconfig keeps in a file, and its exec form."""

from __future__ import annotations

import os
import threading

import pytest
import yaml
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.output import Unknown

from ksail_pulumi.access.kubeconfig import Context
from ksail_pulumi.errors import ConfigFileError
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.provider import contexts, credentials
from ksail_pulumi.provider.children import KubeconfigProvider
from ksail_pulumi.provider.credentials import differ, request
from ksail_pulumi.provider.host.call import Call
from ksail_pulumi.provider.run import Run
from ksail_pulumi.provider.settings import Settings
from ksail_pulumi.simulator.server import Simulator
from tests.host import Failed
from tests.lifecycle.conftest import Lab
from tests.provider.test_credentials import DIFF_NONE, DIFF_SOME, plain

KIND = "pulumi-python:dynamic/ksail:OmniCluster"
CLUSTER_URN = f"urn:pulumi:dev::shop::{KIND}::west"
URN = f"urn:pulumi:dev::shop::{KIND}$pulumi-python:dynamic/ksail:Kubeconfig::west-kubeconfig"
OTHERS = """\
apiVersion: v1
kind: Config
contexts:
- name: prod
  context: {cluster: prod, user: prod}
current-context: prod
users:
- name: prod
  user: {token: secret}
clusters:
- name: prod
  cluster: {server: https://prod}
"""


@pytest.fixture(scope="module")
def simulator():
    with Simulator(machines=2) as omni:
        yield omni


@pytest.fixture(scope="module")
def clusters(simulator):
    """The inputs of a kubeconfig for each of two clusters."""
    client = connect(Connection(simulator.endpoint, simulator.service_account_key))
    made = {name: Lab(client, name, mark(name)).create(waitFor="none").cluster_uuid for name in ("west", "east")}
    yield {name: {"name": name, "clusterUuid": uuid, "__connection": {}} for name, uuid in made.items()}
    client.close()


def mark(resource, stack="dev"):
    return OwnershipMark(f"organization/shop/{stack}/{resource}")


@pytest.fixture
def settings(simulator):
    return Settings(endpoint=simulator.endpoint, service_account_key=simulator.service_account_key)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "kube" / "config"
    path.parent.mkdir()
    path.write_text(OTHERS)
    return path


@pytest.fixture
def call():
    return a_call()


def a_call():
    """A call without an engine: its messages go to stderr."""
    return Call(URN, 0.0, threading.Event(), None)


def asked(cluster, path=None, /, **options):
    return {**cluster, "options": options, **({"contextFile": str(path)} if path else {})}


def names(file):
    return [each["name"] for each in yaml.safe_load(file.read_text())["contexts"] or []]


def written(settings, props, olds=None):
    """The state after an `up`."""
    made = request(settings, "kubeconfig", props, olds or {})
    contexts.keep(a_call(), settings, made, olds or {})
    return {**made, "kubeconfig": made["kubeconfig"]["value"]}


def test_a_provider_process_keeps_a_context_and_removes_it(start_process, simulator, clusters, file, engine):
    provider = start_process(serialize_provider(KubeconfigProvider()))
    key = simulator.service_account_key
    provider.configure({"omni:endpoint": simulator.endpoint, "omni:serviceAccountKey": key})
    inputs = asked(clusters["west"], file, context="mine")
    _, outputs = provider.create(inputs)
    state = plain(outputs)
    assert names(file) == ["prod", "mine"]
    assert provider.diff("west", state, inputs).changes == DIFF_NONE
    _, seen, _ = provider.read("west", state)
    assert seen == outputs

    file.write_text(OTHERS)
    _, seen, _ = provider.read("west", state)
    assert "contextFile" not in seen
    assert f'context "mine" in {contexts.short(str(file))} is missing or was changed' in engine.texts("WARNING")[0]
    assert provider.diff("west", plain(seen), inputs).changes == DIFF_SOME
    again = plain(provider.update("west", plain(seen), inputs))
    assert again == state
    assert names(file) == ["prod", "mine"]

    provider.delete("west", again, urn=URN)
    assert yaml.safe_load(file.read_text()) == yaml.safe_load(OTHERS)
    file.write_text("contexts: [\n")
    provider.delete("west", again, urn=URN)
    assert f"is not removed: {file}:2: invalid YAML" in engine.texts("WARNING")[-1]


def test_the_context_moves_with_its_name_and_its_file(settings, clusters, file, tmp_path, call, capsys):
    first = asked(clusters["west"], file, file="config")
    state = written(settings, first)
    assert names(file) == ["prod", "admin@west"]

    other = tmp_path / "other"
    moved = asked(clusters["west"], other, file="other", context="mine")
    assert differ(call, "kubeconfig", state, moved).changes is not False
    assert [line.removeprefix("west-kubeconfig: ") for line in capsys.readouterr().err.splitlines()] == [
        f'context "admin@west" in {contexts.short(str(file))} will be removed',
        f'context "mine" in {contexts.short(str(other))} will be written',
    ]
    after = written(settings, moved, state)
    assert after["kubeconfig"] == state["kubeconfig"]
    assert (names(file), names(other)) == (["prod"], ["mine"])

    left = asked(clusters["west"])
    assert differ(call, "kubeconfig", after, left).changes is not False
    written(settings, left, after)
    assert names(other) == []


def test_a_refused_context_leaves_the_former_one(settings, clusters, file, tmp_path, call, capsys):
    state = written(settings, asked(clusters["west"], file, context="mine"))
    written(settings, asked(clusters["east"], file, context="east"))
    other = tmp_path / "other"
    written(settings, asked(clusters["east"], other, context="east"))
    for place in (file, other):
        before = file.read_text()
        taken = asked(clusters["west"], place, context="east")
        with pytest.raises(ConfigFileError, match='context "east" leads to another cluster'):
            differ(call, "kubeconfig", state, taken)
        with pytest.raises(ConfigFileError, match='context "east" leads to another cluster'):
            written(settings, taken, state)
        assert file.read_text() == before
    assert capsys.readouterr().err == ""


def test_a_renamed_context_stays_the_current_one_and_a_broken_former_file_is_a_warning(
    settings, clusters, file, tmp_path, capsys
):
    state = written(settings, asked(clusters["west"], file, context="mine"))
    file.write_text(file.read_text().replace("current-context: prod", "current-context: mine"))
    state = written(settings, asked(clusters["west"], file, context="west"), state)
    assert (names(file), yaml.safe_load(file.read_text())["current-context"]) == (["prod", "west"], "west")
    file.write_text("contexts: [\n")
    written(settings, asked(clusters["west"], tmp_path / "other", context="west"), state)
    assert names(tmp_path / "other") == ["west"]
    assert f'context "west" in {contexts.short(str(file))} is not removed: {file}:2' in capsys.readouterr().err


def test_another_spelling_of_the_file_is_the_same_place(settings, clusters, file, tmp_path, call, capsys):
    state = written(settings, asked(clusters["west"], file, context="mine"))
    (tmp_path / "linked").symlink_to(file.parent)
    linked = asked(clusters["west"], tmp_path / "linked" / "config", context="mine")
    assert differ(call, "kubeconfig", state, linked).changes is True
    assert "removed" not in capsys.readouterr().err
    written(settings, linked, state)
    assert names(file) == ["prod", "mine"]


def test_the_preview_of_a_new_cluster_refuses_a_context_that_is_taken(start_process, settings, clusters, file):
    provider = start_process(serialize_provider(KubeconfigProvider()))
    written(settings, asked(clusters["east"], file, context="mine"))
    new = {"name": "west", "clusterUuid": Unknown(), "options": {"context": "mine"}, "contextFile": str(file)}
    for place, refused in ((file, True), (file.with_name("missing"), False)):
        inputs = {**new, "contextFile": str(place)}
        found = provider.check(inputs, urn=URN)[1]
        assert ["leads to another cluster" in text for text in found.values()] == [True] * refused
    assert provider.check({**new, "name": Unknown()}, urn=URN)[1] == {}
    # The context of a replaced cluster of this name is overwritten.
    written(settings, asked(clusters["west"], file, context="ours"))
    assert provider.check({**new, "options": {"context": "ours"}}, urn=URN)[1] == {}
    file.write_text("contexts: [\n")
    assert "invalid YAML" in "".join(provider.check(new, urn=URN)[1].values())


def test_the_context_of_a_cluster_that_is_replaced_may_go_to_the_new_one(settings, clusters, file, monkeypatch):
    monkeypatch.setattr(credentials, "this_run", run := Run())
    written(settings, asked(clusters["east"], file, context="mine"))
    new = {"name": "west", "clusterUuid": Unknown(), "options": {"context": "mine"}, "contextFile": str(file)}
    assert len(credentials.refuse_context(a_call(), new)) == 1
    run.replaces(CLUSTER_URN, "east")
    assert credentials.refuse_context(a_call(), new) == []


def test_the_context_stays_when_another_stack_has_taken_the_cluster_over(
    start_process, simulator, settings, clusters, file, engine, call, capsys
):
    provider = start_process(serialize_provider(KubeconfigProvider()))
    key = simulator.service_account_key
    provider.configure({"omni:endpoint": simulator.endpoint, "omni:serviceAccountKey": key})
    state = written(settings, asked(clusters["west"], file, context="mine"))
    client = connect(Connection(simulator.endpoint, key))
    Lab(client, "west", mark("west", "other")).create(waitFor="none", adopt=True)
    try:
        provider.delete("west", state, urn=URN)
        assert names(file) == ["prod", "mine"]
        owner = "the Pulumi resource organization/shop/other/west"
        assert engine.texts("WARNING") == [
            f"context \"mine\" in {contexts.short(str(file))} is not removed: cluster 'west' is now managed by {owner}"
        ]
        contexts.remove(call, settings, state)
        assert capsys.readouterr().err == f"warning: west-kubeconfig: {engine.texts('WARNING')[0]}\n"
        # A move does not take it away either.
        moved = asked(clusters["west"], file.with_name("other"), context="mine")
        provider.update("west", state, moved, urn=URN)
        assert names(file) == ["prod", "mine"]
    finally:
        Lab(client, "west", mark("west")).create(waitFor="none", adopt=True)
        client.close()
    provider.delete("west", state, urn=URN)
    assert names(file) == ["prod"]


def test_a_cluster_that_is_gone_takes_its_context_with_it(simulator, settings, clusters, file, call):
    gone = asked({**clusters["west"], "name": "gone"}, file, context="mine")
    text = written(settings, asked(clusters["west"], file, context="mine"))["kubeconfig"]
    contexts.remove(call, settings, {**gone, "kubeconfig": text})
    assert names(file) == ["prod"]


def test_without_omni_the_context_stays_in_the_file_and_in_the_state(start_process, settings, clusters, file):
    provider = start_process(serialize_provider(KubeconfigProvider()))
    provider.configure({"omni:endpoint": "http://127.0.0.1:1", "omni:serviceAccountKey": settings.service_account_key})
    state = written(settings, asked(clusters["west"], file, context="mine"))
    with pytest.raises(Failed) as failed:
        provider.delete("west", state, urn=URN)
    assert f"`pulumi state delete --target-dependents '{CLUSTER_URN}'`" in failed.value.message
    assert names(file) == ["prod", "mine"]


def test_a_context_that_is_not_known_yet_is_neither_shown_nor_removed(settings, clusters, file, call, capsys):
    state = written(settings, asked(clusters["west"], file, file="config"))
    unknown = {**clusters["west"], "options": Unknown(), "contextFile": Unknown()}
    assert differ(call, "kubeconfig", state, unknown).changes is not False
    assert capsys.readouterr().err == ""


def test_a_broken_file_is_reported_and_kept(settings, clusters, file, call, capsys):
    state = written(settings, asked(clusters["west"], file, file="config"))
    file.write_text("contexts: [\n")
    with pytest.raises(ConfigFileError, match=":2: invalid YAML"):
        written(settings, asked(clusters["west"], file, file="config"), state)
    assert contexts.seen(call, state) == state
    contexts.remove(call, settings, state)
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith(f"warning: west-kubeconfig: {file}:2: invalid YAML")
    where = f'context "admin@west" in {contexts.short(str(file))}'
    assert told[1].startswith(f"warning: west-kubeconfig: {where} is not removed: ")
    assert file.read_text() == "contexts: [\n"
    file.unlink()
    contexts.remove(call, settings, state)
    assert not file.exists()


def test_a_changed_context_is_noticed(settings, clusters, file, call, capsys):
    state = written(settings, asked(clusters["west"], file, file="config"))
    assert contexts.seen(call, state) == state
    file.write_text(OTHERS)
    assert "contextFile" not in contexts.seen(call, state)
    assert "the next `pulumi up` writes it again" in capsys.readouterr().err


def test_the_context_of_another_cluster_stays(settings, clusters, file, call):
    written(settings, asked(clusters["east"], file, context="mine"))
    before = file.read_text()
    with pytest.raises(ConfigFileError, match='context "mine" leads to another cluster'):
        written(settings, asked(clusters["west"], file, context="mine"))
    state = written(settings, asked(clusters["west"]))
    contexts.remove(call, settings, {**state, **asked(clusters["west"], file, context="mine")})
    assert file.read_text() == before


def test_the_exec_form_contains_no_token_and_is_always_the_same(settings, clusters, monkeypatch):
    inputs = asked(clusters["west"], form="exec", user="ci", groups=[], ttl="10m")
    inputs["__connection"] = {"serviceAccountKeyEnvVar": "WEST_KEY"}
    monkeypatch.setenv("WEST_KEY", settings.service_account_key)
    state = written(Settings(settings.endpoint), inputs)
    plugin = Context.current(state["kubeconfig"]).user["exec"]
    assert plugin["args"] == [
        *("token", "west", "--endpoint", settings.endpoint, "--uuid", clusters["west"]["clusterUuid"]),
        *("--key-variable", "WEST_KEY", "--user", "ci", "--ttl", "10m", "--group", ""),
    ]


def test_another_form_is_another_kubeconfig(settings, clusters, call):
    token = written(settings, asked(clusters["west"]))
    inputs = asked(clusters["west"], form="exec")
    assert differ(call, "kubeconfig", token, inputs).changes is not False
    state = written(settings, inputs, token)
    assert "token:" not in state["kubeconfig"]
    assert differ(call, "kubeconfig", state, inputs).changes is False
    assert written(settings, inputs) == state
    assert written(settings, asked(clusters["west"]), state)["kubeconfig"] != state["kubeconfig"]
    elsewhere = {**inputs, "__connection": {"serviceAccountKeyEnvVar": "OTHER"}}
    assert differ(call, "kubeconfig", state, elsewhere).changes is True


def test_the_file_is_that_of_the_machine_that_runs_the_program(settings, clusters, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", "")
    monkeypatch.chdir(tmp_path)
    assert contexts.file_for("west", None) is None
    assert contexts.file_for("west", {"user": "ci"}) is None
    assert contexts.file_for("west", {"context": "mine"}) == str(tmp_path / ".kube" / "config")
    written(settings, asked(clusters["west"], tmp_path / "two", context="mine"))
    (tmp_path / "one").touch()
    monkeypatch.setenv("KUBECONFIG", f"one{os.pathsep}two")
    assert contexts.file_for("west", {"context": "mine"}) == str(tmp_path / "two")
    assert contexts.file_for("west", {"context": "other"}) == str(tmp_path / "one")
    assert contexts.file_for("west", {"file": "~/west"}) == str(tmp_path / "west")
    assert contexts.file_for("west", {"file": "kube/west"}) == str(tmp_path / "kube" / "west")
