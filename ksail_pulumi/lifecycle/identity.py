"""Which cluster a state speaks of: the one with the UUID in the state, in the Omni in the state.

The name says too little: a cluster of the same name may have come after ours, or be in another Omni.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ksail_pulumi.errors import LifecycleError
from ksail_pulumi.omni.endpoint import another_omni
from ksail_pulumi.plan.ownership import Creation, OwnershipMark

if TYPE_CHECKING:
    from ksail_pulumi.omni.resources import Resource


@dataclass(frozen=True)
class Identity:
    """What a state knows of its cluster.

    Attributes:
        name: The cluster's name.
        mark: Whose it is.
        uuid: Omni's UUID of it; `""` while the state has none, since Omni makes it after the cluster.
        omni: The endpoint of the Omni that it was last seen in; `""` where the state does not say.
        marks_creations: Whether the release that wrote the state marks unfinished creations.
        run: The attempt that has begun to create it; `""` where the state does not say.
    """

    name: str
    mark: OwnershipMark
    uuid: str = ""
    omni: str = ""
    marks_creations: bool = True
    run: str = ""

    def is_in(self, cluster: Resource | None, uuid: Resource | None, endpoint: str) -> bool:
        """Whether an Omni has the cluster, given its cluster and its ClusterUUID of this name.

        Raises:
            LifecycleError: It is not there, and this is another Omni than the one that it was last seen in: nothing
                proves that it is gone.
        """
        if cluster is not None and self._is(cluster, uuid):
            return True
        if not self.omni or not another_omni(self.omni, endpoint):
            return False
        raise LifecycleError(
            f"cluster {self.name!r} was last seen in Omni at {self.omni} and does not exist in Omni at {endpoint}"
            f"{self._another(cluster)}: set `omni:endpoint` or OMNI_ENDPOINT back to the former endpoint. If that Omni "
            "no longer exists, remove the cluster from the stack with `pulumi state delete`"
        )

    def missing(self, cluster: Resource | None) -> str:
        """What to say of a cluster that is gone from its Omni, given the cluster that has its name now."""
        return f"cluster {self.name!r} no longer exists in Omni{self._another(cluster)}"

    def _is(self, cluster: Resource, uuid: Resource | None) -> bool:
        if not self.uuid:
            found = Creation.of(cluster)
            unfinished = not self.marks_creations or (found is not None and self.run in ("", found.run))
            return unfinished and self.mark.names(OwnershipMark.owner_of(cluster))
        # Omni removes the UUID before the cluster. What has none and is not being deleted has come after ours.
        return uuid.spec.uuid == self.uuid if uuid is not None else cluster.tearing_down

    def _another(self, cluster: Resource | None) -> str:
        if cluster is None:
            return ""
        ours = f"with the UUID {self.uuid}" if self.uuid else "that this resource started to create"
        return f" (a cluster of this name exists, but it is not the one {ours})"
