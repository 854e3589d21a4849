"""The client on an Omni: the simulated one, or with `--omni-endpoint` a real one."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from ksail_pulumi.errors import (
    AlreadyExistsError,
    AuthenticationError,
    ConflictError,
    NotFoundError,
    OmniError,
    PermissionDeniedError,
    RefusedError,
    UnsupportedError,
)
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import Client
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CONFIG_PATCH,
    CURRENT_USER,
    MACHINE_STATUS,
    SYS_VERSION,
    TALOS_VERSION,
    Resource,
)
from ksail_pulumi.omni.watch import Query, Watch

WITHIN = 60.0
LABEL = "ksail-pulumi-test"


@pytest.fixture
def patch(omni: Client) -> Iterator[Callable[..., Resource]]:
    """Makes config patches of no cluster, which do nothing; all are removed at the end."""
    mark = secrets.token_hex(4)

    def make(name: str = "a", data: str = "machine:\n  sysctls: {}\n", **metadata: object) -> Resource:
        labels = {LABEL: mark}
        return Resource(
            CONFIG_PATCH, f"test-{mark}-{name}", specs_pb2.ConfigPatchSpec(data=data), labels=labels, **metadata
        )

    yield make
    left = omni.state.list(CONFIG_PATCH, {LABEL: mark})
    for resource in left:
        if resource.finalizers and not resource.tearing_down:
            omni.state.update(replace(resource, finalizers=()))
    for call in [omni.state.start_teardown(CONFIG_PATCH, resource.id) for resource in left]:
        try:
            call.result()
        except NotFoundError:
            continue


def take(watch: Watch, *kinds: str) -> list[Resource | None]:
    """The resources of the next events, which must be of these kinds."""
    events = []
    for kind in kinds:
        event = watch.next(timeout=WITHIN)
        assert event is not None, f"nothing came for {kind!r} after {events}"
        assert event.kind == kind
        events.append(event.resource)
    return events


def test_it_tells_its_version_and_what_it_offers(omni):
    assert omni.state.get(SYS_VERSION, "current").spec.backend_version
    assert omni.state.list(TALOS_VERSION)


def test_machines_are_listed_with_labels(omni, free_machines):
    assert set(free_machines) <= {status.id for status in omni.state.list(MACHINE_STATUS)}


def test_a_resource_lives_from_create_to_destroy(omni, patch):
    created = omni.state.create(patch(annotations={"name": "x"}))
    assert (created.version, created.phase, created.owner) == (1, "running", "")
    assert created.created is not None
    assert omni.state.get(CONFIG_PATCH, created.id) == created
    assert omni.state.list(CONFIG_PATCH, created.labels) == [created]
    assert omni.state.list(CONFIG_PATCH, {**created.labels, "other": None}) == []
    updated = omni.state.update(replace(created, annotations={"name": "y"}))
    assert (updated.version, updated.annotations) == (2, {"name": "y"})
    with omni.state.watch(Query(CONFIG_PATCH, id=created.id)) as watch:
        assert take(watch, "created", "bootstrapped")[0] == updated
        assert omni.state.teardown(CONFIG_PATCH, created.id) is True
        event = watch.next(timeout=WITHIN)
        while event is not None and event.kind == "updated":
            event = watch.next(timeout=WITHIN)
        assert event is not None
        assert event.kind == "destroyed"
    assert omni.state.find(CONFIG_PATCH, created.id) is None


def test_a_long_patch_comes_back_word_for_word(omni, patch):
    text = "machine:\n  sysctls:\n" + "".join(f'    net.core.test{number}: "{number}"\n' for number in range(300))
    omni.state.create(patch(data=text))
    assert omni.state.get(CONFIG_PATCH, patch().id).spec.data == text


def test_what_exists_cannot_be_created_again(omni, patch):
    omni.state.create(patch())
    with pytest.raises(AlreadyExistsError, match="already exists"):
        omni.state.create(patch())


@pytest.mark.parametrize("verb", ["get", "teardown", "destroy"])
def test_what_is_missing_is_not_found(omni, patch, verb):
    with pytest.raises(NotFoundError, match="doesn't exist"):
        getattr(omni.state, verb)(CONFIG_PATCH, patch().id)


def test_an_update_of_an_older_version_is_a_conflict(omni, patch):
    created = omni.state.create(patch())
    omni.state.update(replace(created, annotations={"a": "b"}))
    with pytest.raises(ConflictError):
        omni.state.update(replace(created, annotations={"c": "d"}))


def test_changes_from_many_threads_are_all_kept(omni, patch):
    created = omni.state.create(patch())

    def add(name: str) -> None:
        omni.state.modify(CONFIG_PATCH, created.id, lambda found: replace(found, labels={**found.labels, name: ""}))

    names = [f"thread-{number}" for number in range(6)]
    threads = [threading.Thread(target=add, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(names) < set(omni.state.get(CONFIG_PATCH, created.id).labels)


def test_finalizers_hold_a_resource(omni, patch):
    created = omni.state.create(patch(finalizers=("test",)))
    assert created.finalizers == ("test",)
    with pytest.raises(ConflictError, match="pending finalizers"):
        omni.state.destroy(CONFIG_PATCH, created.id)
    modified = omni.state.modify(CONFIG_PATCH, created.id, lambda found: replace(found, labels={LABEL: "gone"}))
    assert modified.finalizers == ("test",)
    omni.state.update(replace(modified, labels=created.labels, finalizers=()))
    omni.state.destroy(CONFIG_PATCH, created.id)


def test_a_refusal_names_every_reason(omni):
    wrong = Resource(CLUSTER, "not a name", specs_pb2.ClusterSpec(talos_version="0.0.1"))
    with pytest.raises(RefusedError) as caught:
        omni.state.create(wrong)
    lines = caught.value.detail.splitlines()
    assert "name should only contain letters, digits, dashes and underscores" in lines
    assert "error validating Kubernetes version: version is required" in lines
    assert str(caught.value).startswith("cannot create Clusters.omni.sidero.dev(default/not a name):\n  - ")


def test_what_only_omni_writes_may_only_be_read(omni):
    status = Resource(MACHINE_STATUS, f"test-{secrets.token_hex(4)}", specs_pb2.MachineStatusSpec())
    with pytest.raises(PermissionDeniedError, match="only read access is permitted"):
        omni.state.create(status)


def test_a_type_that_cannot_be_watched_is_unsupported(omni):
    with omni.state.watch(Query(CURRENT_USER, id="current")) as watch, pytest.raises(UnsupportedError):
        watch.next(timeout=WITHIN)


def test_a_watch_tells_what_is_what_becomes_and_what_goes(omni, patch):
    first = omni.state.create(patch("a"))
    with omni.state.watch(Query(CONFIG_PATCH, labels=first.labels)) as watch:
        assert take(watch, "created", "bootstrapped") == [first, None]
        second = omni.state.create(patch("b"))
        changed = omni.state.update(replace(first, annotations={"name": "y"}))
        assert take(watch, "created", "updated") == [second, changed]
        omni.state.update(replace(second, labels={}))
        omni.state.destroy(CONFIG_PATCH, first.id)
        assert [resource.id for resource in take(watch, "destroyed", "destroyed") if resource] == [second.id, first.id]
    omni.state.destroy(CONFIG_PATCH, second.id)


def test_a_watch_of_what_is_missing_says_so_and_tells_when_it_comes(omni, patch):
    with omni.state.watch(Query(CONFIG_PATCH, id=patch().id)) as watch:
        take(watch, "destroyed", "bootstrapped")
        created = omni.state.create(patch())
        assert take(watch, "created") == [created]


def test_a_config_can_be_validated(omni):
    omni.management.start_validate_config("machine:\n  sysctls: {}\n").result()
    with pytest.raises(RefusedError) as caught:
        omni.management.start_validate_config("cluster:\n  id: x\nmachine:\n  type: worker\n").result()
    assert caught.value.detail.splitlines() == [
        'overriding "cluster.id" is not allowed in the config patch',
        'overriding "machine.type" is not allowed in the config patch',
    ]


def test_a_talosconfig_points_to_omni(omni):
    assert "contexts:" in omni.management.start_talosconfig("prod").result()


def test_a_kubeconfig_needs_a_cluster(omni):
    with pytest.raises(OmniError, match="cannot create a kubeconfig for cluster 'no-such-cluster'"):
        omni.management.start_kubeconfig(
            "no-such-cluster", user="u", groups=["system:masters"], ttl=timedelta(hours=1)
        ).result()


def test_an_unknown_key_is_rejected_by_every_call(omni, omni_endpoint, key_text):
    connection = replace(omni._connection, service_account_key=key_text)
    stranger = Client(connection)
    attempts = (
        lambda: stranger.state.get(SYS_VERSION, "current"),
        lambda: stranger.state.list(CLUSTER),
        lambda: stranger.management.start_talosconfig("prod").result(),
        lambda: stranger.state.watch(Query(CLUSTER)).next(timeout=WITHIN),
    )
    for attempt in attempts:
        with pytest.raises(AuthenticationError, match=r"'automation'.*clock.*revoked"):
            attempt()
    stranger.close()


def test_a_revoked_key_is_rejected(simulator, omni):
    key = simulator.issue_key("other")
    client = Client(Connection(simulator.endpoint, key))
    assert client.state.list(CLUSTER) == []
    simulator.revoke_key(key)
    with pytest.raises(AuthenticationError):
        client.state.list(CLUSTER)
    client.close()


def test_a_reader_may_not_write(simulator, patch):
    client = Client(Connection(simulator.endpoint, simulator.issue_key("reader", role="Reader")))
    assert client.state.list(CLUSTER) == []
    with pytest.raises(PermissionDeniedError, match="needs the role Operator"):
        client.state.create(patch())
    client.close()


def test_a_watch_goes_on_after_its_stream_broke(simulator, omni, patch):
    first = omni.state.create(patch("a"))
    with omni.state.watch(Query(CONFIG_PATCH, labels=first.labels)) as watch:
        take(watch, "created", "bootstrapped")
        for number in range(3):
            simulator.faults.break_watches()
            changed = omni.state.modify(
                CONFIG_PATCH, first.id, lambda found, number=number: replace(found, annotations={"n": str(number)})
            )
            assert take(watch, "updated") == [changed]


def test_calls_live_through_an_omni_that_is_away_for_a_moment(simulator, omni):
    simulator.faults.unavailable = 2
    assert omni.state.list(CLUSTER) == []
    simulator.faults.unavailable = 2
    assert omni.state.find(CLUSTER, "prod") is None


def test_many_creates_take_no_longer_than_one(simulator, omni, patch):
    omni.state.list(CLUSTER)
    simulator.faults.round_trip = 0.5
    began = time.monotonic()
    calls = [omni.state.start_create(patch(str(number))) for number in range(100)]
    assert {call.result().version for call in calls} == {1}
    assert time.monotonic() - began < 100 * 0.5 / 2  # one after the other they take 50 s
    simulator.faults.round_trip = 0.0


def test_several_queries_are_followed_in_one_watch(omni, patch):
    created = omni.state.create(patch())
    queries = [Query(CONFIG_PATCH, labels=created.labels), Query(CONFIG_PATCH, id=created.id)]
    with omni.state.watch(*queries) as watch:
        for _ in range(4):
            assert watch.next(timeout=WITHIN) is not None
        omni.state.destroy(CONFIG_PATCH, created.id)
        events = [watch.next(timeout=WITHIN) for _ in queries]
    assert {event.query for event in events} == set(queries)
    assert {event.kind for event in events} == {"destroyed"}
