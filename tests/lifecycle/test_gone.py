"""When what is being torn down counts as gone."""

from __future__ import annotations

from dataclasses import replace

from ksail_pulumi.lifecycle.waiting.gone import Gone, wait_until_gone
from ksail_pulumi.lifecycle.waiting.view import ClusterView
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CONFIG_PATCH,
    LABEL_CLUSTER,
    MACHINE_INSTALL_DISK_CONFIG,
    MACHINE_SET,
    Resource,
)
from ksail_pulumi.omni.watch import Query, WatchEvent
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab


def disk(machine: str) -> Resource:
    return Resource(MACHINE_INSTALL_DISK_CONFIG, machine, MACHINE_INSTALL_DISK_CONFIG.spec())


def test_several_of_a_type_without_a_label_are_watched_by_one_query() -> None:
    workers = Resource(MACHINE_SET, "prod-workers", MACHINE_SET.spec(), {LABEL_CLUSTER: "prod"})
    gone = Gone(ClusterView("prod"), [disk("one"), disk("two"), workers])
    watched = [(query.type.name, query.id, query.labels) for query in gone.queries]
    assert watched == [
        (MACHINE_SET.name, None, {LABEL_CLUSTER: "prod"}),
        (MACHINE_INSTALL_DISK_CONFIG.name, None, None),
    ]


def test_one_without_a_label_is_watched_by_its_id() -> None:
    gone = Gone(ClusterView("prod"), [Resource(CLUSTER, "prod", CLUSTER.spec())])
    assert [(query.type.name, query.id) for query in gone.queries] == [(CLUSTER.name, "prod")]


def test_nothing_counts_as_gone_before_all_of_its_type_has_been_told() -> None:
    view = ClusterView("prod")
    gone = Gone(view, [disk("one"), disk("two")])
    query: Query = gone.queries[0]
    gone.observe(1.0)
    assert gone.done_at() is None
    view.apply(query.type, WatchEvent("created", disk("one"), query))
    view.apply(query.type, WatchEvent("bootstrapped", None, query))
    gone.observe(2.0)
    assert gone.done_at() is None
    view.apply(query.type, WatchEvent("destroyed", disk("one"), query))
    gone.observe(3.0)
    assert gone.done_at() == 3.0


def test_progress_counts_what_is_left() -> None:
    view = ClusterView("prod")
    disks = [disk("one"), disk("two")]
    gone = Gone(view, disks)
    view.put(MACHINE_INSTALL_DISK_CONFIG, disks)
    assert gone.describe() == "waiting for 2 resources to be removed"
    left, query = [], gone.queries[0]
    for each in disks:
        view.apply(query.type, WatchEvent("destroyed", each, query))
        left.append(gone.describe())
    assert left == ["waiting for 1 resource to be removed", "resources removed"]


def test_what_only_loses_the_label_of_the_cluster_is_waited_for(lab: Lab, simulator: Simulator) -> None:
    state = lab.client.state
    held = Resource(CONFIG_PATCH, f"{lab.name}-held", CONFIG_PATCH.spec(data="machine: {}"), {LABEL_CLUSTER: lab.name})
    state.create(replace(held, finalizers=("test",)))
    state.teardown(CONFIG_PATCH, held.id)
    torn_down = state.get(CONFIG_PATCH, held.id)
    steps = []

    def next_step(_: str) -> None:
        steps.append(len(steps))
        actual = simulator.store.find(CONFIG_PATCH, held.id)
        if len(steps) == 1:
            simulator.store.edit(CONFIG_PATCH, held.id, lambda found: replace(found, labels={}))
        elif len(steps) == 2:
            assert actual is not None, "the wait goes on while it exists"
            simulator.store.edit(CONFIG_PATCH, held.id, lambda found: replace(found, finalizers=()))

    lab.on_progress = next_step
    wait_until_gone([torn_down], lab.session(seconds=30), lab.name)
    assert len(steps) >= 2
    assert state.find(CONFIG_PATCH, held.id) is None
