"""The life of a cluster through Pulumi's own provider process, with a simulated Omni behind it."""

import json
import time
from collections import Counter
from dataclasses import replace

import grpc
import pytest

from ksail_pulumi.errors import NotFoundError
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.resources import CLUSTER, CONFIG_PATCH, LABEL_CLUSTER, MACHINE_SET_NODE, MACHINE_STATUS
from ksail_pulumi.omni.watch import Query
from ksail_pulumi.plan.ownership import Creation
from ksail_pulumi.simulator.server import Simulator
from tests.host import URN

OWNER = "organization/shop/dev/{}"
DIFF_NONE, DIFF_SOME = 1, 2
SLOW = 120.0

newest = pytest.mark.parametrize("sdk", ["newest"], indirect=True)
"""For what does not depend on the host."""


def inputs(name, **others):
    return {"name": name, "__owner": OWNER.format(name), "controlPlane": {"count": 1}, **others}


def at_once(name, **others):
    """A cluster that is not waited for."""
    return inputs(name, waitFor="none", **others)


def plain(outputs):
    """Outputs as the engine hands them back: secrets are plain text."""
    return {
        key: value["secret"] if isinstance(value, dict) and set(value) == {"secret"} else value
        for key, value in outputs.items()
    }


@pytest.fixture
def simulator(request):
    with Simulator(machines=getattr(request, "param", 6)) as omni:
        yield omni


@pytest.fixture
def start(start_provider, simulator):
    """Start a provider process whose stack is configured for the simulator."""

    def start(**options):
        process = start_provider(**options)
        process.configure(
            {"omni:endpoint": simulator.endpoint, "omni:serviceAccountKey": simulator.service_account_key}
        )
        return process

    return start


@pytest.fixture
def provider(start):
    return start()


def wait_until_created(client):
    """The provider removes the mark of an unfinished creation after it has answered the engine."""
    while Creation.of(client.state.get(CLUSTER, "west")) is not None:
        time.sleep(0.01)


def test_a_cluster_lives_from_create_to_delete(provider, client, engine):
    asked, failures = provider.check(inputs("west", workers=2))
    assert failures == {}
    id_, outputs = provider.create(asked)
    assert id_ == "west"
    assert (outputs["ready"], outputs["phase"], len(outputs["nodes"])) == (True, "RUNNING", 3)
    assert {key: outputs[key] for key in asked} == asked
    assert any(line.ephemeral and "machines running" in line.message for line in engine.lines)

    state = plain(outputs)
    assert provider.diff("west", state, asked).changes == DIFF_NONE
    wait_until_created(client)
    read_id, read_outputs, read_inputs = provider.read("west", state)
    assert (read_id, plain(read_outputs), read_inputs) == ("west", state, asked)

    more, _ = provider.check(inputs("west", workers=3), asked)
    assert provider.diff("west", state, more).changes == 0  # the engine finds out what
    updated = provider.update("west", state, more)
    assert (updated["workers"], len(updated["nodes"])) == (3, 4)

    provider.delete("west", plain(updated))
    assert client.state.find(CLUSTER, "west") is None
    provider.delete("west", plain(updated))
    assert provider.read("west", plain(updated)) == ("", {}, {})


def test_machines_may_be_named_in_capitals(provider, simulator):
    machine, other = sorted(entry.id for entry in simulator.store.list(MACHINE_STATUS))[:2]
    written = {
        "name": "west",
        "controlPlane": {"machines": [machine.upper()]},
        "workers": [{"machines": [other.upper()]}],
        "machines": {machine.upper(): {"install": {"disk": "/dev/vda"}}},
        "__owner": "organization/shop/dev/west",
    }
    asked, failures = provider.check(written)
    assert failures == {}
    assert asked["controlPlane"] == {"machines": [machine]}
    id_, outputs = provider.create(asked)
    assert {entry.id for entry in simulator.store.list(MACHINE_SET_NODE)} == {machine, other}
    assert outputs["ready"] is True

    state = plain(outputs)
    again, _ = provider.check(written, asked)
    assert again == asked
    assert provider.diff(id_, state, again).changes == DIFF_NONE
    earlier = {**state, **{key: written[key] for key in ("controlPlane", "workers", "machines")}}
    assert provider.diff(id_, earlier, again).changes == DIFF_NONE
    assert provider.read(id_, state)[2] == asked


