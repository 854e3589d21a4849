"""The backups of etcd that the input `backup_before` asks for."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ksail_pulumi.errors import ClusterGoneError, KsailPulumiError
from ksail_pulumi.lifecycle.etcd_backup import back_up
from ksail_pulumi.lifecycle.presence import Presence
from ksail_pulumi.omni.resources import CLUSTER, CLUSTER_BOOTSTRAP_STATUS, CLUSTER_UUID
from ksail_pulumi.plan.snapshot import Snapshot
from ksail_pulumi.plan.versions import is_upgrade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.model.parse import ClusterSpec


def back_up_before_upgrade(
    spec: ClusterSpec, session: Session, *, check: Callable[[Snapshot], None] | None = None
) -> None:
    """Take a backup if the spec asks for one and changes a version of the cluster, which is read for that.

    Args:
        spec: The desired cluster.
        session: The Omni and the deadline.
        check: Refuses the cluster if it must not be changed; given the cluster and its UUID.

    Raises:
        LifecycleError: Omni has no store for backups, or the backup failed.
        KsailPulumiError: As `back_up`, or by `check`.
    """
    if "upgrade" not in spec.backup_before:
        return
    state = session.client.state
    kinds = (CLUSTER, CLUSTER_UUID, CLUSTER_BOOTSTRAP_STATUS)
    cluster, uuid, bootstrap = (call.result() for call in [state.start_find(kind, spec.name) for kind in kinds])
    snapshot = Snapshot(
        resources=[cluster] if cluster is not None else [], cluster_uuid=uuid, bootstrap_status=bootstrap
    )
    if check is not None:
        check(snapshot)
    if cluster is not None and is_upgrade(spec, cluster):
        advice = "Nothing was changed. To upgrade without a backup, remove 'upgrade' from backupBefore"
        with _explained(advice):
            _back_up(snapshot, session, "the upgrade")


def back_up_before_deletion(snapshot: Snapshot, session: Session) -> None:
    """Take a backup of a cluster that will be deleted.

    Raises:
        LifecycleError: Omni has no store for backups, or the backup failed.
        KsailPulumiError: As `back_up`.
    """
    advice = (
        "Nothing was deleted. To delete the cluster without a backup, remove 'delete' from backupBefore and run "
        "`pulumi up` first: a deletion uses the inputs of the last `up`"
    )
    with _explained(advice):
        _back_up(snapshot, session, "the deletion")


def _back_up(snapshot: Snapshot, session: Session, what: str) -> None:
    cluster, uuid = snapshot.cluster, snapshot.cluster_uuid
    if cluster is None:
        raise AssertionError("there is a cluster to back up")
    if not snapshot.bootstrapped:
        session.warn(f"no backup is taken before {what}: cluster {cluster.id!r} has no etcd yet")
        return
    presence = Presence(cluster.id, uuid=uuid.spec.uuid if uuid is not None else "")
    backup = back_up(cluster.id, replace(session, presence=presence))
    session.progress(f"took the etcd backup {backup.snapshot}")


@contextmanager
def _explained(advice: str) -> Iterator[None]:
    """Add to an error what to do."""
    try:
        yield
    except ClusterGoneError:
        raise
    except KsailPulumiError as error:
        error.args = (f"{error}\n{advice}",)
        raise
