"""What the provider process remembers from one call of a run of Pulumi to the next."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Run:
    """One run of Pulumi, which has a provider process of its own. Resources are known by their URNs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[tuple[str, str], str] = {}
        self._told: dict[str, dict[str, Any]] = {}
        self._replaced: dict[str, str] = {}
        self._kept: dict[str, dict[str, str]] = {}
        self._deleted: set[tuple[str, str]] = set()
        self._leaving: set[str] = set()
        self._shown: set[tuple[str, str]] = set()

    def other_asking(self, urn: str, endpoint: str, cluster: str) -> str | None:
        """The resource, if any, that has asked for a cluster before this one did: the first one has it."""
        with self._lock:
            first = self._asked.setdefault((endpoint, cluster), urn)
        return first if first != urn else None

    def tell(self, urn: str, hidden: Mapping[str, Any]) -> None:
        """Take note of what `check` has to tell `create`. Among the inputs it would show in every diff.

        Where the host does not tell the URN, nothing is noted: it might be taken for another resource's.
        """
        if not urn:
            return
        with self._lock:
            self._told[urn] = {**self._told.get(urn, {}), **hidden}

    def told(self, urn: str) -> dict[str, Any]:
        """What `check` has told."""
        with self._lock:
            return dict(self._told.get(urn, {}))

    def replaces(self, urn: str, cluster: str) -> None:
        """Take note that a cluster of a resource is going to be replaced."""
        if not urn:
            return
        with self._lock:
            self._replaced[urn] = cluster

    def replaced(self, urn: str) -> str | None:
        """The cluster of a resource that is going to be replaced, as far as that is known."""
        with self._lock:
            return self._replaced.get(urn)

    def keep(self, urn: str, kept: Mapping[str, str]) -> None:
        """Take note of the name and the versions in the state of a resource: a replacement keeps them."""
        if not urn:
            return
        with self._lock:
            self._kept[urn] = dict(kept)

    def kept(self, urn: str) -> dict[str, str]:
        """Name and versions in the state of a resource, as far as this run has seen them.

        Omni does not know them any more where the cluster is deleted before the engine checks: where the resource is
        replaced along with another one that deletes first, and where an earlier run has only deleted.
        """
        with self._lock:
            return dict(self._kept.get(urn, {}))

    def deletes(self, urn: str, cluster: str) -> None:
        """Take note that a cluster of a resource is deleted."""
        with self._lock:
            self._deleted.add((urn, cluster))

    def has_deleted(self, urn: str, cluster: str) -> bool:
        """Whether this run has deleted a cluster of a resource."""
        with self._lock:
            return (urn, cluster) in self._deleted

    def leaves(self, urn: str) -> None:
        """Take note that a resource is replaced by one in another Omni."""
        with self._lock:
            self._leaving.add(urn)

    def is_leaving(self, urn: str) -> bool:
        """Whether a resource is replaced by one in another Omni: no cluster there is the replaced one."""
        with self._lock:
            return urn in self._leaving

    def is_news(self, urn: str, line: str) -> bool:
        """Whether a line about a resource has not been shown yet: for a replacement, the engine checks twice."""
        with self._lock:
            news = (urn, line) not in self._shown
            self._shown.add((urn, line))
        return news


# One process serves one run, so what belongs to the run belongs to the module.
this_run = Run()
