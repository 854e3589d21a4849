"""When what is being torn down counts as gone."""

from __future__ import annotations

from ksail_pulumi.lifecycle.waiting.gone import Gone
from ksail_pulumi.lifecycle.waiting.view import ClusterView
from ksail_pulumi.omni.resources import CLUSTER, LABEL_CLUSTER, MACHINE_INSTALL_DISK_CONFIG, MACHINE_SET, Resource
from ksail_pulumi.omni.watch import Query, WatchEvent


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
