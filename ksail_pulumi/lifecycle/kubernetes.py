"""The Kubernetes API of a cluster, with a token that is requested when it is first needed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ksail_pulumi.access.kubeconfig import Context
from ksail_pulumi.lifecycle.kubeconfigs import Access, kubeconfig

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.kubernetes import KubernetesApi

_ACCESS = Access(ttl=timedelta(hours=1))


class Kubernetes:
    """The Kubernetes API of a cluster through Omni's proxy."""

    def __init__(self, client: Client, cluster: str) -> None:
        self._client = client
        self._cluster = cluster
        self._api: KubernetesApi | None = None

    def api(self) -> KubernetesApi:
        """The API.

        Raises:
            OmniError: Omni gives no token.
        """
        if self._api is None:
            context = Context.current(kubeconfig(self._client, self._cluster, _ACCESS))
            self._api = self._client.kubernetes(str(context.cluster.get("server")), context.token)
        return self._api

    def close(self) -> None:
        if self._api is not None:
            self._api.close()
