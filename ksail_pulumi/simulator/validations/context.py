"""What Omni looks at when it judges a write: everything else that there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ksail_pulumi.omni.resources import Resource, ResourceType
from ksail_pulumi.simulator.store import Store, named


class Named(Protocol):
    """What names a resource: a request, or its metadata."""

    namespace: str
    type: str
    id: str


@dataclass(frozen=True)
class Context:
    """What there is now.

    Attributes:
        store: All resources.
        now: The real time.
    """

    store: Store
    now: Callable[[], datetime]

    def find(self, kind: ResourceType, resource_id: str) -> Resource | None:
        """A resource that may be there."""
        return self.store.find(kind, resource_id)

    @staticmethod
    def missing(kind: ResourceType, resource_id: str) -> str:
        """The text for a resource that had to be there."""
        return f"failed to get: resource {named(kind.name, kind.namespace, resource_id)} doesn't exist"
