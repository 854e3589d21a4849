"""Waits until Omni has applied groups of manifests, as far as its status shows that.

The status does not move while a group changes, and its error belongs to the whole cluster: one bad object of any group
holds up all others. So what counts is that every group is applied and that there is no error.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.lifecycle.waiting.diagnosis import Awaited
from ksail_pulumi.lifecycle.waiting.manifest_error import error_text, named_object
from ksail_pulumi.lifecycle.waiting.settling import SETTLING_SECONDS, STALE_SECONDS
from ksail_pulumi.lifecycle.waiting.view import ClusterView
from ksail_pulumi.lifecycle.waiting.watch import Condition, follow, queries
from ksail_pulumi.model.objects import KubernetesObject, objects_in
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import CLUSTER_KUBERNETES_MANIFESTS_STATUS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ksail_pulumi.lifecycle.session import Session

Status = specs_pb2.ClusterKubernetesManifestsStatusSpec
_APPLIED = Status.GroupStatus.Phase.APPLIED
_OBJECT_APPLIED = Status.ManifestStatus.Phase.APPLIED
_ABSENT_SECONDS = 5.0
"""How long a group may be missing in the status: Omni shows an object that two groups have in one of them only."""
_EXPLAIN_SECONDS = 1.0
"""The pause between the explanations of an error: its text stays the same while more of its objects show up."""


@dataclass(frozen=True)
class Group:
    """A group of manifests of the cluster.

    Attributes:
        id: Its ID.
        title: What texts call it: `manifest NAME`, `add-on NAME`.
        text: Its objects.
        before: The text that may be in Kubernetes instead; None if nothing is.
        ours: Whether it is one of an add-on.
        once: Whether its objects are applied once.
    """

    id: str
    title: str
    text: str = field(repr=False)
    before: str | None = field(default=None, repr=False)
    ours: bool = False
    once: bool = False

    @property
    def objects(self) -> list[KubernetesObject]:
        return objects_in(self.text)


def wait_until_applied(
    groups: Sequence[Group],
    session: Session,
    cluster: str,
    *,
    last_write: float | None,
    explain: Callable[[Sequence[str]], str],
) -> frozenset[str]:
    """Wait until these groups are applied and Omni reports no error.

    Returns the IDs of those that the status does not show: Omni is busy, or another group has their objects too.

    Args:
        groups: The groups.
        session: The Omni and the deadline.
        cluster: The name of the cluster.
        last_write: When the last write was answered, by `time.monotonic`.
        explain: Called again and again during an error of Omni that names no object, with those that are not
            applied; says more about them.

    Raises:
        ClusterFailedError: An error lasted for the grace time of the session; the text names the object.
        WaitTimeoutError: The deadline passed.
        CancelledError: The user interrupted.
        OmniError: The watch failed.
    """
    view = ClusterView(cluster)
    condition = _Applied(view, groups, last_write=last_write, grace=session.grace, explain=explain)
    follow(
        session,
        view,
        condition,
        queries(cluster, (CLUSTER_KUBERNETES_MANIFESTS_STATUS,)),
        describe=condition.describe,
        awaited=Awaited,
        waiting_for="has manifests that are not applied",
        every=_EXPLAIN_SECONDS,
    )
    return frozenset(group.id for group in condition.absent)


def names_in(groups: Sequence[Group]) -> list[tuple[str, str]]:
    """The objects of groups as Omni names them, each with the title of its group."""
    return [(str(each), group.title) for group in groups for each in group.objects]


class _Applied(Condition):
    """Reached once every group is applied, and there is no error."""

    def __init__(
        self,
        view: ClusterView,
        groups: Sequence[Group],
        *,
        last_write: float | None,
        grace: float,
        explain: Callable[[Sequence[str]], str],
    ) -> None:
        self._view = view
        self._groups = groups
        self._grace = grace
        self._explain = explain
        self._not_before = (last_write or float("-inf")) + STALE_SECONDS
        self._present_by = (last_write or float("-inf")) + _ABSENT_SECONDS
        self._holds_since: float | None = None
        self._error, self._text = "", ""
        self._fails_since: float | None = None
        self._explain_at = float("-inf")

    @cached_property
    def _names(self) -> list[tuple[str, str]]:
        return names_in(self._groups)

    @property
    def _status(self) -> Status:
        found = self._view.one(CLUSTER_KUBERNETES_MANIFESTS_STATUS)
        return found.spec if found is not None else Status()

    def observe(self, now: float) -> None:
        error = self._status.last_error
        if error != self._error:
            self._error, self._explain_at = error, now
            self._text = error_text(error, self._names) if error else ""
        # The API is asked only where Omni's error says too little: that takes time.
        if error and now >= self._explain_at and not named_object(error, self._names):
            if more := self._explain(self._waiting()):
                self._text = f"{error_text(error, self._names)} ({more})"
            self._explain_at = time.monotonic() + _EXPLAIN_SECONDS
        if not error:
            self._fails_since = None
        elif self._fails_since is None:
            self._fails_since = now
        if error or not self._view.synced((CLUSTER_KUBERNETES_MANIFESTS_STATUS,)) or self._pending():
            self._holds_since = None
        elif self._holds_since is None:
            self._holds_since = now

    def done_at(self) -> float | None:
        if self._holds_since is None:
            return None
        return max(self._holds_since + SETTLING_SECONDS, self._present_by if self.absent else self._not_before)

    def failed_at(self) -> float | None:
        return self._fails_since + self._grace if self._fails_since is not None else None

    def final_failures(self, now: float) -> list[str]:
        failed = self.failed_at()
        return [f"Omni cannot apply {self._text}"] if failed is not None and now >= failed else []

    def describe(self) -> str:
        if self._error:
            return f"Omni cannot apply {self._text}"
        pending = list(dict.fromkeys([*self._pending(), *(group.title for group in self.absent)]))
        return f"waiting for Omni to apply {listing.names(pending)}" if pending else "manifests applied"

    @property
    def absent(self) -> list[Group]:
        """The groups that the status does not show."""
        groups = self._status.groups
        return [group for group in self._groups if group.id not in groups]

    def _pending(self) -> list[str]:
        """The titles of the groups that are known not to be applied."""
        status = self._status
        found = (group for group in self._groups if group.id in status.groups)
        return list(dict.fromkeys(group.title for group in found if status.groups[group.id].phase != _APPLIED))

    def _waiting(self) -> list[str]:
        """The objects that are not applied."""
        groups = self._status.groups
        found = (groups[group.id] for group in self._groups if group.id in groups)
        shown = [name for group in found for name, each in group.manifests.items() if each.phase != _OBJECT_APPLIED]
        return [*shown, *(str(item) for group in self.absent for item in group.objects)]
