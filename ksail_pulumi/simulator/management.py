"""The Management service: kubeconfigs, talosconfigs, checks before a write."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import grpc
import yaml
from google.protobuf.empty_pb2 import Empty

from ksail_pulumi.omni.api import common_pb2, management_pb2
from ksail_pulumi.omni.resources import CLUSTER_STATUS, CLUSTER_UUID, KUBERNETES_UPGRADE_STATUS, MACHINE_STATUS
from ksail_pulumi.simulator import access, goyaml
from ksail_pulumi.simulator.bootstrap_manifests import BootstrapManifests
from ksail_pulumi.simulator.catalog import Catalog
from ksail_pulumi.simulator.machine_logs import MachineLogs
from ksail_pulumi.simulator.refusal import Refused, listed
from ksail_pulumi.simulator.store import Store, StoreError, not_found
from ksail_pulumi.simulator.validations import clusters, talos_config
from ksail_pulumi.simulator.verification import Identity, Verifier

"""The address of the Kubernetes API in kubeconfigs. Nothing listens there."""
LONGEST_TTL = timedelta(days=3650)
LONGEST_TOKEN_NAME = 16
GRANT_TYPES = ("", "auto", "authcode", "authcode-keyboard")

_OIDC_KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters:
  - cluster:
      server: {server}
    name: {name}
contexts:
  - context:
      cluster: {name}
      namespace: default
      user: {user}
    name: {name}
current-context: {name}
users:
- name: {user}
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      args:
        - oidc-login
        - get-token
        - --oidc-issuer-url={issuer}/oidc
        - --oidc-client-id=native
        - --oidc-extra-scope=cluster:{cluster}{grant}
      command: kubectl
      env: null
      interactiveMode: IfAvailable
      provideClusterInfo: false
"""


