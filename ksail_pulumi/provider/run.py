"""What the provider process remembers from one call of a run of Pulumi to the next."""

from __future__ import annotations

import threading


class Run:
    """One run of Pulumi, which has a provider process of its own. Resources are known by their URNs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[tuple[str, str], str] = {}
        self._replaced: dict[str, str] = {}
        self._told: set[tuple[str, str]] = set()

    def other_asking(self, urn: str, endpoint: str, cluster: str) -> str | None:
        """The resource, if any, that has asked for a cluster before this one did: the first one has it."""
        with self._lock:
            first = self._asked.setdefault((endpoint, cluster), urn)
        return first if first != urn else None

    def replaces(self, urn: str, cluster: str) -> None:
        """Take note that a cluster of a resource is going to be replaced."""
        with self._lock:
            self._replaced[urn] = cluster

    def replaced(self, urn: str) -> str | None:
        """The cluster of a resource that is going to be replaced, as far as that is known."""
        with self._lock:
            return self._replaced.get(urn)

    def is_news(self, urn: str, line: str) -> bool:
        """Whether a line about a resource has not been shown yet: for a replacement, the engine checks twice."""
        with self._lock:
            news = (urn, line) not in self._told
            self._told.add((urn, line))
        return news
