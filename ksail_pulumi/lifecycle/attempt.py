"""One attempt at a cluster; its errors carry the outputs, so the state is saved after a failure."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import (
    ClusterFailedError,
    ClusterGoneError,
    KsailPulumiError,
    OmniError,
    UnreachableError,
    WaitTimeoutError,
)
from ksail_pulumi.lifecycle import facts
from ksail_pulumi.lifecycle.apply import Applied
from ksail_pulumi.lifecycle.outputs import inputs_in
from ksail_pulumi.lifecycle.proof import prove
from ksail_pulumi.lifecycle.revert import revert
from ksail_pulumi.lifecycle.waiting.view import ClusterView, read_into
from ksail_pulumi.lifecycle.waiting.watch import wait
from ksail_pulumi.model.parse import to_wire
from ksail_pulumi.omni.resources import CLUSTER, CLUSTER_UUID
from ksail_pulumi.plan.locks import with_lock
from ksail_pulumi.plan.ownership import Creation, without_creation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ksail_pulumi.lifecycle.converge import Converged
    from ksail_pulumi.lifecycle.outputs import ClusterOutputs
    from ksail_pulumi.lifecycle.revert import Reverted
    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.lifecycle.waiting.applied import Group
    from ksail_pulumi.lifecycle.waiting.goal import Goal
    from ksail_pulumi.model.parse import ClusterSpec
    from ksail_pulumi.model.versions import Versions
    from ksail_pulumi.omni.resources import Resource


class Attempt:
    """One operation on one cluster, from the first write to the outputs.

    Attributes:
        applied: What has been written.
        creation: The attempt whose creation mark is on the cluster; `""` for none.
        session: The Omni and the deadline.
        checksums: The SHA-256 of the manifests of add-ons, by that of their URLs.
    """

    def __init__(self, spec: ClusterSpec, session: Session, old: Mapping[str, Any] | None = None) -> None:
        self.applied = Applied(spec.name)
        self.creation = ""
        self.session = session
        self.checksums: Mapping[str, str] = {}
        self._spec = spec
        self._old = old
        self._reverted = False
        self._groups: Sequence[Group] = ()
        self._proved = True
        self._view = ClusterView(spec.name)
        self._goal: Goal | None = None
        self._before: Versions | None = None
        self._locks: Sequence[Resource] = ()
        self._inputs = inputs_in(old) if old else to_wire(spec)

    @contextmanager
    def saved(self) -> Iterator[None]:
        """Attach the outputs to an error, if there is anything to save."""
        try:
            yield
        except ClusterGoneError:
            raise  # there is nothing to save
        except KsailPulumiError as error:
            if error.outputs is None and (self.applied.last_write is not None or self._accepted(error)):
                self._look_again(error)
                outputs = self._outputs()
                # The next attempt continues what this one has not proved.
                ready = outputs.ready and self._proved
                error.outputs = replace(outputs, creation=self.creation, reverted=self._reverted, ready=ready)
            raise

    def _accepted(self, error: KsailPulumiError) -> bool:
        """Whether Omni has the cluster as ours, also where its answer to the first write did not arrive."""
        begun = self.session.presence.creation if self.session.presence else None
        if not self.applied.accepted and begun is not None and isinstance(error, UnreachableError):
            with suppress(OmniError):
                cluster = self.session.client.state.find(CLUSTER, self._view.cluster)
                found = Creation.of(cluster) if cluster is not None else None
                self.applied.accepted = found is not None and found.run == begun.run
        return self.applied.accepted

    def _look_again(self, error: KsailPulumiError) -> None:
        """Read the cluster and its UUID, which identifies it in the state, if no wait has reported them.

        Raises:
            ClusterGoneError: The cluster is gone, which caused `error`.
        """
        if self._view.one(CLUSTER_UUID) is not None:
            return
        with suppress(OmniError):  # Omni is unreachable, or has not made the UUID yet; the next operation stores it
            read_into(self._view, self.session.client.state, (CLUSTER, CLUSTER_UUID))
            if self.session.presence is not None:
                try:
                    self.session.presence.check(self._view.one(CLUSTER), self._view.one(CLUSTER_UUID))
                except ClusterGoneError as gone:
                    raise gone from error

    def converged(self, converged: Converged) -> None:
        """Set what to wait for, after everything is written."""
        self._goal = converged.goal
        self._locks = converged.locks
        self._groups = converged.groups
        self._proved = not converged.groups
        self._before = converged.before
        self._spec = converged.spec
        self._inputs = to_wire(converged.spec)
        self.applied.accepted = True

    def wait(self) -> ClusterOutputs:
        """Wait for the goal and the manifests, write the locks, and return the outputs."""
        session = self.session
        if self._goal is None:
            raise AssertionError("wait follows converged")
        with self.saved():
            try:
                wait(session, self._view, self._goal, last_write=self.applied.last_write)
            except (ClusterFailedError, WaitTimeoutError) as error:
                if self._spec.on_upgrade_failure == "revert" and self._before is not None:
                    self._take_back(revert(self._goal, self._before, session, error))
                raise
            with suppress(OmniError):  # with `none`, no wait has read them; a refresh does, if Omni does not answer now
                missing = [kind for kind in facts.TYPES if not self._view.synced((kind,))]
                read_into(self._view, session.client.state, missing)
            if self._groups and self._goal.wait_for == "ready":
                prove(self._groups, session, self._view.cluster, last_write=self.applied.last_write)
                self._proved = True
            outputs = self._outputs()
            # Locks come last: they remove the creation mark, and after a crash a cluster without it is not resumed.
            for resource in self._locks:
                session.progress(f"locking {resource.id}")
                session.client.state.modify(resource.type, resource.id, _locked)
            return replace(outputs, creation=self.creation)

    def _outputs(self) -> ClusterOutputs:
        return replace(facts.outputs(self._inputs, self._view, self._goal, self._old), checksums=self.checksums)

    def _take_back(self, reverted: Reverted | None) -> None:
        """Let the outputs have the versions that Omni is set to after an upgrade was reverted."""
        if reverted is not None:
            self._view, self._goal = reverted.view, reverted.goal
            self._inputs = {
                **self._inputs,
                "talosVersion": reverted.versions.talos,
                "kubernetesVersion": reverted.versions.kubernetes,
            }
            self._reverted = True


def _locked(resource: Resource) -> Resource:
    # Omni refuses later changes of a locked cluster, so the creation mark is removed in the same write.
    return with_lock(without_creation(resource))
