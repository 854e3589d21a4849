"""The cluster that a child belongs to, by the child's URN and properties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ksail_pulumi.provider.properties import CONNECTION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.provider.settings import Settings


def cluster_urn(urn: str) -> str:
    """The URN of the cluster whose kubeconfig has this URN; `""` without one."""
    if not urn:
        return ""
    before, kind, name = urn.rsplit("::", 2)
    return f"{before}::{kind.rpartition('$')[0]}::{name.removesuffix('-kubeconfig')}"


def connection_of(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """The inputs of the cluster that say how to reach Omni."""
    given = properties.get(CONNECTION)
    return given if isinstance(given, dict) else {}  # it can be unknown


def other_owner(settings: Settings, urn: str, properties: Mapping[str, Any]) -> str | None:
    """Who has taken over the cluster of a kubeconfig; None if nobody, if it is gone, or without a URN.

    Raises:
        KsailPulumiError: Omni cannot be asked.
    """
    from ksail_pulumi.lifecycle import ownership
    from ksail_pulumi.omni.client import connect
    from ksail_pulumi.provider.sessions import perhaps_gone

    of = cluster_urn(urn)
    if not of:
        return None
    with perhaps_gone(of):
        client = connect(settings.connection(connection_of(properties)))
        return ownership.other_owner(client, str(properties["name"]), str(properties["clusterUuid"]), of)
