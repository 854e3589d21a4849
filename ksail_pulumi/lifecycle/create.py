"""Creates a cluster, or continues an unfinished creation."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ksail_pulumi.errors import LifecycleError
from ksail_pulumi.lifecycle.account import writing
from ksail_pulumi.lifecycle.attempt import Attempt
from ksail_pulumi.lifecycle.backup_first import back_up_before_upgrade
from ksail_pulumi.lifecycle.claims import pool_of
from ksail_pulumi.lifecycle.converge import converge
from ksail_pulumi.lifecycle.lease import Lease
from ksail_pulumi.lifecycle.needed import Needed
from ksail_pulumi.lifecycle.ownership import refuse_existing
from ksail_pulumi.lifecycle.presence import Presence
from ksail_pulumi.lifecycle.snapshot import take_snapshot
from ksail_pulumi.lifecycle.upstream import fetch_for
from ksail_pulumi.lifecycle.waiting.gone import wait_until_gone
from ksail_pulumi.plan.ownership import Creation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ksail_pulumi.lifecycle.claims import Claim
    from ksail_pulumi.lifecycle.outputs import ClusterOutputs
    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.model.parse import ClusterSpec
    from ksail_pulumi.plan.ownership import OwnershipMark
    from ksail_pulumi.plan.reservations import Earlier
    from ksail_pulumi.plan.snapshot import Snapshot


def create(
    spec: ClusterSpec,
    mark: OwnershipMark,
    session: Session,
    *,
    adopt: bool = False,
    resumable: bool = True,
    create_first: bool = False,
    earlier: Sequence[Earlier] = (),
) -> ClusterOutputs:
    """Create a cluster and wait until it reaches `spec.wait_for`.

    An unfinished creation by the same resource is continued; any other cluster of this name is refused.

    Args:
        spec: The desired cluster; versions that it omits are the newest that Omni supports.
        mark: The owner mark of this resource.
        session: The Omni and the deadline.
        adopt: Take over the existing cluster.
        resumable: Whether the mark is unique to this resource; otherwise nothing is continued.
        create_first: Whether a replacement of the resource creates before it deletes.
        earlier: The clusters that the program declares first: they get their machines first.

    Raises:
        ForeignClusterError: A cluster of this name exists; the text names its owner and how to take it over.
        NotEnoughMachinesError: The pool cannot serve the cluster.
        InputError: A requested version or machine is not available.
        ClusterFailedError: A failure lasted too long.
        ClusterGoneError: Someone deleted the cluster in the meantime.
        WaitTimeoutError: The deadline passed.
        CancelledError: The user interrupted.
        OmniError: Omni refused a write, or did not answer.

    All except `ClusterGoneError` carry `.outputs` once Omni has accepted the cluster.
    """
    lease = None if adopt else Lease(session.client, spec.name)
    attempt = Attempt(spec, session)
    # Before the backup, because it may refuse the creation.
    fetched = fetch_for(spec, mark, session, {})
    attempt.checksums = fetched.checksums
    if adopt:
        back_up_before_upgrade(spec, session)
    with ExitStack() as while_written:
        while_written.enter_context(lease.held() if lease else nullcontext())
        while_written.enter_context(attempt.saved())
        _write(
            spec,
            mark,
            attempt,
            lease=lease,
            adopt=adopt,
            resumable=resumable,
            create_first=create_first,
            earlier=earlier,
            texts=fetched.texts,
            while_written=while_written,
        )
        return attempt.wait()


def _write(
    spec: ClusterSpec,
    mark: OwnershipMark,
    attempt: Attempt,
    *,
    lease: Lease | None,
    adopt: bool,
    resumable: bool,
    create_first: bool,
    earlier: Sequence[Earlier],
    texts: Mapping[str, str],
    while_written: ExitStack,
) -> None:
    """Write the cluster. A function of its own: during the wait, what was read for it must not stay in memory."""
    session, name = attempt.session, spec.name
    with pool_of(session.client.endpoint).claim() as claim:
        snapshot = _without_the_old(name, Needed.by(spec, earlier), session, claim, exists=adopt or None)
        if lease is None:
            found = _to_adopt(snapshot, name, mark, create_first=create_first)
            attempt.creation = found.run if found else ""
        else:
            if snapshot.cluster is not None:
                lease.take(partial(refuse_existing, mark=mark, resumable=resumable, create_first=create_first))
                attempt.applied.accepted = True
            attempt.creation = lease.creation.run
        if snapshot.cluster is not None:
            # A new cluster takes machines only, and checks know that. One that exists may also free some.
            while_written.enter_context(writing(session.client))
        uuid = snapshot.cluster_uuid.spec.uuid if snapshot.cluster_uuid is not None else ""
        presence = Presence(name, uuid=uuid, creation=lease.creation if lease else None, mark=mark)
        attempt.session = replace(session, presence=presence)
        attempt.converged(
            converge(
                spec,
                mark,
                attempt.session,
                claim=claim,
                snapshot=snapshot,
                applied=attempt.applied,
                lease=lease,
                earlier=earlier,
                adopt=adopt,
                texts=texts,
                continued=lease is not None and snapshot.cluster is not None,
            )
        )


def _without_the_old(name: str, needed: Needed, session: Session, claim: Claim, *, exists: bool | None) -> Snapshot:
    """Read Omni, after an old cluster of this name that is being deleted is gone."""
    snapshot = take_snapshot(session.client, name, needed, exists=exists)
    if snapshot.cluster is None or not snapshot.cluster.tearing_down:
        return snapshot
    session.progress(f"waiting for the deletion of the old cluster {name}")
    wait_until_gone([snapshot.cluster], session, name)
    claim.reads_now()
    return take_snapshot(session.client, name, needed)


def _to_adopt(snapshot: Snapshot, name: str, mark: OwnershipMark, *, create_first: bool) -> Creation | None:
    """The unfinished creation, if any, of a cluster to take over.

    Raises:
        LifecycleError: There is no such cluster.
        ForeignClusterError: This resource already has it and would delete it: its replacement creates first.
    """
    if snapshot.cluster is None:
        raise LifecycleError(f"cannot import cluster {name!r}: it does not exist in this Omni; remove `import_`")
    if create_first and mark.names(mark.owner_of(snapshot.cluster)):
        refuse_existing(snapshot.cluster, mark, create_first=True)
    return Creation.of(snapshot.cluster)
