"""Omni's calls other than those on resources: access to clusters, checks of patches, sync of manifests."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ksail_pulumi.omni.api import management_pb2
from ksail_pulumi.omni.api.management_pb2_grpc import ManagementServiceStub
from ksail_pulumi.omni.audit import AuditEntry, changes_of_users, last_change
from ksail_pulumi.omni.channel import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime, timedelta

    from ksail_pulumi.omni.channel import Call, Channel
    from ksail_pulumi.omni.resources import ResourceType

_MANAGEMENT = Service("management.ManagementService", ManagementServiceStub)
T = TypeVar("T")


class Management:
    """Calls of `management.ManagementService`; results raise subclasses of `OmniError`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def start_sync_manifests(self, cluster: str, *, timeout: float) -> Call[int]:
        """Apply the manifests in the machine configuration of a cluster to Kubernetes.

        Nothing is deleted, and fields that others manage are kept. The result is the number of objects created or
        changed; it comes when they are rolled out.

        Args:
            cluster: The cluster's name.
            timeout: How long it may take, in seconds.
        """
        request = management_pb2.KubernetesSyncManifestRequest()
        request.ssa.inventory_policy = management_pb2.KubernetesSSAOptions.ADOPT_IF_NO_INVENTORY
        request.ssa.no_prune = True
        request.ssa.reconcile_timeout.FromSeconds(int(timeout * 0.8))  # leaves Omni time to report what was slow
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
        """Request a kubeconfig with its own token. It connects through Omni's proxy and needs no browser.

        Args:
            cluster: The cluster's name.
            user: The Kubernetes user that the token authenticates.
            groups: The groups of that user, such as `system:masters`.
            ttl: How long the token is valid; Omni allows up to 10 years.
        """
        request = management_pb2.KubeconfigRequest(
            service_account=True, service_account_user=user, service_account_groups=groups
        )
        request.service_account_ttl.FromTimedelta(ttl)
        return self._channel.start(
            _MANAGEMENT,
            "Kubeconfig",
            request,
            _kubeconfig,
            doing=f"create a kubeconfig for cluster {cluster!r}",
            metadata=_of(cluster),
        )

    def start_login_kubeconfig(self, cluster: str) -> Call[str]:
        """Request a kubeconfig for people, which has no token: they log in with a browser.

        So a Reader may request it, and nothing is created.
        """
        return self._start_login(cluster, _kubeconfig, f"read how to reach the Kubernetes API of cluster {cluster!r}")

    def start_kubernetes_url(self, cluster: str) -> Call[str]:
        """Request the URL of the Kubernetes API that kubeconfigs of a cluster use: no resource has it."""
        return self._start_login(cluster, _server, f"read the URL of the Kubernetes API of cluster {cluster!r}")

    def _start_login(
        self, cluster: str, decode: Callable[[management_pb2.KubeconfigResponse], str], doing: str
    ) -> Call[str]:
        request = management_pb2.KubeconfigRequest()
        return self._channel.start(_MANAGEMENT, "Kubeconfig", request, decode, doing=doing, metadata=_of(cluster))

    def start_talosconfig(self, cluster: str) -> Call[str]:
        """Request a talosconfig that reaches the cluster's machines through Omni as this service account."""
        return self._channel.start(
            _MANAGEMENT,
            "Talosconfig",
            management_pb2.TalosconfigRequest(),
            lambda response: str(response.talosconfig.decode()),
            doing=f"create a talosconfig for cluster {cluster!r}",
            metadata=_of(cluster),
        )

    def start_last_change(
        self, kind: ResourceType, resource_id: str, *, since: datetime, timeout: float
    ) -> Call[AuditEntry | None]:
        """Look up the last change of a resource in the audit log; None if the log has none.

        Only the roles Auditor and Admin may read it.

        Args:
            kind: The type of the resource.
            resource_id: Its ID.
            since: Older entries are not read.
            timeout: How long it may take, in seconds.
        """
        request = management_pb2.ReadAuditLogRequest(
            resource_type=kind.name, resource_id=resource_id, start_ts_ms=int(since.timestamp() * 1000)
        )
        return self._start_audit_log(request, last_change, timeout=timeout)

    def start_changes_of_users(self, cluster: str, *, since: datetime, timeout: float) -> Call[list[AuditEntry]]:
        """Look up what users changed in a cluster, oldest first. Only the roles Auditor and Admin may read it.

        Args:
            cluster: The cluster's name.
            since: Older entries are not read.
            timeout: How long it may take, in seconds.
        """
        request = management_pb2.ReadAuditLogRequest(cluster_id=cluster, start_ts_ms=int(since.timestamp() * 1000))
        return self._start_audit_log(request, changes_of_users, timeout=timeout)

    def _start_audit_log(
        self,
        request: management_pb2.ReadAuditLogRequest,
        outcome: Callable[[Iterable[bytes]], T],
        *,
        timeout: float,
    ) -> Call[T]:
        return self._channel.start_stream(
            _MANAGEMENT,
            "ReadAuditLog",
            request,
            lambda responses: outcome(response.audit_log for response in responses),
            doing="read the audit log",
            timeout=timeout,
        )

    def start_machine_log(self, machine: str, *, lines: int) -> Call[list[str]]:
        """Read the last lines of the kernel log that a machine has sent to Omni; a Reader may do that.

        Args:
            machine: The machine's ID.
            lines: How many lines.
        """
        return self._channel.start_stream(
            _MANAGEMENT,
            "MachineLogs",
            management_pb2.MachineLogsRequest(machine_id=machine, tail_lines=lines),
            lambda responses: [line for each in responses for line in each.bytes.decode(errors="replace").splitlines()],
            doing=f"read the log of machine {machine}",
        )

    def start_validate_config(self, text: str) -> Call[None]:
        """Let Omni check a config patch; the result raises `RefusedError` if the patch is not valid."""
        request = management_pb2.ValidateConfigRequest(config=text)
        return self._channel.start(
            _MANAGEMENT, "ValidateConfig", request, lambda _: None, doing="accept the config patch"
        )


def _kubeconfig(response: management_pb2.KubeconfigResponse) -> str:
    return response.kubeconfig.decode()


def _server(response: management_pb2.KubeconfigResponse) -> str:
    from ksail_pulumi.goyaml.loaders import load  # rarely needed, and slow to import

    try:
        return str(load(_kubeconfig(response))["clusters"][0]["cluster"]["server"])
    except (KeyError, IndexError, TypeError):
        return ""  # of another form than Omni 1.10's


def _of(cluster: str) -> list[tuple[str, str]]:
    """The metadata that names the cluster of a call."""
    return [("context", cluster)]