def test_a_deadline_saves_the_cluster_and_the_next_update_goes_on(provider, simulator, failed):
    simulator.faults.never_join.add(1)
    asked = inputs("west", workers=5)
    with pytest.raises(failed) as late:
        provider.create(asked, timeout=10.0)
    saved = late.value.init_failed
    state = provider.plain(saved.properties)
    assert (saved.id, state["ready"], state["workers"]) == ("west", False, 5)
    assert list(saved.reasons) == [late.value.message]
    assert "is not ready after 10s" in late.value.message
    assert provider.diff("west", state, asked).changes == DIFF_SOME
    simulator.faults.never_join.clear()
    assert provider.update("west", state, asked)["ready"] is True


def test_an_interrupt_ends_the_wait_and_saves_the_cluster(provider, simulator, engine, failed):
    simulator.faults.never_join.add(1)
    call = provider.start("Create", provider.create_request(inputs("west", workers=5), timeout=SLOW))
    engine.wait_for(lambda line: "running" in line.message)
    provider.cancel()
    with pytest.raises(grpc.RpcError) as interrupted:
        call.result(timeout=SLOW)
    assert failed(interrupted.value).init_failed.id == "west"


def test_where_nothing_can_be_saved_the_next_create_says_how_to_go_on(start, simulator, engine, failed):
    provider = start(hidden="frames")
    simulator.faults.never_join.add(1)
    asked = inputs("west", workers=5)
    call = provider.start("Create", provider.create_request(asked))
    engine.wait_for(lambda line: "running" in line.message)
    provider.cancel()
    with pytest.raises(grpc.RpcError) as interrupted:
        call.result(timeout=SLOW)
    assert "grpc-status-details-bin" not in dict(interrupted.value.trailing_metadata())
    simulator.faults.never_join.clear()
    machines = {entry.id for entry in simulator.store.list(MACHINE_SET_NODE)}
    provider = start(hidden="frames")
    with pytest.raises(failed, match=r"import_='west'"):
        provider.call("Create", provider.create_request(asked))
    assert {entry.id for entry in simulator.store.list(MACHINE_SET_NODE)} == machines


@newest
def test_a_cluster_of_somebody_else_is_refused_and_can_be_adopted(provider, failed):
    provider.create(at_once("west"))
    other = URN.replace("shop", "other")
    foreign = {**at_once("west"), "__owner": "organization/other/dev/west"}
    with pytest.raises(failed) as refused:
        provider.create(foreign)
    assert refused.value.status.details == []
    assert "west" in refused.value.message
    imported, failures = provider.check({**foreign, "__adopt": True, "__preview": True}, urn=other)
    assert failures == {}
    assert provider.create(imported, urn=other)[0] == "west"
    provider.check({**foreign, "__preview": True}, urn=other)
    with pytest.raises(failed, match=r"was created by this resource "):
        provider.create(imported, urn=other)


@newest
def test_the_mark_of_a_creation_goes_once_the_engine_has_the_answer(provider, client):
    with client.state.watch(Query(CLUSTER, id="west")) as watch:
        while watch.next(timeout=60).kind != "bootstrapped":
            pass
        provider.create(at_once("west"))
        marks = []
        while not marks or marks[-1] is not None:
            event = watch.next(timeout=60)
            if event is not None and event.resource is not None:
                marks.append(Creation.of(event.resource))
    assert {mark.done for mark in marks[:-1]} == {False, True}


@newest
def test_a_replacement_that_an_earlier_run_began_keeps_name_and_versions(start, client):
    """It has deleted the cluster, so only the state tells them, by way of `diff`."""
    provider = start()
    asked, _ = provider.check(at_once("west", talosVersion="1.13.7"))
    id_, outputs = provider.create(asked)
    provider.delete(id_, plain(outputs))
    left_out = {**at_once("renamed"), "__nameLeftOut": True}
    old = {**plain(outputs), "__pinned": ["talosVersion", "kubernetesVersion"]}
    provider = start()
    provider.diff(id_, old, provider.check(left_out, at_once("west"))[0])
    inputs, failures = provider.check(left_out)
    assert (inputs["name"], failures) == ("west", {})
    assert plain(provider.create(inputs)[1])["talosVersion"] == "1.13.7"


@newest
def test_clusters_that_are_made_at_once_never_share_a_machine(provider, simulator):
    names = ["a", "b", "c"]
    calls = [provider.start("Create", provider.create_request(at_once(name, workers=1))) for name in names]
    assert {call.result().id for call in calls} == set(names)
    nodes = simulator.store.list(MACHINE_SET_NODE)
    assert Counter(node.labels[LABEL_CLUSTER] for node in nodes) == dict.fromkeys(names, 2)
    assert len({node.id for node in nodes}) == 6


