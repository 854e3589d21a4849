"""The context of a validation: all other resources, and the time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ksail_pulumi.omni.resources import Resource, ResourceType
from ksail_pulumi.simulator.store import Store, named


class Named(Protocol):
    """A request or metadata that names a resource."""

    namespace: str
    type: str
    id: str


@dataclass(frozen=True)
class Context:
    """The context of a validation.

    Attributes:
        store: All resources.
        now: The real time.
    """

    store: Store
    now: Callable[[], datetime]

    def find(self, kind: ResourceType, resource_id: str) -> Resource | None:
        """Read a resource; None if it does not exist."""
        return self.store.find(kind, resource_id)

    @staticmethod
    def missing(kind: ResourceType, resource_id: str) -> str:
        """Omni's text for a required resource that does not exist."""
        return f"failed to get: resource {named(kind.name, kind.namespace, resource_id)} doesn't exist"
