"""One attempt at a cluster, so that what it got done is not lost when it fails."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import KsailPulumiError
from ksail_pulumi.lifecycle import facts
from ksail_pulumi.lifecycle.apply import Applied
from ksail_pulumi.lifecycle.outputs import inputs_in
from ksail_pulumi.lifecycle.view import ClusterView
from ksail_pulumi.lifecycle.wait import wait
from ksail_pulumi.plan.diff import with_lock
from ksail_pulumi.spec.cluster import to_wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ksail_pulumi.lifecycle.converge import Converged
    from ksail_pulumi.lifecycle.done import Goal
    from ksail_pulumi.lifecycle.outputs import ClusterOutputs
    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.spec.cluster import ClusterSpec


class Attempt:
    """What one verb does to one cluster, from the first write to the outputs.

    Attributes:
        applied: What has been written.
    """

    def __init__(self, spec: ClusterSpec, old: Mapping[str, Any] | None = None) -> None:
        self.applied = Applied(spec.name)
        self._old = old
        self._view = ClusterView(spec.name)
        self._goal: Goal | None = None
        self._locks: Sequence[Resource] = ()
        self._inputs = inputs_in(old) if old else to_wire(spec)

    @contextmanager
    def saved(self) -> Iterator[None]:
        """Let an error carry the outputs, if there is anything to save."""
        try:
            yield
        except KsailPulumiError as error:
            if error.outputs is None and (self.applied.accepted or self.applied.last_write is not None):
                error.outputs = facts.partial_outputs(self._inputs, self._view, self._goal, self._old)
            raise

    def converged(self, converged: Converged) -> None:
        """Everything is written, and there is something to be waited for."""
        self._goal = converged.goal
        self._locks = converged.locks
        self._inputs = to_wire(converged.spec)
        self.applied.accepted = True

    def wait(self, session: Session) -> ClusterOutputs:
        """Wait for the goal, lock what is to be locked then, and give the outputs."""
        if self._goal is None:
            raise AssertionError("wait follows converged")
        with self.saved():
            wait(session, self._view, self._goal, last_write=self.applied.last_write)
            for resource in self._locks:
                session.progress(f"locking {resource.id}")
                session.client.state.modify(resource.type, resource.id, with_lock)
            return facts.outputs(self._inputs, self._view, self._goal, session.client, self._old)
