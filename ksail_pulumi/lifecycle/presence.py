"""Detects during a wait that the cluster was deleted; otherwise the wait would run until its deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.errors import ClusterGoneError
from ksail_pulumi.omni.resources import CLUSTER, CLUSTER_UUID
from ksail_pulumi.omni.watch import Query
from ksail_pulumi.plan.ownership import Creation, OwnershipMark

if TYPE_CHECKING:
    from ksail_pulumi.omni.resources import Resource

_NEXT = "Run `pulumi refresh` to update the state; the next `pulumi up` creates the cluster again"


class Presence:
    """The cluster that an operation works on.

    Args:
        name: The name.
        uuid: The UUID; `""` for a new cluster: its first UUID is used.
        creation: The running creation; identifies a new cluster before it has a UUID.
        mark: The owner of the new cluster.
    """

    def __init__(
        self, name: str, *, uuid: str = "", creation: Creation | None = None, mark: OwnershipMark | None = None
    ) -> None:
        self.name = name
        self._uuid = uuid
        self.creation = creation
        self._mark = mark

    @property
    def queries(self) -> tuple[Query, ...]:
        return Query(CLUSTER, id=self.name), Query(CLUSTER_UUID, id=self.name)

    def check(self, cluster: Resource | None, uuid: Resource | None) -> None:
        """Check that the cluster exists, given its current `Cluster` and `ClusterUUID`.

        Raises:
            ClusterGoneError: It is gone, is being deleted, or is another one with the same name.
        """
        if cluster is None:
            raise ClusterGoneError(f"cluster {self.name!r} was deleted by someone else in the meantime. {_NEXT}")
        if (uuid is not None and self._uuid not in ("", uuid.spec.uuid)) or not self._ours(cluster):
            raise ClusterGoneError(
                f"cluster {self.name!r} was deleted by someone else in the meantime, and another cluster has its name "
                "now. Run `pulumi refresh` to update the state"
            )
        if cluster.tearing_down:
            raise ClusterGoneError(f"cluster {self.name!r} is being deleted by someone else. {_NEXT}")
        if uuid is not None:
            self._uuid = uuid.spec.uuid

    def _ours(self, cluster: Resource) -> bool:
        """Whether a cluster is the new one, according to its marks."""
        if self.creation is None or self._mark is None:
            return True
        found = Creation.of(cluster)
        return found.run == self.creation.run if found else self._mark.names(OwnershipMark.owner_of(cluster))