@newest
def test_two_omnis_in_one_stack(start_provider):
    with Simulator(machines=1) as west, Simulator(machines=1, seed=1) as east:
        provider = start_provider(
            environment={"WEST_KEY": west.service_account_key, "EAST_KEY": east.service_account_key}
        )
        for omni, key in ((west, "WEST_KEY"), (east, "EAST_KEY")):
            provider.create(at_once("one", endpoint=omni.endpoint, serviceAccountKeyEnvVar=key))
        assert [omni.store.find(CLUSTER, "one").id for omni in (west, east)] == ["one", "one"]


@newest
def test_a_cluster_that_is_missing_in_another_omni_is_not_taken_for_gone(start_provider, start, failed, simulator):
    state = plain(start().create(at_once("west"))[1])
    with Simulator(machines=1, seed=1) as other:
        elsewhere = start_provider()
        elsewhere.configure({"omni:endpoint": other.endpoint, "omni:serviceAccountKey": other.service_account_key})
        for verb in (elsewhere.read, elsewhere.delete):
            with pytest.raises(failed) as refused:
                verb("west", state)
            assert f"was last seen in Omni at {simulator.endpoint}" in refused.value.message
    assert simulator.store.find(CLUSTER, "west") is not None


def test_get_reads_a_cluster_that_the_program_does_not_manage(provider, failed):
    provider.create(at_once("west"))
    id_, outputs, _ = provider.read("west", {})
    assert (id_, outputs["name"], len(outputs["controlPlane"]["machines"])) == ("west", "west", 1)
    with pytest.raises(failed) as missing:
        provider.read("east", {})
    assert "cluster 'east' not found in Omni at" in missing.value.message


def test_a_refresh_shows_what_somebody_changed(provider, client):
    asked = at_once("west", labels={"team": "a"}, talosVersion="v1.13.8")
    state = plain(provider.create(asked)[1])
    wait_until_created(client)
    client.state.modify(CLUSTER, "west", lambda cluster: replace(cluster, labels={**cluster.labels, "team": "b"}))
    _, outputs, found = provider.read("west", state)
    assert found == {**asked, "labels": {"team": "b"}}
    assert provider.diff("west", plain(outputs), asked).changes == 0
    provider.update("west", plain(outputs), asked)
    assert client.state.get(CLUSTER, "west").labels["team"] == "a"


@newest
def test_a_refresh_says_who_changed_the_cluster(provider, client, engine, simulator):
    asked = at_once("west", patches=[{"name": "time", "inline": "machine:\n  sysctls:\n    a: '1'\n"}])
    state = plain(provider.create(asked)[1])
    wait_until_created(client)
    colleague = connect(Connection(simulator.endpoint, simulator.issue_key("colleague")))
    spec = specs_pb2.ConfigPatchSpec(data="machine:\n  sysctls:\n    a: hunter2\n")
    colleague.state.modify(CONFIG_PATCH, "200-cluster-west-time", lambda patch: replace(patch, spec=spec))
    colleague.close()
    engine.clear()
    _, _, found = provider.read("west", state)
    assert found["patches"][0]["inline"] == spec.data
    (line,) = engine.texts("INFO")
    who = "colleague@serviceaccount.omni.sidero.dev"
    assert line.startswith(f"Omni's audit log: {who} changed patch 200-cluster-west-time on 20")
    assert "hunter2" not in line


@newest
def test_what_a_preview_says(provider, engine):
    provider.check({**inputs("west", workers=2), "__preview": True})
    lines = engine.texts("INFO")
    assert any("Talos" in line and "Kubernetes" in line for line in lines)
    engine.clear()
    provider.check({**inputs("west", workers=9), "__preview": True})
    (warning,) = engine.texts("WARNING")
    assert warning.startswith("not enough available machines in Omni for the requested node count: need 10, got 6")
    engine.clear()
    _, failures = provider.check({**inputs("west", talosVersion="1.2.3"), "__preview": True})
    assert set(failures) == {"talosVersion"}
    assert engine.texts("WARNING") == []


@newest
def test_a_refusal_before_the_write_is_not_saved(provider, failed, simulator):
    with pytest.raises(failed) as refused:
        provider.create(at_once("west", workers=9))
    expected = "not enough available machines in Omni for the requested node count: need 10, got 6"
    assert refused.value.message.startswith(expected)
    assert list(refused.value.status.details) == []
    assert simulator.store.find(CLUSTER, "west") is None


