"""What Omni does beside keeping resources: access to clusters, and checking patches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.omni.api import management_pb2
from ksail_pulumi.omni.api.management_pb2_grpc import ManagementServiceStub
from ksail_pulumi.omni.channel import Service

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from ksail_pulumi.omni.channel import Call, Channel

_MANAGEMENT = Service("management.ManagementService", ManagementServiceStub)


class Management:
    """Calls of `management.ManagementService`. All raise subclasses of `OmniError`; `start_…` as in `State`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def kubeconfig(self, cluster: str, *, user: str, groups: Sequence[str], ttl: timedelta) -> str:
        """A kubeconfig with a token of its own, that goes through Omni's proxy and needs no browser.

        Args:
            cluster: The cluster's name.
            user: Who the token speaks for in Kubernetes.
            groups: That user's groups, as `system:masters`.
            ttl: For how long the token is good; Omni allows up to 10 years.
        """
        return self.start_kubeconfig(cluster, user=user, groups=groups, ttl=ttl).result()

    def talosconfig(self, cluster: str) -> str:
        """A talosconfig that reaches the cluster's machines through Omni, signed for by the service account."""
        return self.start_talosconfig(cluster).result()

    def validate_config(self, text: str) -> None:
        """Have Omni check a config patch; `RefusedError` says what is wrong with it."""
        return self.start_validate_config(text).result()

    def start_sync_manifests(self, cluster: str, *, timeout: float) -> Call[int]:
        """Have Omni bring the objects in Kubernetes to the manifests in the configuration of the cluster's machines.

        Nothing is deleted, and what somebody else set on an object is not taken from him. The result is how many
        objects were created or changed, and comes when they are rolled out.

        Args:
            cluster: The cluster's name.
            timeout: For how many seconds it may take.
        """
        request = management_pb2.KubernetesSyncManifestRequest()
        request.ssa.inventory_policy = management_pb2.KubernetesSSAOptions.ADOPT_IF_NO_INVENTORY
        request.ssa.no_prune = True
        request.ssa.reconcile_timeout.FromSeconds(int(timeout * 0.8))  # so that Omni can still say what was slow
        manifest = management_pb2.KubernetesSyncManifestResponse.MANIFEST
        return self._channel.start_stream(
            _MANAGEMENT,
            "KubernetesSyncManifests",
            request,
            lambda responses: sum(each.response_type == manifest and not each.skipped for each in responses),
            doing=f"sync the manifests of cluster {cluster!r}",
            timeout=timeout,
            metadata=_of(cluster),
        )

    def start_kubeconfig(self, cluster: str, *, user: str, groups: Sequence[str], ttl: timedelta) -> Call[str]:
        request = management_pb2.KubeconfigRequest(
            service_account=True, service_account_user=user, service_account_groups=groups
        )
        request.service_account_ttl.FromTimedelta(ttl)
        return self._channel.start(
            _MANAGEMENT,
            "Kubeconfig",
            request,
            lambda response: str(response.kubeconfig.decode()),
            doing=f"make a kubeconfig for cluster {cluster!r}",
            metadata=_of(cluster),
        )

    def start_talosconfig(self, cluster: str) -> Call[str]:
        return self._channel.start(
            _MANAGEMENT,
            "Talosconfig",
            management_pb2.TalosconfigRequest(),
            lambda response: str(response.talosconfig.decode()),
            doing=f"make a talosconfig for cluster {cluster!r}",
            metadata=_of(cluster),
        )

    def start_validate_config(self, text: str) -> Call[None]:
        request = management_pb2.ValidateConfigRequest(config=text)
        return self._channel.start(
            _MANAGEMENT, "ValidateConfig", request, lambda _: None, doing="accept the config patch"
        )


def _of(cluster: str) -> list[tuple[str, str]]:
    """The metadata by which Omni knows which cluster a call is about."""
    return [("context", cluster)]
