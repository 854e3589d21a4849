"""Changing a cluster in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import LifecycleError
from ksail_pulumi.lifecycle import snapshot
from ksail_pulumi.lifecycle.attempt import Attempt
from ksail_pulumi.lifecycle.converge import converge
from ksail_pulumi.lifecycle.manifests import sync_manifests
from ksail_pulumi.lifecycle.outputs import inputs_in
from ksail_pulumi.lifecycle.ownership import refuse_lost
from ksail_pulumi.lifecycle.pool import pool_of
from ksail_pulumi.spec.cluster import parse_cluster

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.lifecycle.outputs import ClusterOutputs
    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.plan.desired import OwnershipMark
    from ksail_pulumi.spec.cluster import ClusterSpec


def update(
    spec: ClusterSpec, mark: OwnershipMark, session: Session, *, old: Mapping[str, Any] | None = None
) -> ClusterOutputs:
    """Bring a cluster where `spec` says, and wait until it is there. Also goes on with an attempt that was cut short.

    Args:
        spec: What is asked for; versions that it leaves out stay as the cluster has them.
        mark: Who we are.
        session: Which Omni, until when.
        old: The outputs on the wire of the last attempt. What their inputs had and `spec` has not is removed; their
            kubeconfig and talosconfig are kept as long as they serve.

    Raises:
        ForeignClusterError: The cluster belongs to somebody else now.
        NotEnoughMachinesError: The pool cannot serve the cluster.
        InputError: A version or a machine that was asked for cannot be had.
        ClusterFailedError: A failure stood for too long.
        WaitTimeoutError: The deadline passed.
        CancelledError: The user interrupted.
        LifecycleError: The cluster is gone, or locked.
        OmniError: Omni refused a write, or did not answer.

    Each carries `.outputs` once something has been written.
    """
    client, name = session.client, spec.name
    attempt = Attempt(spec, old)
    with attempt.saved(), pool_of(client.endpoint).claim() as claim:
        reading = snapshot.read(client, name)
        if reading.cluster is None or reading.cluster.tearing_down:
            state = "does not exist in this Omni any more" if reading.cluster is None else "is being deleted"
            raise LifecycleError(
                f"cluster {name!r} {state}. Run `pulumi refresh` to take note of that; "
                f"the next `pulumi up` creates the cluster again"
            )
        refuse_lost(reading.cluster, mark, "change")
        previous = parse_cluster(inputs_in(old)) if old else None
        converged = converge(
            spec, mark, session, claim=claim, reading=reading, applied=attempt.applied, previous=previous
        )
        attempt.converged(converged)
    outputs = attempt.wait(session)
    if converged.outdated and spec.wait_for == "ready":
        with attempt.saved():
            sync_manifests(name, session)
    return outputs
