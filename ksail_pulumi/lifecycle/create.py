"""Bringing a cluster into being, or going on with one that an earlier attempt has begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.errors import LifecycleError
from ksail_pulumi.lifecycle import snapshot
from ksail_pulumi.lifecycle.attempt import Attempt
from ksail_pulumi.lifecycle.converge import converge
from ksail_pulumi.lifecycle.gone import wait_until_gone
from ksail_pulumi.lifecycle.ownership import refuse_foreign
from ksail_pulumi.lifecycle.pool import pool_of

if TYPE_CHECKING:
    from ksail_pulumi.lifecycle.outputs import ClusterOutputs
    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.plan.desired import OwnershipMark
    from ksail_pulumi.spec.cluster import ClusterSpec


def create(spec: ClusterSpec, mark: OwnershipMark, session: Session, *, adopt: bool = False) -> ClusterOutputs:
    """Create a cluster and wait until it is where `spec.wait_for` asks it to be.

    A cluster of this name that carries our mark is continued: an earlier attempt has begun it.

    Args:
        spec: What is asked for; versions that it leaves out are the newest that Omni supports.
        mark: Who we are.
        session: Which Omni, until when.
        adopt: Take over the cluster that exists.

    Raises:
        ForeignClusterError: A cluster of this name exists and is not ours.
        NotEnoughMachinesError: The pool cannot serve the cluster.
        InputError: A version or a machine that was asked for cannot be had.
        ClusterFailedError: A failure stood for too long.
        WaitTimeoutError: The deadline passed.
        CancelledError: The user interrupted.
        OmniError: Omni refused a write, or did not answer.

    Each carries `.outputs` from the moment on when Omni has the cluster as ours.
    """
    client, name = session.client, spec.name
    attempt = Attempt(spec)
    with attempt.saved(), pool_of(client.endpoint).claim() as claim:
        reading = snapshot.read(client, name)
        if reading.cluster is not None and reading.cluster.tearing_down:
            session.progress(f"waiting for the old cluster {name} to be gone")
            wait_until_gone([reading.cluster], session, name)
            claim.reading()
            reading = snapshot.read(client, name)
        if reading.cluster is None and adopt:
            raise LifecycleError(f"cluster {name!r} does not exist in this Omni, so that it cannot be imported")
        if reading.cluster is not None:
            if not adopt:
                refuse_foreign(reading.cluster, mark)
            attempt.applied.accepted = mark.owns(reading.cluster)
        converged = converge(spec, mark, session, claim=claim, reading=reading, applied=attempt.applied, adopt=adopt)
        attempt.converged(converged)
    return attempt.wait(session)
