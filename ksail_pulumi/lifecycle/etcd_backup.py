"""Takes a backup of a cluster's etcd: asks Omni for it and waits until it is stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ksail_pulumi.errors import AlreadyExistsError, LifecycleError, RefusedError
from ksail_pulumi.lifecycle.waiting.diagnosis import Awaited
from ksail_pulumi.lifecycle.waiting.view import ClusterView
from ksail_pulumi.lifecycle.waiting.watch import Condition, follow
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    ETCD_BACKUP,
    ETCD_BACKUP_OVERALL_STATUS,
    ETCD_BACKUP_STATUS,
    ETCD_MANUAL_BACKUP,
    LABEL_CLUSTER,
    LABEL_CLUSTER_UUID,
    Resource,
)
from ksail_pulumi.omni.status import plain_text
from ksail_pulumi.omni.watch import Query
from ksail_pulumi.plan.backups import OVERALL_STATUS_ID, store_problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.omni.state import State

_STATUS = specs_pb2.EtcdBackupStatusSpec.Status


@dataclass(frozen=True)
class Backup:
    """A backup in Omni's store.

    Attributes:
        id: Omni's ID of it, `<cluster>-<seconds since 1970>`.
        cluster_uuid: Omni's UUID of the cluster, as `bootstrapSpec.clusterUUID` needs it.
        snapshot: Its name, as `bootstrapSpec.snapshot` needs it.
        taken_at: When it was begun.
        size: Its size in bytes.
    """

    id: str
    cluster_uuid: str
    snapshot: str
    taken_at: datetime
    size: int


def back_up(cluster: str, session: Session) -> Backup:
    """Take a backup of a cluster's etcd. The cluster needs no backup configuration, but Omni needs a store.

    Args:
        cluster: The cluster's name.
        session: The Omni and the deadline.

    Raises:
        LifecycleError: Omni has no store for backups, or the backup failed; the text has Omni's reason.
        ClusterGoneError: The cluster of `session.presence` was deleted in the meantime.
        WaitTimeoutError: The deadline passed.
        CancelledError: The user interrupted.
        OmniError: Omni refused, or did not answer.
    """
    state = session.client.state
    if problem := store_problem(state.find(ETCD_BACKUP_OVERALL_STATUS, OVERALL_STATUS_ID)):
        raise LifecycleError(f"cannot back up etcd of cluster {cluster!r}: {problem}")
    session.progress("taking an etcd backup")
    asked = _ask(cluster, state)
    view, after = ClusterView(cluster), asked
    while True:
        ended = _Ended(view, after)
        follow(
            session,
            view,
            ended,
            [Query(ETCD_BACKUP_STATUS, id=cluster)],
            describe=lambda: "waiting for the etcd backup",
            awaited=Awaited,
            waiting_for="has no etcd backup",
        )
        status = view.get(ETCD_BACKUP_STATUS, cluster)
        if status is not None and status.spec.status == _STATUS.Error:
            reason = plain_text(status.spec.error)
            raise LifecycleError(f"the etcd backup of cluster {cluster!r} failed: {reason}")
        if backup := _newest(backups_of(cluster, state), asked):
            return backup
        # A backup at the interval that had begun before: Omni begins the one that was asked for after it.
        after = ended.at + timedelta.resolution


def _ask(cluster: str, state: State) -> datetime:
    """Ask for a backup; returns when Omni received that, by its own clock."""
    spec = specs_pb2.EtcdManualBackupSpec()
    now = datetime.now(UTC)
    spec.backup_at.FromDatetime(now)
    try:
        try:
            written = state.create(Resource(ETCD_MANUAL_BACKUP, cluster, spec))
        except AlreadyExistsError:  # the request of an earlier backup: Omni keeps it
            written = state.modify(ETCD_MANUAL_BACKUP, cluster, lambda actual: replace(actual, spec=spec))
    except RefusedError as error:
        error.args = (f"{error}. Check this machine's clock: it says {now:%Y-%m-%d %H:%M:%S} UTC",)
        raise
    return written.updated or now


class _Ended(Condition):
    """Reached once a backup has ended at a point in time or after it.

    Attributes:
        at: When it has ended.
    """

    def __init__(self, view: ClusterView, after: datetime) -> None:
        self._view = view
        self._after = self.at = after
        self._since: float | None = None

    def observe(self, now: float) -> None:
        status = self._view.get(ETCD_BACKUP_STATUS, self._view.cluster)
        if status is None or status.spec.status not in (_STATUS.Ok, _STATUS.Error):
            return
        at = status.spec.last_backup_attempt.ToDatetime(UTC)
        if self._since is None and at >= self._after:
            self._since, self.at = now, at

    def done_at(self) -> float | None:
        return self._since


def backups_of(cluster: str, state: State) -> list[Backup]:
    """The backups of a cluster in Omni's store.

    Raises:
        OmniError: Omni refused, or did not answer.
    """
    return [
        Backup(
            each.id,
            each.labels.get(LABEL_CLUSTER_UUID, ""),
            each.spec.snapshot,
            each.spec.created_at.ToDatetime(UTC),
            each.spec.size,
        )
        for each in state.list(ETCD_BACKUP, {LABEL_CLUSTER: cluster})
    ]


def _newest(backups: Sequence[Backup], asked: datetime) -> Backup | None:
    """The newest backup, if it was begun after it was asked for."""
    newest = max(backups, key=lambda each: each.taken_at, default=None)
    # Omni counts the time of a backup in seconds.
    return newest if newest is not None and newest.taken_at >= asked.replace(microsecond=0) else None
