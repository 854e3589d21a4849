"""The last change of a cluster, from times that Omni keeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ksail_pulumi.lifecycle.history import timeline_of
from ksail_pulumi.lifecycle.status import TYPES
from ksail_pulumi.lifecycle.waiting.view import ClusterView
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.audit import AuditEntry
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_BOOTSTRAP_STATUS,
    CLUSTER_MACHINE,
    CLUSTER_MACHINE_IDENTITY,
    CLUSTER_MACHINE_STATUS,
    CLUSTER_STATUS,
    CLUSTER_UUID,
    CONFIG_PATCH,
    CONTROL_PLANE_STATUS,
    KUBERNETES_UPGRADE_STATUS,
    LABEL_CLUSTER,
    LABEL_CONNECTED,
    LABEL_CONTROL_PLANE,
    LABEL_MACHINE_SET,
    LOAD_BALANCER_STATUS,
    MACHINE_SET,
    MACHINE_SET_NODE,
    MACHINE_SET_STATUS,
    TALOS_UPGRADE_STATUS,
    Resource,
    ResourceType,
)
from ksail_pulumi.pictures.timeline import Lane, Timeline

BEGIN = datetime(2026, 11, 24, 3, 32, 24, tzinfo=UTC)
SET = "west-control-planes"
DAY = 86400
"""Of a cluster that runs: the seconds from its creation to its next change."""


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def resource(kind: ResourceType, id: str, created: float, updated: float, **others: Any) -> Resource:  # noqa: A002
    labels = {LABEL_CLUSTER: "west", LABEL_MACHINE_SET: SET, LABEL_CONTROL_PLANE: "", LABEL_CONNECTED: ""}
    fields = {
        "spec": kind.spec(),
        "labels": labels,
        "created": at(created),
        "updated": at(updated),
    }
    return Resource(kind, id, **{**fields, **others})


def running(**updated: float) -> list[Resource]:
    """A healthy cluster of one machine, created like the one that a real Omni was seen to create.

    Args:
        **updated: When a status changed last, in seconds since the cluster began, by what it is about.
    """
    machine = specs_pb2.ClusterMachineStatusSpec(
        ready=True, stage=specs_pb2.ClusterMachineStatusSpec.Stage.RUNNING, config_up_to_date=True
    )
    counts = specs_pb2.Machines(total=1, healthy=1, connected=1, requested=1)
    talos = specs_pb2.TalosUpgradeStatusSpec(
        phase=specs_pb2.TalosUpgradeStatusSpec.Phase.Done, last_upgrade_version="1.13.8"
    )
    kubernetes = specs_pb2.KubernetesUpgradeStatusSpec(
        phase=specs_pb2.KubernetesUpgradeStatusSpec.Phase.Done, last_upgrade_version="1.36.3"
    )
    cluster = specs_pb2.ClusterStatusSpec(
        available=True, ready=True, kubernetesAPIReady=True, controlplaneReady=True, machines=counts,
        phase=specs_pb2.ClusterStatusSpec.Phase.RUNNING,
    )  # fmt: skip
    members = specs_pb2.MachineSetStatusSpec(ready=True, phase=specs_pb2.MachineSetPhase.Running, machines=counts)
    ready = specs_pb2.ControlPlaneStatusSpec.Condition.Status.Ready
    condition = specs_pb2.ControlPlaneStatusSpec.Condition(type=specs_pb2.ConditionType.Etcd, status=ready)
    specs = {
        CLUSTER: specs_pb2.ClusterSpec(talos_version="1.13.8", kubernetes_version="1.36.3"),
        CLUSTER_MACHINE_IDENTITY: specs_pb2.ClusterMachineIdentitySpec(nodename="cp-1"),
        CLUSTER_MACHINE_STATUS: machine,
        MACHINE_SET_STATUS: members,
        CLUSTER_BOOTSTRAP_STATUS: specs_pb2.ClusterBootstrapStatusSpec(bootstrapped=True),
        LOAD_BALANCER_STATUS: specs_pb2.LoadBalancerStatusSpec(healthy=True),
        TALOS_UPGRADE_STATUS: talos,
        KUBERNETES_UPGRADE_STATUS: kubernetes,
        CONTROL_PLANE_STATUS: specs_pb2.ControlPlaneStatusSpec(conditions=[condition]),
        CLUSTER_UUID: specs_pb2.ClusterUUID(uuid="u"),
        CLUSTER_STATUS: cluster,
    }
    times = [
        (CLUSTER, "west", 0, updated.get("written", 1)),
        (MACHINE_SET, SET, 1, 1),
        (MACHINE_SET_NODE, "m", 1, 1),
        (CLUSTER_MACHINE, "m", 2, 2),
        (CLUSTER_MACHINE_IDENTITY, "m", 3, 3),
        (CLUSTER_MACHINE_STATUS, "m", 2, updated.get("machine", 60)),
        (MACHINE_SET_STATUS, SET, 1, updated.get("set", 61)),
        (CLUSTER_BOOTSTRAP_STATUS, "west", 2, updated.get("etcd", 30)),
        (LOAD_BALANCER_STATUS, "west", 2, updated.get("api", 50)),
        (TALOS_UPGRADE_STATUS, "west", 2, updated.get("talos", -1)),
        (KUBERNETES_UPGRADE_STATUS, "west", 62, updated.get("kubernetes", 70)),
        (CONTROL_PLANE_STATUS, SET, 2, 40),
        (CLUSTER_UUID, "west", 0, 0),
        (CLUSTER_STATUS, "west", 1, updated.get("cluster", 71)),
    ]
    return [resource(*each, spec=specs.get(each[0], each[0].spec())) for each in times]


def timeline(resources: list[Resource], log: list[AuditEntry] | None = None, now: float = 10 * DAY) -> Timeline:
    view = ClusterView("west")
    for kind in TYPES:
        view.put(kind, ())
    for each in resources:
        view.put(each.type, [each])
    written = [each for each in resources if each.type in (CLUSTER, MACHINE_SET, MACHINE_SET_NODE, CONFIG_PATCH)]
    return timeline_of(view, written, log, at(now))


def lane(found: Timeline, name: str) -> Lane:
    return next(each for each in found.lanes if each.name == name)


def seconds(moment: datetime | None) -> float | None:
    return None if moment is None else (moment - BEGIN).total_seconds()


def test_a_creation_lasts_from_the_first_write_to_the_last_status():
    found = timeline(running())
    assert found.facts == ("2026-11-24 03:32:24 UTC", "took 1 min 11 s", "added: 1 cluster, 1 machine set, 1 machine")
    machine = lane(found, "m")
    assert (seconds(machine.begin), seconds(machine.since), seconds(machine.end)) == (1, 2, 60)
    assert lane(found, f"set {SET.removeprefix('west-')}").waited == ", 1 min of it for m"
    assert lane(found, "Kubernetes API").waited == ", 30 s of it for etcd"
    assert lane(found, "cluster").waited == ", 1 min 10 s of it for Kubernetes version"
    assert seconds(lane(found, "Talos version").end) == 2  # Omni dates it before its creation


def test_only_the_last_change_is_drawn():
    patch = resource(CONFIG_PATCH, "500-time", 30, DAY)
    found = timeline([*running(machine=DAY + 5, set=DAY + 6, cluster=DAY + 7), patch])
    assert found.facts[1:] == ("took 7 s", "written: 1 patch")
    assert [each.name for each in found.lanes] == ["written to Omni", "m", "set control-planes", "cluster"]
    assert lane(found, "m").since is None  # it was in the cluster before: only its end is known


def test_an_upgrade_began_with_the_last_write_of_the_cluster():
    found = timeline(running(written=DAY, machine=DAY + 90, set=DAY + 91, talos=DAY + 95, cluster=DAY + 96))
    assert found.facts[1:] == ("took 1 min 36 s", "written: 1 cluster")
    assert lane(found, "Talos version").fact == "1.13.8"


def test_a_write_of_the_cluster_without_an_upgrade_is_no_change_of_it():
    """The mark of `pulumi up` is removed at the end of a creation, and its renewal is a write too."""
    assert timeline(running(written=400)).facts[1] == "took 1 min 11 s"


def test_what_changes_long_after_a_change_does_not_belong_to_it():
    found = timeline(running(machine=5 * DAY, set=5 * DAY, cluster=5 * DAY))
    assert found.facts[1] == "took 1 min 10 s"
    assert (lane(found, "m").end, lane(found, "m").tone) == (None, "plain")
    assert (
        lane(found, "m").fact
        == "running, changed again on 2026-11-29 at 03:32 UTC: when it was done before is not known"
    )


def test_a_change_that_has_not_finished_lasts_until_now():
    resources = running()
    stage = specs_pb2.ClusterMachineStatusSpec(stage=specs_pb2.ClusterMachineStatusSpec.Stage.BOOTING)
    resources = [replace(each, spec=stage) if each.type == CLUSTER_MACHINE_STATUS else each for each in resources]
    found = timeline(resources, now=300)
    assert found.facts[1] == "not finished after 5 min"
    assert (lane(found, "m").end, lane(found, "m").fact, lane(found, "m").tone) == (None, "booting", "busy")
    assert lane(found, "cluster").end is None


def test_a_creation_that_has_just_begun():
    machine = specs_pb2.ClusterMachineStatusSpec(
        stage=specs_pb2.ClusterMachineStatusSpec.Stage.RUNNING, config_up_to_date=True
    )
    specs = {
        CLUSTER_MACHINE_STATUS: machine,
        **{each: each.spec() for each in (CLUSTER_BOOTSTRAP_STATUS, LOAD_BALANCER_STATUS)},
    }
    found = timeline([replace(each, spec=specs.get(each.type, each.spec)) for each in running()], now=100)
    assert [lane(found, name).fact for name in ("m", "etcd", "Kubernetes API")] == [
        "running, not ready",
        "not bootstrapped yet",
        "not reachable",
    ]


def test_the_audit_log_is_believed_more_than_the_resources():
    log = [
        AuditEntry("create", "a@example.com", at(0), CLUSTER.name, "west"),
        AuditEntry("teardown", "b@example.com", at(DAY), MACHINE_SET_NODE.name, "gone"),
        AuditEntry("update", "b@example.com", at(DAY + 1), CONFIG_PATCH.name, "500-time"),
        AuditEntry("update_with_conflicts", "c@example.com", at(DAY + 1), CONFIG_PATCH.name, "500-time"),
    ]
    found = timeline(running(set=DAY + 4, cluster=DAY + 5), log)
    assert found.facts[1:] == ("took 5 s", "by b@example.com", "changed: 1 patch", "removed: 1 machine")
    assert len(found.lanes[0].marks) == 2
    assert not any("audit log" in note for note in found.notes)


def test_writes_of_one_up_may_wait_in_between():
    later = resource(CONFIG_PATCH, "500-time", 110, 110)
    assert timeline([*running(), later]).facts[1:] == (
        "took 1 min 50 s",
        "added: 1 cluster, 1 machine set, 1 machine, 1 patch",
    )
