"""The mark of an unfinished creation: written with the cluster, renewed while `create` runs, taken off at last.

A crash leaves no state, so the mark in Omni says that nobody else has the cluster, and who may go on with it.
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
"""How long a mark that is not renewed still counts as somebody's who is at work."""

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
        """The steps of a plan, with the mark on the cluster where they create it."""
        return [
            replace(step, resources=tuple(map(self.creation.on, step.resources)))
            if step.verb == "create" and step.resources[0].type == CLUSTER
            else step
            for step in steps
        ]

    def take(self, may_continue: Callable[[Resource], None]) -> None:
        """Take over the mark of an attempt that has ended. `may_continue` raises what forbids it."""

        def taken(cluster: Resource) -> Resource:
            may_continue(cluster)
            return self.creation.on(cluster)

        self._client.state.modify(CLUSTER, self._cluster, taken)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Renew the mark, once it is written, for as long as the block runs; then say that the attempt has ended.

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

        with suppress(OmniError):  # the cluster is gone or locked, or Omni is out of reach: others notice and tell
            self._client.state.modify(CLUSTER, self._cluster, renewed)


def finish_creation(client: Client, cluster: str, run: str) -> None:
    """Take off the mark of the attempt `run`: a state has the cluster now."""

    def finished(resource: Resource) -> Resource:
        found = Creation.of(resource)
        return without_creation(resource) if found is not None and found.run == run else resource

    with suppress(OmniError):  # the next update takes it off
        client.state.modify(CLUSTER, cluster, finished)


def refuse_running(cluster: Resource, found: Creation, *, create_first: bool) -> None:
    """Refuse to go on with the unfinished creation of a cluster that somebody may be at work on, or may have.

    Args:
        cluster: The cluster.
        found: Its unfinished creation.
        create_first: Whether a replacement of the resource creates before it deletes. The engine would then delete the
            very cluster that is gone on with, if a state has it after all.

    Raises:
        ForeignClusterError: The text says who is at work, since when, and what to do.
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
    if process == own or os.name == "nt":  # there, signal 0 is a real one
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