def keys(simulator):
    revoked = simulator.issue_key("revoked")
    simulator.revoke_key(revoked)
    return {
        "GARBAGE": "!!!",
        "EMPTY": "",
        "REVOKED": revoked,
        "READER": simulator.issue_key("reader", role="Reader"),
    }


@newest
@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("GARBAGE", "it is not base64"),
        ("EMPTY", "omni service account key is not set: environment variable EMPTY is not set"),
        ("MISSING", "omni service account key is not set: environment variable MISSING is not set"),
        ("REVOKED", "does not accept the key of service account 'revoked'"),
        ("READER", "service account 'reader' may not create"),
    ],
)
def test_a_key_that_does_not_serve_is_explained_without_a_traceback(
    start_provider, simulator, failed, variable, message
):
    provider = start_provider(environment=keys(simulator))
    with pytest.raises(failed) as refused:
        provider.create(at_once("west", endpoint=simulator.endpoint, serviceAccountKeyEnvVar=variable))
    assert message in refused.value.message
    assert "Traceback" not in refused.value.message + provider.log.read_text()


@newest
def test_an_omni_that_is_not_there_is_named(start_provider, simulator, failed):
    provider = start_provider(environment={"KEY": simulator.service_account_key})
    with pytest.raises(failed) as refused:
        provider.create(at_once("west", endpoint="http://127.0.0.1:1", serviceAccountKeyEnvVar="KEY"))
    assert refused.value.message.startswith("cannot connect to Omni at http://127.0.0.1:1")
    assert "Traceback" not in provider.log.read_text()


@pytest.mark.parametrize("verb", ["read", "delete"])
def test_where_omni_is_gone_the_command_that_forgets_the_cluster_is_named(start_provider, simulator, failed, verb):
    process = start_provider(environment={"KEY": simulator.service_account_key})
    gone = "https://127.0.0.1:1"
    inputs = at_once("west", endpoint=gone, serviceAccountKeyEnvVar="KEY")
    state = {**inputs, "schema": 2, "clusterUuid": "u", "__omni": gone}
    with pytest.raises(failed, match="the connection was refused") as caught:
        getattr(process, verb)("west", state)
    assert caught.value.message.endswith(
        f". If this Omni no longer exists, remove the resource from the stack with "
        f"`pulumi state delete --target-dependents '{URN}'`"
    )


def test_no_secret_shows_where_it_should_not(provider, simulator, engine, failed):
    asked = inputs("west")
    _, outputs = provider.create(asked)
    with pytest.raises(failed) as refused:
        provider.update("west", plain(outputs), inputs("west", workers=9))
    shown = [json.dumps(outputs), provider.log.read_text(), refused.value.details, refused.value.message]
    assert not [text for text in [*shown, *engine.texts()] if simulator.service_account_key in text]


@newest
def test_a_cluster_that_is_gone_cannot_be_updated(provider, client, failed):
    state = plain(provider.create(at_once("west"))[1])
    provider.delete("west", state)
    with pytest.raises(NotFoundError):
        client.state.get(CLUSTER, "west")
    with pytest.raises(failed) as gone:
        provider.update("west", state, at_once("west", workers=1))
    assert "pulumi refresh" in gone.value.message


@newest
def test_a_preview_says_once_that_a_replaced_cluster_is_backed_up(start, engine):
    asked, _ = start().check(inputs("west", backupBefore=["delete"]))
    id_, outputs = start().create(asked)
    preview = start()
    renamed = {**inputs("east"), "__preview": True}
    news, failures = preview.check(renamed, asked)
    assert failures == {}
    assert preview.diff(id_, plain(outputs), news).replaces == ["name"]
    preview.check(renamed)
    (line,) = [text for text in engine.texts() if "cluster west is deleted" in text]
    assert "cluster west is deleted first, after a backup of etcd, and its machines are wiped: " in line


@newest
@pytest.mark.parametrize("tainted", [True, False])
def test_a_preview_says_that_a_cluster_whose_replacement_is_forced_is_backed_up(start, engine, tainted):
    """The engine makes no `diff` then, and of a tainted resource it does not pass the inputs before."""
    asked, _ = start().check(inputs("west", backupBefore=["delete"]))
    start().create(asked)
    preview = start()
    same = {**inputs("west", backupBefore=["delete"]), "__preview": True}
    if not tainted:
        preview.check(same, asked)
    preview.check(same)
    assert any("the cluster is deleted first, after a backup of etcd, and" in text for text in engine.texts())
