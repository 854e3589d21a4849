"""What the provider process remembers between the calls of one run of Pulumi."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from ksail_pulumi.omni.endpoint import another_omni

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ksail_pulumi.plan.machine_fields import MachineField


class Run:
    """One run of Pulumi, which has its own provider process. Resources are identified by their URNs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[tuple[str, str], str] = {}
        self._remembered: dict[str, dict[str, Any]] = {}
        self._replaced: dict[str, str] = {}
        self._kept: dict[str, dict[str, str]] = {}
        self._deleted: set[tuple[str, str, str]] = set()
        self._freed: dict[str, str] = {}
        self._leaving: set[str] = set()
        self._shown: set[tuple[str, str]] = set()
        self._seen: dict[tuple[str, str], dict[str, Any]] = {}
        self._labels: dict[str, tuple[str, Mapping[str, Mapping[str, str | None]]]] = {}
        self._fields: dict[tuple[str, bool], dict[MachineField, str]] = {}

    def other_asking(self, urn: str, endpoint: str, cluster: str) -> str | None:
        """The resource, if any, that has requested the cluster before this one."""
        with self._lock:
            first = self._asked.setdefault((endpoint, cluster), urn)
        return first if first != urn else None

    def sets(
        self, urn: str, endpoint: str, fields: Collection[MachineField], *, cluster: bool
    ) -> dict[MachineField, str]:
        """Remember which fields of machines a resource sets.

        Args:
            urn: The resource.
            endpoint: Its Omni.
            fields: The fields.
            cluster: Whether it is a cluster; otherwise it is a `MachineConfig`.

        Returns:
            Those that a resource of the other kind sets too, each with this resource.
        """
        with self._lock:
            own = self._fields.setdefault((endpoint, cluster), {})
            for each in [field for field, by in own.items() if by == urn]:
                del own[each]
            own.update(dict.fromkeys(fields, urn))
            others = self._fields.get((endpoint, not cluster), {})
            return {field: others[field] for field in fields if field in others}

    def relabel(self, urn: str, endpoint: str, labels: Mapping[str, Mapping[str, str | None]]) -> None:
        """Remember which labels of machines a resource changes, by the machine's ID; None for one that it removes."""
        with self._lock:
            self._labels[urn] = (endpoint, labels)

    def relabelled(self, urns: Iterable[str], endpoint: str) -> dict[str, Mapping[str, str | None]]:
        """The labels that resources change in this run."""
        with self._lock:
            found = [self._labels[urn] for urn in urns if urn in self._labels]
        return {machine: each for where, labels in found if where == endpoint for machine, each in labels.items()}

    def remember(self, urn: str, hidden: Mapping[str, Any]) -> None:
        """Store a value from `check` for `create`. As an input it would be shown in every diff.

        Without a URN nothing is stored, because it could belong to another resource.
        """
        if not urn:
            return
        with self._lock:
            self._remembered[urn] = {**self._remembered.get(urn, {}), **hidden}

    def remembered(self, urn: str) -> dict[str, Any]:
        """The value that `check` has stored."""
        with self._lock:
            return dict(self._remembered.get(urn, {}))

    def replaces(self, urn: str, cluster: str) -> None:
        """Remember that a cluster of a resource will be replaced."""
        if not urn:
            return
        with self._lock:
            self._replaced[urn] = cluster

    def replaced(self, urn: str) -> str | None:
        """The cluster of a resource that will be replaced, if known."""
        with self._lock:
            return self._replaced.get(urn)

    def keep(self, urn: str, kept: Mapping[str, str]) -> None:
        """Remember the name and versions in the state of a resource: a replacement keeps them."""
        if not urn:
            return
        with self._lock:
            self._kept[urn] = dict(kept)

    def kept(self, urn: str) -> dict[str, str]:
        """The name and versions in the state of a resource, if this run has seen them.

        Omni does not know them any more where the cluster is deleted before the engine checks: where the resource is
        replaced along with another one that deletes first, and where an earlier run has only deleted.
        """
        with self._lock:
            return dict(self._kept.get(urn, {}))

    def deletes(self, urn: str, endpoint: str, id_: str) -> None:
        """Remember that this run deletes what a resource has in an Omni."""
        with self._lock:
            self._deleted.add((urn, endpoint, id_))

    def has_deleted(self, urn: str, endpoint: str, id_: str) -> bool:
        """Whether this run has deleted what a resource had in an Omni."""
        with self._lock:
            deleted = [where for by, where, what in self._deleted if (by, what) == (urn, id_)]
        return any(not another_omni(where, endpoint) for where in deleted)

    def frees(self, urn: str, cluster: str) -> None:
        """Remember that a cluster of a resource is deleted before the resource is created again."""
        with self._lock:
            self._freed[urn] = cluster

    def freed(self, endpoint: str, cluster: str) -> str:
        """The cluster that is deleted before a resource creates `cluster`; `""` if there is none, or it is deleted."""
        with self._lock:
            urn = self._asked.get((endpoint, cluster), "")
            freed = self._freed.get(urn, "")
        return "" if self.has_deleted(urn, endpoint, freed) else freed

    def leaves(self, urn: str) -> None:
        """Remember that a resource is replaced by one in another Omni."""
        with self._lock:
            self._leaving.add(urn)

    def is_leaving(self, urn: str) -> bool:
        """Whether a resource is replaced by one in another Omni."""
        with self._lock:
            return urn in self._leaving

    def see(self, endpoint: str, cluster: str, facts: Mapping[str, Any]) -> None:
        """Remember outputs of a cluster for its children. A UUID of `""`: the cluster is not created yet."""
        with self._lock:
            before = self._seen.get((endpoint, cluster), {})
            # Credentials of another cluster of this name are none of this one's.
            same = before.get("clusterUuid") == facts.get("clusterUuid")
            self._seen[endpoint, cluster] = {**(before if same else {}), **facts}

    def seen(self, endpoint: str, cluster: str) -> dict[str, Any]:
        """The outputs of a cluster that this run has seen."""
        with self._lock:
            return dict(self._seen.get((endpoint, cluster), {}))

    def is_news(self, urn: str, line: str) -> bool:
        """Whether a line about a resource is new: for a replacement the engine calls `check` twice."""
        with self._lock:
            news = (urn, line) not in self._shown
            self._shown.add((urn, line))
        return news


# A process serves one run, so its state can be global.
this_run = Run()
