"""Changes a cluster in place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import LifecycleError
from ksail_pulumi.lifecycle.account import writing
from ksail_pulumi.lifecycle.attempt import Attempt
from ksail_pulumi.lifecycle.backup_first import back_up_before_upgrade
from ksail_pulumi.lifecycle.claims import pool_of
from ksail_pulumi.lifecycle.converge import converge
from ksail_pulumi.lifecycle.manifest_sync import sync_manifests
from ksail_pulumi.lifecycle.needed import Needed
from ksail_pulumi.lifecycle.outputs import CHECKSUMS, inputs_in, reached
from ksail_pulumi.lifecycle.ownership import refuse_lost
from ksail_pulumi.lifecycle.presence import Presence
from ksail_pulumi.lifecycle.snapshot import take_snapshot
from ksail_pulumi.lifecycle.upstream import fetch_for
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.plan.ownership import Creation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ksail_pulumi.lifecycle.identity import Identity
    from ksail_pulumi.lifecycle.outputs import ClusterOutputs
    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.model.parse import ClusterSpec
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.reservations import Earlier
    from ksail_pulumi.plan.snapshot import Snapshot


def update(
    spec: ClusterSpec,
    identity: Identity,
    session: Session,
    *,
    old: Mapping[str, Any] | None = None,
    earlier: Sequence[Earlier] = (),
) -> ClusterOutputs:
    """Change a cluster to `spec` and wait until that is reached. Also continues an interrupted attempt.

    Args:
        spec: The desired cluster; versions that it omits stay as they are.
        identity: The cluster and its owner.
        session: The Omni and the deadline.
        old: The outputs of the last attempt. What only their inputs contain is removed.
        earlier: The clusters that the program declares first: they get their machines first.

    Raises:
        ForeignClusterError: The cluster now belongs to someone else.
        NotEnoughMachinesError: The pool cannot serve the cluster.
        InputError: A requested version or machine is not available.
        ClusterFailedError: A failure lasted too long.
        ClusterGoneError: Someone deleted the cluster in the meantime.
        WaitTimeoutError: The deadline passed.
        CancelledError: The user interrupted.
        LifecycleError: The cluster is gone, or locked, or the backup before the upgrade failed.
        OmniError: Omni refused a write, or did not answer.

    All except `ClusterGoneError` carry `.outputs` once something has been written.
    """
    client, name, mark = session.client, spec.name, identity.mark
    attempt = Attempt(spec, session, old)
    # Before the backup, because it may refuse the update.
    fetched = fetch_for(spec, mark, session, (old or {}).get(CHECKSUMS) or {})
    attempt.checksums = fetched.checksums
    # Without a claim on machines: it can take minutes.
    back_up_before_upgrade(
        spec, session, check=lambda found: refuse_lost(_present(identity, found, client.endpoint), mark, "change")
    )
    with writing(client), attempt.saved():
        outdated = _write(spec, identity, attempt, old=old, earlier=earlier, texts=fetched.texts)
    outputs = attempt.wait()
    if outdated and spec.wait_for == "ready":
        with attempt.saved():
            sync_manifests(name, session)
    return outputs


def _write(
    spec: ClusterSpec,
    identity: Identity,
    attempt: Attempt,
    *,
    old: Mapping[str, Any] | None,
    earlier: Sequence[Earlier],
    texts: Mapping[str, str],
) -> bool:
    """Write the changes; whether Kubernetes has objects of manifests that have changed.

    A function of its own: during the wait, what was read for it must not stay in memory.
    """
    session, mark = attempt.session, identity.mark
    with pool_of(session.client.endpoint).claim() as claim:
        snapshot = take_snapshot(session.client, spec.name, Needed.by(spec, earlier))
        cluster = _present(identity, snapshot, session.client.endpoint)
        refuse_lost(cluster, mark, "change")
        creation = Creation.of(cluster)
        attempt.creation = creation.run if creation else ""
        uuid = snapshot.cluster_uuid.spec.uuid if snapshot.cluster_uuid is not None else ""
        attempt.session = replace(session, presence=Presence(spec.name, uuid=uuid))
        converged = converge(
            spec,
            mark,
            attempt.session,
            claim=claim,
            snapshot=snapshot,
            applied=attempt.applied,
            previous=parse_cluster(inputs_in(old)) if old else None,
            earlier=earlier,
            texts=texts,
            continued=old is not None and not reached(old),
        )
        attempt.converged(converged)
        return converged.outdated


def _present(identity: Identity, snapshot: Snapshot, endpoint: str) -> Resource:
    """The cluster that the state identifies.

    Raises:
        LifecycleError: It does not exist, or is being deleted.
    """
    cluster = snapshot.cluster
    if not identity.is_in(cluster, snapshot.cluster_uuid, endpoint) or cluster is None:
        missing = identity.missing(cluster)
    elif cluster.tearing_down:
        missing = f"cluster {cluster.id!r} is being deleted"
    else:
        return cluster
    raise LifecycleError(
        f"{missing}. Run `pulumi refresh` to update the state; the next `pulumi up` creates the cluster again"
    )
