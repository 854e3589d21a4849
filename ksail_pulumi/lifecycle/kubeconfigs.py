"""Access to one cluster: kubeconfigs, talosconfigs and tokens, as Omni makes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ksail_pulumi.access.kubeconfig import Context
from ksail_pulumi.access.plugin import Plugin, credential
from ksail_pulumi.access.tokens import claims_of, expiry
from ksail_pulumi.errors import LifecycleError
from ksail_pulumi.lifecycle.overview import not_found
from ksail_pulumi.omni.resources import CLUSTER, CLUSTER_UUID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ksail_pulumi.omni.client import Client

USER, GROUPS = "pulumi", ("system:masters",)
"""Who a kubeconfig is for in Kubernetes, if nobody else is named."""

KUBECONFIG_TTL = timedelta(hours=720)
"""How long the token in a kubeconfig is valid."""

TOKEN_TTL = timedelta(hours=1)
"""How long a token is valid that kubectl requests for itself."""


@dataclass(frozen=True)
class Access:
    """Access to Kubernetes.

    Attributes:
        user: The user in Kubernetes.
        groups: The groups of the user.
        ttl: How long it lasts.
    """

    user: str = USER
    groups: Sequence[str] = GROUPS
    ttl: timedelta = KUBECONFIG_TTL


def kubeconfig(client: Client, cluster: str, access: Access) -> str:
    """A kubeconfig with a token.

    Raises:
        NotFoundError: There is no such cluster.
        PermissionDeniedError: This needs the role Operator.
    """
    if client.state.find(CLUSTER, cluster) is None:
        raise not_found(cluster)
    return _with_token(client, cluster, access)


def exec_kubeconfig(client: Client, plugin: Plugin) -> str:
    """A kubeconfig that gets its tokens from `ksail-pulumi token`. It is the same for as long as the cluster exists.

    Args:
        client: The Omni.
        plugin: How to call it. Without a UUID, for the cluster that has the name now.

    Raises:
        NotFoundError: There is no such cluster.
    """
    uuid = client.state.start_find(CLUSTER_UUID, plugin.cluster)
    text = client.management.start_login_kubeconfig(plugin.cluster)
    plugin = replace(plugin, uuid=_checked_uuid(uuid.result(), plugin.cluster, plugin.uuid))
    # The one for people has the same server.
    return replace(Context.current(text.result()), user=plugin.user_entry()).text()


def exec_credential(client: Client, cluster: str, uuid: str, access: Access) -> dict[str, Any]:
    """A token as kubectl reads it from an exec plugin.

    Args:
        client: The Omni.
        cluster: The cluster's name.
        uuid: Its UUID; `""`: the cluster that has the name now.
        access: Who the token is for.

    Raises:
        NotFoundError: There is no such cluster.
        LifecycleError: It has another UUID.
    """
    # First, because a token is valid for the cluster that has the name now.
    _checked_uuid(client.state.start_find(CLUSTER_UUID, cluster).result(), cluster, uuid)
    token = Context.current(_with_token(client, cluster, access)).token
    return credential(token, expiry(claims_of(token)))


def talosconfig(client: Client, cluster: str) -> str:
    """A talosconfig.

    Raises:
        NotFoundError: There is no such cluster.
    """
    found = client.state.start_find(CLUSTER, cluster)
    made = client.management.start_talosconfig(cluster)
    if found.result() is None:
        raise not_found(cluster)
    return made.result()


def _with_token(client: Client, cluster: str, access: Access) -> str:
    made = client.management.start_kubeconfig(cluster, user=access.user, groups=access.groups, ttl=access.ttl)
    return made.result()


def _checked_uuid(found: Any, cluster: str, wanted: str) -> str:
    if found is None:
        raise not_found(cluster)
    uuid = str(found.spec.uuid)
    if wanted not in ("", uuid):
        raise LifecycleError(
            f"cluster {cluster!r} was deleted, and another cluster has its name now: request a new kubeconfig "
            f"(`ksail-pulumi kubeconfig {cluster} --merge`, or `pulumi up`)"
        )
    return uuid
