"""Proves that manifests are in the Kubernetes of a cluster.

Omni's status shows new groups of manifests only. Whether a change has arrived is seen in the objects themselves, which
are read through Omni's proxy of the Kubernetes API.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.errors import ClusterFailedError, OmniError, UnreachableError, WaitTimeoutError
from ksail_pulumi.lifecycle.handover import Handover
from ksail_pulumi.lifecycle.kubernetes import Kubernetes
from ksail_pulumi.lifecycle.likeness import as_written, stored
from ksail_pulumi.lifecycle.waiting.applied import names_in, wait_until_applied
from ksail_pulumi.lifecycle.waiting.manifest_error import error_text
from ksail_pulumi.lifecycle.waiting.progress import duration
from ksail_pulumi.model.objects import objects_in
from ksail_pulumi.omni.kubernetes import AnswerError
from ksail_pulumi.omni.resources import CLUSTER_KUBERNETES_MANIFESTS_STATUS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.lifecycle.waiting.applied import Group
    from ksail_pulumi.model.objects import KubernetesObject
    from ksail_pulumi.omni.kubernetes import KubernetesApi

_POLL_SECONDS = 1.0


def prove(groups: Sequence[Group], session: Session, cluster: str, *, last_write: float | None) -> None:
    """Wait until groups of manifests are in Kubernetes: new ones by Omni's status, changed ones by their objects.

    Where that cannot be seen, one round of Omni's without an error has to do, and a warning says that it is not proved.

    Raises:
        ClusterFailedError: An error of Omni lasted for the grace time of the session; the text names the object.
        WaitTimeoutError: The deadline passed.
        CancelledError: The user interrupted.
        OmniError: Omni did not answer.
    """
    kubernetes = Kubernetes(session.client, cluster)
    explain = Handover(groups, kubernetes, session, cluster)
    try:
        absent = wait_until_applied(groups, session, cluster, last_write=last_write, explain=explain)
        changes = [change for group in groups for change in _changes(group, absent=group.id in absent)]
        if changes:
            session.progress(f"looking at {listing.names(list(dict.fromkeys(each.title for each in changes)))}")
            _Proof(groups, changes, kubernetes, session, cluster).wait(last_write or time.monotonic())
    finally:
        kubernetes.close()


@dataclass(frozen=True)
class _Change:
    """An object that has to become as it is written, or to go.

    Attributes:
        title: What texts call its group.
        item: The object.
        before: The object in the text before; None if it had none.
        gone: Whether it has to go.
    """

    title: str
    item: KubernetesObject
    before: KubernetesObject | None = None
    gone: bool = False

    def __str__(self) -> str:
        return f"{self.item} of {self.title}"

    def made(self, api: KubernetesApi) -> bool:
        """Whether the API shows it."""
        item = self.item
        live = api.find(item.version, item.kind, item.namespace, item.name)
        if self.gone:
            return live is None or "deletionTimestamp" in live["metadata"]
        before = stored(self.before) if self.before is not None else None
        return live is not None and as_written(live, stored(item), before)


class _Proof:
    def __init__(
        self,
        groups: Sequence[Group],
        changes: Sequence[_Change],
        kubernetes: Kubernetes,
        session: Session,
        cluster: str,
    ) -> None:
        self._groups = groups
        self._left = list(changes)
        self._kubernetes = kubernetes
        self._session = session
        self._cluster = cluster
        self._error = ""
        self._reason = ""
        self._silent = False

    def wait(self, quiet_since: float) -> None:
        session, fails_since = self._session, 0.0
        while True:
            now = time.monotonic()
            if error := self._failure():
                quiet_since = now
                fails_since = 0.0 if self._silent else fails_since or now
                if fails_since and now - fails_since >= session.grace:
                    raise ClusterFailedError(f"cluster {self._cluster} failed: {error}")
            else:
                fails_since = 0.0
                self._look()
                if not self._left:
                    return
                if now - quiet_since >= session.sync_round:
                    session.warn(self._unproved())
                    return
            if session.deadline.remaining() == 0:
                raise WaitTimeoutError(
                    f"cluster {self._cluster} has manifests that are not applied after "
                    f"{duration(session.deadline.seconds)}: {error or self._names()}"
                )
            session.cancelled.wait(_POLL_SECONDS)
            session.check_cancelled(f"waiting for the manifests of cluster {self._cluster}", error)

    def _failure(self) -> str:
        """Omni's error in words, or that it does not answer, which are shown once; `""` for none."""
        try:
            status = self._session.client.state.find(CLUSTER_KUBERNETES_MANIFESTS_STATUS, self._cluster)
        except UnreachableError as failure:  # the change is made, and Omni may be back before the deadline
            self._silent = True
            text = f"no connection to Omni: {failure}"
        else:
            self._silent = False
            error = status.spec.last_error if status is not None else ""
            text = f"Omni cannot apply {error_text(error, names_in(self._groups))}" if error else ""
        if text and text != self._error:
            self._session.progress(text)
        self._error = text
        return text

    def _look(self) -> None:
        """Leave out what is in Kubernetes."""
        self._reason = ""
        try:
            api = self._kubernetes.api()
            self._left = [each for each in self._left if not self._made(each, api)]
        except OmniError as error:
            self._reason = str(error)

    def _made(self, change: _Change, api: KubernetesApi) -> bool:
        try:
            return change.made(api)
        except AnswerError as error:
            self._reason = str(error)  # others may be read
            return False

    def _names(self) -> str:
        return listing.names([str(each) for each in self._left])

    def _unproved(self) -> str:
        seconds = duration(self._session.sync_round)
        seen = self._reason or "the objects in Kubernetes are not as they are written"
        return (
            f"it is not proved that these changes of manifests are in Kubernetes: {self._names()}. Omni has reported "
            f"no error for {seconds}, but {seen}"
        )


def _changes(group: Group, *, absent: bool) -> list[_Change]:
    """What differs between the texts of a group; all that it has if Omni's status does not show it."""
    if group.before is None and not absent:
        return []
    old, new = (
        {f"{each.group}/{each}": each for each in objects_in(text)} for text in (group.before or "", group.text)
    )
    changed = [
        _Change(group.title, item, old.get(key))
        for key, item in new.items()
        if absent or key not in old or old[key].text != item.text
    ]
    return [*changed, *(_Change(group.title, item, gone=True) for key, item in old.items() if key not in new)]
