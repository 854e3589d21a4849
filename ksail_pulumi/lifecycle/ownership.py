"""The owner of a cluster. Clusters of others are never changed implicitly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.errors import ForeignClusterError, LifecycleError
from ksail_pulumi.lifecycle.lease import refuse_running
from ksail_pulumi.omni.resources import (
    ANNOTATION_CLUSTER_LOCKED,
    ANNOTATION_MANAGED_BY_GITOPS,
    ANNOTATION_MANAGED_BY_TEMPLATES,
    CLUSTER,
    CLUSTER_UUID,
)
from ksail_pulumi.plan.locks import lock_forbids
from ksail_pulumi.plan.ownership import Creation, OwnershipMark, forgetting

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.changes import Plan


def owner_in_words(cluster: Resource) -> str | None:
    """The owner according to the annotations of the cluster; None if there is no mark."""
    owner = OwnershipMark.owner_of(cluster)
    if owner:
        return f"the Pulumi resource {owner}"
    if ANNOTATION_MANAGED_BY_TEMPLATES in cluster.annotations:
        return "an omnictl cluster template"
    tool = cluster.annotations.get(ANNOTATION_MANAGED_BY_GITOPS)
    return tool or None


def other_owner(client: Client, name: str, uuid: str, urn: str) -> str | None:
    """Who has taken over a cluster from the resource with a URN; None if nobody, or if the cluster is gone.

    A URN has no organization. The mark has the former name of a renamed stack until the next `up`.

    Raises:
        OmniError: Omni did not answer.
    """
    find, find_uuid = client.state.start_find(CLUSTER, name), client.state.start_find(CLUSTER_UUID, name)
    cluster, found = find.result(), find_uuid.result()
    if cluster is None or found is None or found.spec.uuid != uuid:
        return None
    owner = OwnershipMark.owner_of(cluster)
    return None if owner and OwnershipMark(owner).urn == urn else owner_in_words(cluster)


def refuse_existing(
    cluster: Resource, mark: OwnershipMark, *, resumable: bool = True, create_first: bool = False
) -> None:
    """Refuse to create a cluster that exists, unless this resource has started to create it.

    Args:
        cluster: The cluster.
        mark: The owner mark of this resource.
        resumable: Whether the mark is unique to this resource.
        create_first: Whether a replacement of the resource creates before it deletes.

    Raises:
        ForeignClusterError: The text names its owner, its age, and how to take it over.
    """
    found = Creation.of(cluster)
    if mark.names(mark.owner_of(cluster)) and resumable and found is not None:
        refuse_running(cluster, found, create_first=create_first)
        return
    take_over = f"opts=pulumi.ResourceOptions(import_={cluster.id!r})"
    since = f" (since {cluster.created:%Y-%m-%d %H:%M:%S} UTC)" if cluster.created else ""
    if mark.names(mark.owner_of(cluster)):
        first = " A replacement under the same name needs `delete_before_replace`." if create_first else ""
        raise ForeignClusterError(
            f"cluster {cluster.id!r} already exists in Omni{since} and was created by this resource ({mark.owner})."
            f"{first} If the state was lost, or the resource was removed from it, import the cluster: {take_over}. If "
            "another stack of the same name manages it, choose another name"
        )
    owner = owner_in_words(cluster)
    whose = f"is managed by {owner}" if owner else "was created manually or in Omni's UI"
    raise ForeignClusterError(
        f"cluster {cluster.id!r} already exists in Omni{since} and {whose}. To take it over as it is, import it: "
        f"{take_over}. Otherwise choose another name"
    )


def refuse_lost(cluster: Resource, mark: OwnershipMark, verb: str) -> None:
    """Refuse to change a cluster that someone else has taken over.

    A cluster without any mark is still ours: it is in the state, and some tools drop annotations of others.

    Raises:
        ForeignClusterError: It has the mark of someone else.
    """
    owner = owner_in_words(cluster)
    if not mark.names(mark.owner_of(cluster)) and owner:
        raise ForeignClusterError(
            f"cluster {cluster.id!r} is now managed by {owner}, so this resource does not {verb} it. To remove it from "
            f"this stack, run {forgetting(mark.urn)}. To take it over again, import it: "
            f"opts=pulumi.ResourceOptions(import_={cluster.id!r})"
        )


def refuse_locked(cluster: Resource | None, plan: Plan) -> None:
    """Refuse to change a locked cluster, unless the change unlocks it.

    Omni would refuse a part of the plan and accept the rest.

    Raises:
        LifecycleError: The cluster is locked.
    """
    if cluster is not None and lock_forbids(plan, cluster):
        raise LifecycleError(_locked(cluster, "changed"))


def refuse_locked_deletion(cluster: Resource) -> None:
    """Refuse to delete a locked cluster.

    Raises:
        LifecycleError: The cluster is locked.
    """
    if ANNOTATION_CLUSTER_LOCKED in cluster.annotations:
        raise LifecycleError(_locked(cluster, "deleted"))


def _locked(cluster: Resource, verb: str) -> str:
    return (
        f"cluster {cluster.id!r} is locked and cannot be {verb}. Unlock it first (with `locked: false`, or "
        f"`omnictl cluster unlock {cluster.id}`). It is never unlocked automatically"
    )
