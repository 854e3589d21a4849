"""The lanes of a timeline: machines, machine sets, etcd, the Kubernetes API, upgrades and the cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from ksail_pulumi.lifecycle import facts
from ksail_pulumi.lifecycle.waiting.progress import stage
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER_BOOTSTRAP_STATUS,
    CLUSTER_MACHINE,
    CLUSTER_MACHINE_STATUS,
    CLUSTER_STATUS,
    KUBERNETES_UPGRADE_STATUS,
    LABEL_MACHINE_SET,
    LOAD_BALANCER_STATUS,
    MACHINE_SET_STATUS,
    TALOS_UPGRADE_STATUS,
    enum_name,
)
from ksail_pulumi.pictures.timeline import Lane, lasting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from ksail_pulumi.lifecycle.waiting.view import ClusterView
    from ksail_pulumi.omni.resources import Resource


QUIET = timedelta(minutes=15)
"""After so long without a change of a status, the next one has another reason. Installing a machine takes less."""

_STATUSES = (
    CLUSTER_BOOTSTRAP_STATUS,
    CLUSTER_MACHINE_STATUS,
    CLUSTER_STATUS,
    KUBERNETES_UPGRADE_STATUS,
    LOAD_BALANCER_STATUS,
    MACHINE_SET_STATUS,
    TALOS_UPGRADE_STATUS,
)


@dataclass(frozen=True)
class Moment:
    """What is known of a change.

    Attributes:
        begin: When it began.
        until: When it had ended; what changes later has another reason.
        nodes: When the place of a machine was written, by the machine's ID.
        done: Whether the cluster is healthy.
    """

    begin: datetime
    until: datetime
    nodes: Mapping[str, datetime]
    done: bool


def changed_at(resource: Resource) -> datetime:
    """When a resource changed last. Omni may date a new one before its creation."""
    assert resource.created is not None  # everything that Omni has was created
    return max(resource.created, resource.updated or resource.created)


def settled_at(view: ClusterView, last: datetime) -> datetime:
    """When nothing had changed for a while for the first time after the last write."""
    moments = sorted(changed_at(each) for kind in _STATUSES for each in view.all(kind))
    until = last
    for each in moments:
        if each > until:
            if each - until > QUIET:
                break
            until = each
    return until


def lanes_of(view: ClusterView, moment: Moment) -> list[Lane]:
    """What changed since a change began: machines and their sets, the parts of the cluster, and the cluster."""
    machines = [lane for each in view.all(CLUSTER_MACHINE_STATUS) if (lane := _machine(view, each, moment))]
    machines.sort(key=lambda lane: (lane.end is None, lane.end or lane.begin))
    found = [lane for each in view.all(MACHINE_SET_STATUS) for lane in _set(view, each, moment, machines)]
    found += _parts(view, moment)
    cluster = view.one(CLUSTER_STATUS)
    if cluster is not None:
        after = _after(cluster, found, moment)
        found.append(_lane("cluster", cluster, facts.phase(view), moment, after, ready=moment.done))
    return found


def _machine(view: ClusterView, status: Resource, moment: Moment) -> Lane | None:
    """A machine: a new one works from when Omni took it, and of another one only the end is known."""
    ready = status.id in view.running
    if ready and changed_at(status) < moment.begin:
        return None
    word = stage(status) if status.spec.ready or status.id not in view.applied else f"{stage(status)}, not ready"
    machine = view.get(CLUSTER_MACHINE, status.id)
    taken = machine.created if machine is not None and machine.created else None
    joined = taken is not None and taken >= moment.begin
    return replace(
        _lane(facts.hostname(status) or status.id, status, word, moment, None, ready=ready),
        begin=moment.nodes.get(status.id, moment.begin) if joined else moment.begin,
        since=taken if joined else None,
        group=status.labels.get(LABEL_MACHINE_SET, ""),
    )


def _set(view: ClusterView, status: Resource, moment: Moment, machines: Sequence[Lane]) -> Iterator[Lane]:
    """The machines of a set, and the set, which waits for them."""
    members = [lane for lane in machines if lane.group == status.id]
    yield from members
    if members or _new(status, moment, done=status.spec.ready):
        name = status.id.removeprefix(f"{view.cluster}-")
        phase = enum_name(specs_pb2.MachineSetPhase, status.spec.phase)
        yield _lane(f"set {name}", status, phase, moment, _after(status, members, moment), ready=status.spec.ready)


def _parts(view: ClusterView, moment: Moment) -> Iterator[Lane]:
    """Steps of the whole cluster. Those that were done before are left out."""
    bootstrap = view.get(CLUSTER_BOOTSTRAP_STATUS, view.cluster)
    balancer = view.get(LOAD_BALANCER_STATUS, view.cluster)
    talos, kubernetes = view.one(TALOS_UPGRADE_STATUS), view.one(KUBERNETES_UPGRADE_STATUS)
    etcd = None
    if bootstrap is not None and _new(bootstrap, moment, done=bootstrap.spec.bootstrapped):
        word = "bootstrapped" if bootstrap.spec.bootstrapped else "not bootstrapped yet"
        etcd = _lane("etcd", bootstrap, word, moment, None, ready=bootstrap.spec.bootstrapped)
        yield etcd
    if balancer is not None and _new(balancer, moment, done=balancer.spec.healthy):
        word = "reachable" if balancer.spec.healthy else "not reachable"
        after = _after(balancer, [etcd] if etcd else [], moment)
        yield _lane("Kubernetes API", balancer, word, moment, after, ready=balancer.spec.healthy)
    for name, status, phases in (
        ("Talos", talos, specs_pb2.TalosUpgradeStatusSpec.Phase),
        ("Kubernetes", kubernetes, specs_pb2.KubernetesUpgradeStatusSpec.Phase),
    ):
        if status is not None:
            done = status.spec.phase == phases.Done
            if _new(status, moment, done=done):
                word = status.spec.last_upgrade_version if done else enum_name(phases, status.spec.phase)
                yield _lane(f"{name} version", status, word, moment, None, ready=done)


def _new(status: Resource, moment: Moment, *, done: bool) -> bool:
    return not done or changed_at(status) >= moment.begin


def _after(status: Resource, others: Sequence[Lane], moment: Moment) -> Lane | None:
    """The last of what something waited for."""
    ended = [lane for lane in others if lane.end is not None and moment.begin <= lane.end <= changed_at(status)]
    return max(ended, key=lambda lane: lane.end or lane.begin, default=None)


def _lane(name: str, status: Resource, word: str, moment: Moment, after: Lane | None, *, ready: bool) -> Lane:
    end = max(changed_at(status), moment.begin)
    if not ready:
        return Lane(name, moment.begin, after.end if after else None, None, word, tone="busy")
    if end > moment.until:
        fact = f"{word}, changed again on {end:%Y-%m-%d at %H:%M} UTC: when it was done before is not known"
        return Lane(name, moment.begin, None, None, fact, tone="plain")
    if after is None or after.end is None:
        return Lane(name, moment.begin, None, end, word)
    waited = f", {lasting(after.end - moment.begin)} of it for {after.name}"
    return Lane(name, moment.begin, after.end, end, word, waited)
