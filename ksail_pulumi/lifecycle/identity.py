"""The identity of the cluster in a state: its UUID and its Omni.

The name is not enough: a cluster of the same name may have been created later, or in another Omni.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ksail_pulumi.errors import CancelledError, LifecycleError, NotFoundError
from ksail_pulumi.omni.endpoint import another_omni
from ksail_pulumi.omni.resources import CLUSTER_UUID
from ksail_pulumi.omni.watch import Query
from ksail_pulumi.plan.ownership import Creation, OwnershipMark, forgetting

if TYPE_CHECKING:
    import threading

    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource


UUID_SECONDS = 60.0
"""How long to wait for the UUID of a cluster; Omni makes it right after the cluster."""


def wait_for_uuid(client: Client, cluster: str, cancelled: threading.Event) -> str:
    """The UUID of a cluster, as soon as Omni has made it.

    Raises:
        NotFoundError: There is none after `UUID_SECONDS`.
        CancelledError: `cancelled` was set.
        OmniError: Omni did not answer.
    """
    with client.state.watch(Query(CLUSTER_UUID, id=cluster), cancelled=cancelled) as watch:
        end = time.monotonic() + UUID_SECONDS
        while (event := watch.next(timeout=max(0.0, end - time.monotonic()))) is not None:
            if event.resource is not None and event.kind != "destroyed":
                return str(event.resource.spec.uuid)
    if cancelled.is_set():
        raise CancelledError("reading the UUID of the cluster was interrupted")
    raise NotFoundError(f"cluster {cluster!r} has no UUID in Omni at {client.endpoint}: it does not exist")


@dataclass(frozen=True)
class Identity:
    """The identity of a cluster, as stored in the state.

    Attributes:
        name: The name of the cluster.
        mark: The owner.
        uuid: The UUID in Omni; `""` while the state has none, because Omni makes it after the cluster.
        omni: The endpoint of the Omni where it was last seen; `""` if the state does not contain it.
        marks_creations: Whether the release that wrote the state marks unfinished creations.
        run: The attempt that started to create it; `""` if the state does not contain it.
    """

    name: str
    mark: OwnershipMark
    uuid: str = ""
    omni: str = ""
    marks_creations: bool = True
    run: str = ""

    def is_in(self, cluster: Resource | None, uuid: Resource | None, endpoint: str) -> bool:
        """Whether Omni has the cluster, given its Cluster and ClusterUUID of this name.

        Raises:
            LifecycleError: It does not exist here, but this is not the Omni where it was last seen, so it may still
                exist.
        """
        if cluster is not None and self._is(cluster, uuid):
            return True
        if not self.omni or not another_omni(self.omni, endpoint):
            return False
        raise LifecycleError(
            f"cluster {self.name!r} was last seen in Omni at {self.omni} and does not exist in Omni at {endpoint}"
            f"{self._another(cluster)}: set `omni:endpoint` or OMNI_ENDPOINT back to the former endpoint. If that Omni "
            f"no longer exists, remove the cluster from the stack with {forgetting(self.mark.urn)}"
        )

    def missing(self, cluster: Resource | None) -> str:
        """The text for a cluster that no longer exists, given the cluster that has its name now."""
        return f"cluster {self.name!r} no longer exists in Omni{self._another(cluster)}"

    def _is(self, cluster: Resource, uuid: Resource | None) -> bool:
        if not self.uuid:
            found = Creation.of(cluster)
            unfinished = not self.marks_creations or (found is not None and self.run in ("", found.run))
            return unfinished and self.mark.names(OwnershipMark.owner_of(cluster))
        # Omni removes the UUID before the cluster, so a cluster without one that is not being deleted is a new one.
        return uuid.spec.uuid == self.uuid if uuid is not None else cluster.tearing_down

    def _another(self, cluster: Resource | None) -> str:
        if cluster is None:
            return ""
        ours = f"with the UUID {self.uuid}" if self.uuid else "that this resource started to create"
        return f" (a cluster of this name exists, but it is not the one {ours})"
