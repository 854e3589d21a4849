"""The creation mark: written with the cluster, renewed while `create` runs, removed at the end.

A crash leaves no state. The mark in Omni shows that no state has the cluster, and who may continue its creation.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ksail_pulumi.errors import ForeignClusterError, OmniError
from ksail_pulumi.omni.resources import CLUSTER
from ksail_pulumi.plan.ownership import Creation, without_creation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.changes import Step

FRESH = timedelta(minutes=2)
"""How long a mark that is not renewed still counts as a running creation."""

RENEW_SECONDS = 30.0


class Lease:
    """The creation of one cluster by this process.

    Attributes:
        creation: The mark.
    """

    def __init__(self, client: Client, cluster: str) -> None:
        self.creation = Creation.begin()
        self._client = client
        self._cluster = cluster
        self._stop = threading.Event()

    def on(self, steps: Sequence[Step]) -> list[Step]:
        """The steps of a plan; a step that creates the cluster adds the mark."""
        return [
            replace(step, resources=tuple(map(self.creation.on, step.resources)))
            if step.verb == "create" and step.resources[0].type == CLUSTER
            else step
            for step in steps
        ]

    def take(self, may_continue: Callable[[Resource], None]) -> None:
        """Take over the mark of an attempt that has ended; `may_continue` raises if that is not allowed."""

        def taken(cluster: Resource) -> Resource:
            may_continue(cluster)
            return self.creation.on(cluster)

        self._client.state.modify(CLUSTER, self._cluster, taken)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Renew the mark while the block runs, once it is written; then mark the attempt as ended.

        The mark stays until Pulumi has the answer (`finish_creation`).
        """
        renewer = threading.Thread(target=self._renew, name="ksail-pulumi-lease", daemon=True)
        renewer.start()
        try:
            yield
        finally:
            self._stop.set()
            renewer.join()
            self._write(done=True)

    def _renew(self) -> None:
        while not self._stop.wait(RENEW_SECONDS):
            self._write(done=False)

    def _write(self, *, done: bool) -> None:
        creation = replace(self.creation, at=datetime.now(UTC), done=done)

        def renewed(cluster: Resource) -> Resource:
            found = Creation.of(cluster)
            return creation.on(cluster) if found is not None and found.run == creation.run else cluster

        # The cluster is gone or locked, or Omni is unreachable: the operation itself reports that.
        with suppress(OmniError):
            self._client.state.modify(CLUSTER, self._cluster, renewed)


def finish_creation(client: Client, cluster: str, run: str) -> None:
    """Remove the mark of the attempt `run`: the cluster is now in a state."""

    def finished(resource: Resource) -> Resource:
        found = Creation.of(resource)
        return without_creation(resource) if found is not None and found.run == run else resource

    with suppress(OmniError):  # the next update removes it
        client.state.modify(CLUSTER, cluster, finished)


def refuse_running(cluster: Resource, found: Creation, *, create_first: bool) -> None:
    """Refuse to continue an unfinished creation that may still run, or whose cluster may be in a state.

    Args:
        cluster: The cluster.
        found: Its unfinished creation.
        create_first: Whether a replacement of the resource creates before it deletes. The engine would then delete the
            continued cluster if a state has it.

    Raises:
        ForeignClusterError: The text names who creates it, since when, and what to do.
    """
    me = Creation.begin()
    here = (found.by, found.machine) == (me.by, me.machine)
    age = me.at - found.at
    since = f"{found.at:%Y-%m-%d %H:%M:%S} UTC"
    if create_first:
        raise ForeignClusterError(
            f"cluster {cluster.id!r} exists, and its creation by {found.by} has not finished. To continue it, remove "
            "`delete_before_replace=False`: a replacement that creates first would delete the cluster afterwards"
        )
    if found.done and here:
        return
    if found.done:
        raise ForeignClusterError(
            f"cluster {cluster.id!r} was created by {found.by}, last seen at {since}. It is not known whether a stack "
            f"has it in its state. If no stack has it, import it: opts=pulumi.ResourceOptions(import_={cluster.id!r})"
        )
    if age < FRESH and not (here and not _runs(found.process, me.process)):
        raise ForeignClusterError(
            f"cluster {cluster.id!r} is being created by {found.by}, last seen at {since}. If that process no longer "
            f"runs, run `pulumi up` again {int(FRESH.total_seconds())} seconds after that time"
        )


def _runs(process: int, own: int) -> bool:
    """Whether another process of this host runs."""
    if process == own or os.name == "nt":  # Windows has no signal 0 that only checks
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