class Management:
    """The methods of `management.ManagementService`; they raise `StoreError` where Omni refuses.

    Attributes:
        methods: The unary methods by name, each with the type of its request. They take who calls, the request, and
            the cluster that the call's metadata names.
    """

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        verifier: Verifier,
        url: Callable[[], str],
        logs: MachineLogs,
        *,
        proxy: Callable[[], str],
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._verifier = verifier
        self._url = url
        self._logs = logs
        self._proxy = proxy
        self._manifests = BootstrapManifests(store)
        self._token_secret = secrets.token_bytes(32)
        self.methods: Mapping[str, tuple[Callable[..., Any], Any]] = {
            "Kubeconfig": (self.kubeconfig, management_pb2.KubeconfigRequest),
            "Talosconfig": (self.talosconfig, management_pb2.TalosconfigRequest),
            "Omniconfig": (self.omniconfig, Empty),
            "ValidateConfig": (self.validate_config, management_pb2.ValidateConfigRequest),
            "KubernetesUpgradePreChecks": (
                self.kubernetes_upgrade_pre_checks,
                management_pb2.KubernetesUpgradePreChecksRequest,
            ),
            "DestroyServiceAccount": (
                self.destroy_service_account,
                management_pb2.DestroyServiceAccountRequest,
            ),
            "CreateJoinToken": (self.create_join_token, management_pb2.CreateJoinTokenRequest),
            "MachinePowerOn": (self.machine_power_on, management_pb2.MachinePowerOnRequest),
        }

    def kubeconfig(
        self, identity: Identity, request: management_pb2.KubeconfigRequest, cluster: str
    ) -> management_pb2.KubeconfigResponse:
        """A kubeconfig with a static token for a service account, or one with an interactive login."""
        if not cluster:
            raise StoreError(grpc.StatusCode.INVALID_ARGUMENT, "cluster name is not in context")
        if request.break_glass:
            raise StoreError(grpc.StatusCode.PERMISSION_DENIED, "not allowed")
        if request.service_account:
            text = self._service_account_kubeconfig(identity, request, cluster)
        else:
            text = self._oidc_kubeconfig(identity, request, cluster)
        return management_pb2.KubeconfigResponse(kubeconfig=text.encode())

    def cluster_of(self, token: str) -> str:
        """The cluster whose Kubernetes a token of a kubeconfig is for.

        Raises:
            KeyError: The token is not valid.
        """
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(signed).encode()):
            raise KeyError("token")
        claims = json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
        uuid = self._store.find(CLUSTER_UUID, claims["cluster"])
        if uuid is None or uuid.spec.uuid != claims["cluster_uuid"] or claims["exp"] < time.time():
            raise KeyError("token")
        return str(claims["cluster"])

    def talosconfig(
        self, identity: Identity, request: management_pb2.TalosconfigRequest, cluster: str
    ) -> management_pb2.TalosconfigResponse:
        """A talosconfig for one cluster, which need not exist, or for all clusters."""
        _require(identity, "Reader")
        if request.raw or request.break_glass:
            raise StoreError(grpc.StatusCode.PERMISSION_DENIED, "not allowed")
        name = f"{self._catalog.account}-{cluster}" if cluster else self._catalog.account
        context: dict[str, Any] = {
            "endpoints": [self._url()],
            "auth": {"siderov1": {"identity": identity.email}},
        }
        if cluster:
            context["cluster"] = cluster
        return management_pb2.TalosconfigResponse(
            talosconfig=goyaml.dump({"context": name, "contexts": {name: context}}).encode()
        )

    def omniconfig(self, identity: Identity, _request: Empty, _cluster: str) -> management_pb2.OmniconfigResponse:
        """The configuration of omnictl."""
        account = {"url": self._url(), "auth": {"siderov1": {"identity": identity.email}}}
        config = {"contexts": {self._catalog.account: account}, "context": self._catalog.account}
        return management_pb2.OmniconfigResponse(omniconfig=goyaml.dump(config).encode())

    def validate_config(
        self, identity: Identity, request: management_pb2.ValidateConfigRequest, _cluster: str
    ) -> Empty:
        """Validate a config patch as its creation does."""
        _require(identity, "Reader")
        try:
            faults = talos_config.forbidden(request.config)
        except Refused as refusal:
            raise StoreError(grpc.StatusCode.INVALID_ARGUMENT, str(refusal)) from refusal
        if faults:
            raise StoreError(grpc.StatusCode.INVALID_ARGUMENT, listed(faults))
        return Empty()

    def kubernetes_upgrade_pre_checks(
        self, identity: Identity, request: management_pb2.KubernetesUpgradePreChecksRequest, cluster: str
    ) -> management_pb2.KubernetesUpgradePreChecksResponse:
        """Check whether Kubernetes can be upgraded to a version."""
        _require(identity, "Operator")
        status = self._store.find(KUBERNETES_UPGRADE_STATUS, cluster)
        if status is None:
            kind = KUBERNETES_UPGRADE_STATUS
            missing = not_found(kind.name, kind.namespace, cluster, "failed to get: ")
            raise StoreError(grpc.StatusCode.UNKNOWN, missing.text)
        if not status.spec.last_upgrade_version:
            raise StoreError(grpc.StatusCode.FAILED_PRECONDITION, "current version is not known yet")
        try:
            fault = clusters.upgrade_path(status.spec.last_upgrade_version, request.new_version)
        except Refused as refusal:
            fault = f"invalid upgrade path: {refusal}"
        if fault:
            raise StoreError(grpc.StatusCode.INVALID_ARGUMENT, fault)
        return management_pb2.KubernetesUpgradePreChecksResponse(ok=True)

    def destroy_service_account(
        self, identity: Identity, request: management_pb2.DestroyServiceAccountRequest, _cluster: str
    ) -> Empty:
        """Revoke all keys of a service account."""
        _require(identity, "Admin")
        if request.name == identity.name:
            text = "destroying your own service account is not allowed"
            raise StoreError(grpc.StatusCode.INVALID_ARGUMENT, text)
        if not self._verifier.remove(request.name):
            raise StoreError(grpc.StatusCode.NOT_FOUND, f'service account "{request.name}" not found')
        return Empty()

    def create_join_token(
        self, identity: Identity, request: management_pb2.CreateJoinTokenRequest, _cluster: str
    ) -> management_pb2.CreateJoinTokenResponse:
        """Only refuses: emulated machines join without a token."""
        _require(identity, "Admin")
        if len(request.name) > LONGEST_TOKEN_NAME:
            text = f"token name cannot be longer than {LONGEST_TOKEN_NAME} symbols"
            raise StoreError(grpc.StatusCode.INVALID_ARGUMENT, text)
        raise StoreError(grpc.StatusCode.UNIMPLEMENTED, "the simulator has no join tokens")

    def machine_power_on(
        self, identity: Identity, request: management_pb2.MachinePowerOnRequest, _cluster: str
    ) -> management_pb2.MachinePowerOnResponse:
        """Only refuses: no infrastructure provider manages the emulated machines."""
        _require(identity, "Operator")
        if self._store.find(MACHINE_STATUS, request.machine_id) is None:
            raise StoreError(grpc.StatusCode.NOT_FOUND, "machine not found")
        raise StoreError(grpc.StatusCode.UNIMPLEMENTED, "the simulator cannot switch machines on")

    def kubernetes_sync_manifests(
        self, identity: Identity, request: management_pb2.KubernetesSyncManifestRequest, cluster: str
    ) -> Iterator[management_pb2.KubernetesSyncManifestResponse]:
        """Apply the configured manifests to the objects in Kubernetes."""
        _require(identity, "Operator")
        if not cluster:
            raise StoreError(grpc.StatusCode.INVALID_ARGUMENT, "unable to extract request context")
        status = self._store.find(CLUSTER_STATUS, cluster)
        if status is None or not status.spec.kubernetesAPIReady:
            raise StoreError(grpc.StatusCode.UNKNOWN, "failed to get kubeconfig: Kubernetes is not reachable")
        prune = request.HasField("ssa") and not request.ssa.no_prune
        return self._manifests.sync(cluster, dry_run=request.dry_run, prune=prune)

    def machine_logs(
        self, identity: Identity, request: management_pb2.MachineLogsRequest, _cluster: str
    ) -> Iterator[common_pb2.Data]:
        """The last lines of the log of a machine; `follow` is ignored."""
        _require(identity, "Reader")
        if not request.machine_id:
            raise StoreError(grpc.StatusCode.INVALID_ARGUMENT, "machine id is required")
        return self._logs.lines(request.machine_id, request.tail_lines)

    def _service_account_kubeconfig(
        self, identity: Identity, request: management_pb2.KubeconfigRequest, cluster: str
    ) -> str:
        _require(identity, "Operator")
        ttl = request.service_account_ttl.ToTimedelta()
        fault = ""
        if not request.HasField("service_account_ttl"):
            fault = "service account ttl is not set"
        elif ttl <= timedelta(0):
            fault = "service account ttl is must be positive"
        elif ttl > LONGEST_TTL:
            fault = f"service account ttl is too long (max allowed: {clusters.duration(LONGEST_TTL)})"
        elif not request.service_account_user:
            fault = "service account user name is not set"
        if fault:
            raise StoreError(grpc.StatusCode.INVALID_ARGUMENT, fault)
        cluster_uuid = self._store.find(CLUSTER_UUID, cluster)
        if cluster_uuid is None:
            missing = not_found(CLUSTER_UUID.name, CLUSTER_UUID.namespace, cluster, "failed to get: ")
            raise StoreError(grpc.StatusCode.UNKNOWN, f"failed to get cluster UUID: {missing.text}")
        name = f"{self._catalog.account}-{cluster}-{request.service_account_user}"
        claims = {
            "cluster": cluster,
            "cluster_uuid": cluster_uuid.spec.uuid,
            "groups": list(request.service_account_groups),
            "service_account": True,
            "sub": request.service_account_user,
        }
        config = {
            "apiVersion": "v1",
            "clusters": [{"cluster": {"server": self._proxy()}, "name": name}],
            "contexts": [{"context": {"cluster": name, "namespace": "default", "user": name}, "name": name}],
            "current-context": name,
            "kind": "Config",
            "users": [{"name": name, "user": {"token": self._token(claims, ttl)}}],
        }
        return yaml.safe_dump(config)

    def _oidc_kubeconfig(self, identity: Identity, request: management_pb2.KubeconfigRequest, cluster: str) -> str:
        _require(identity, "Reader")
        if request.grant_type not in GRANT_TYPES:
            text = f'invalid grant type "{request.grant_type}"'
            raise StoreError(grpc.StatusCode.INVALID_ARGUMENT, text)
        grant = request.grant_type if request.grant_type != "auto" else ""
        name = f"{self._catalog.account}-{cluster}"
        return _OIDC_KUBECONFIG.format(
            server=self._proxy(),
            name=name,
            user=f"{name}-{identity.email}",
            issuer=self._url(),
            cluster=cluster,
            grant=f"\n        - --grant-type={grant}" if grant else "",
        )

    def _token(self, claims: Mapping[str, Any], ttl: timedelta) -> str:
        """A JSON web token (RFC 7519) that expires `ttl` from now. Its signature cannot be verified."""
        now = int(time.time())
        times = {"iat": now, "nbf": now, "exp": now + int(ttl.total_seconds()), "iss": "omni"}
        parts = [{"alg": "HS256", "typ": "JWT"}, {**claims, **times}]
        signed = ".".join(_url_safe(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
        return f"{signed}.{self._signature(signed)}"

    def _signature(self, signed: str) -> str:
        return _url_safe(hmac.digest(self._token_secret, signed.encode(), hashlib.sha256))


def _require(identity: Identity, role: str) -> None:
    if not identity.may(role):
        raise StoreError(grpc.StatusCode.PERMISSION_DENIED, access.insufficient_role(identity))


def _url_safe(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
