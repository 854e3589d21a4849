"""Takes an upgrade back that has failed, as Omni does it: by the versions that the cluster had before."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ksail_pulumi.errors import ClusterGoneError, KsailPulumiError
from ksail_pulumi.lifecycle.waiting.view import ClusterView
from ksail_pulumi.lifecycle.waiting.watch import wait
from ksail_pulumi.model.versions import Versions
from ksail_pulumi.omni.resources import CLUSTER, KUBERNETES_UPGRADE_STATUS, TALOS_UPGRADE_STATUS

if TYPE_CHECKING:
    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.lifecycle.waiting.goal import Goal
    from ksail_pulumi.omni.resources import Resource


@dataclass(frozen=True)
class Reverted:
    """An upgrade that was taken back, at least in what Omni is set to.

    Attributes:
        versions: The versions that Omni is set to now.
        view: What Omni has reported since.
        goal: The former goal with these versions.
    """

    versions: Versions
    view: ClusterView
    goal: Goal


def revert(goal: Goal, before: Versions, session: Session, error: KsailPulumiError) -> Reverted | None:
    """Take back what this attempt has begun to upgrade, and wait for that as long again as for the upgrade.

    Args:
        goal: The goal of the wait that has failed.
        before: The versions that Omni was set to before this attempt: only what it has changed is taken back.
        session: The Omni and the deadline of that wait.
        error: Why it has failed; its text is extended by what became of the upgrade.

    Returns:
        What Omni is set to; None if nothing was taken back.

    Raises:
        ClusterGoneError: The cluster was deleted in the meantime.
    """
    session = session.extended()
    target = Versions(goal.talos_version, goal.kubernetes_version)
    try:
        former = _former(target, before, goal.cluster, session)
    except KsailPulumiError as second:
        error.args = (f"{error}\nOmni did not report whether an upgrade has to be reverted: {second}",)
        return None
    if former == target:
        return None
    upgrade, back = _named(target, former), _named(former, target)
    try:
        session.progress(f"the upgrade failed, going back to {back}")
        session.client.state.modify(CLUSTER, goal.cluster, lambda cluster: _set(cluster, target, former))
    except KsailPulumiError as second:
        error.args = (f"the upgrade to {upgrade} failed, and Omni does not go back to {back}: {second}\n{error}",)
        return None
    goal = replace(goal, talos_version=former.talos, kubernetes_version=former.kubernetes)
    view = ClusterView(goal.cluster)
    try:
        wait(session, view, goal, last_write=time.monotonic())
    except ClusterGoneError:
        raise
    except KsailPulumiError as second:
        error.args = (
            f"the upgrade to {upgrade} failed. Omni goes back to {back}, but that has not finished: {second}\n"
            f"The upgrade failed because {error}",
        )
    else:
        error.args = (
            f"the upgrade to {upgrade} failed and was reverted: cluster {goal.cluster!r} runs {back} again. The next "
            f"`pulumi up` tries the upgrade again\nThe upgrade failed because {error}",
        )
    return Reverted(former, view, goal)


def _former(target: Versions, before: Versions, cluster: str, session: Session) -> Versions:
    """The versions that upgrades which have not finished began with, and those of the target otherwise."""
    state = session.client.state
    # The last version of an upgrade becomes that of the target when it has finished.
    kinds = (TALOS_UPGRADE_STATUS, KUBERNETES_UPGRADE_STATUS)
    talos, kubernetes = (call.result() for call in [state.start_find(kind, cluster) for kind in kinds])
    return Versions(
        (_last(talos) if before.talos != target.talos else "") or target.talos,
        (_last(kubernetes) if before.kubernetes != target.kubernetes else "") or target.kubernetes,
    )


def _last(status: Resource | None) -> str:
    return str(status.spec.last_upgrade_version) if status is not None else ""


def _set(cluster: Resource, target: Versions, former: Versions) -> Resource:
    """The cluster with the former versions, unless someone else has changed them in the meantime."""
    if (cluster.spec.talos_version, cluster.spec.kubernetes_version) != (target.talos, target.kubernetes):
        return cluster
    spec = type(cluster.spec)()
    spec.CopyFrom(cluster.spec)
    spec.talos_version, spec.kubernetes_version = former.talos, former.kubernetes
    return replace(cluster, spec=spec)


def _named(versions: Versions, others: Versions) -> str:
    """Those of the versions that differ from others."""
    names = [f"Talos {versions.talos}"] if versions.talos != others.talos else []
    names += [f"Kubernetes {versions.kubernetes}"] if versions.kubernetes != others.kubernetes else []
    return " and ".join(names)
