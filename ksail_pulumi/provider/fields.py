"""The names of the inputs, and each input of an `OmniCluster` as an output.

Apart from the classes of the inputs: these are slow to import, and the provider process does not need them.

Written by `make args` from the models in `ksail_pulumi/model`. Change these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi import Output


class InputOutputs:
    """Every input of an `OmniCluster` as an output. Mappings in them have keys in camelCase."""

    @property
    def name(self) -> Output[str]:
        """Name of the cluster in Omni."""
        return self._output("name")

    @property
    def endpoint(self) -> Output[str | None]:
        """URL of the cluster's Omni."""
        return self._output("endpoint")

    @property
    def service_account_key_env_var(self) -> Output[str | None]:
        """Name of the environment variable with the service account key for the cluster's Omni."""
        return self._output("serviceAccountKeyEnvVar")

    @property
    def kubernetes_version(self) -> Output[str]:
        """Kubernetes version, with or without `v`."""
        return self._output("kubernetesVersion")

    @property
    def talos_version(self) -> Output[str]:
        """Talos version, with or without `v`."""
        return self._output("talosVersion")

    @property
    def control_plane(self) -> Output[int | dict[str, Any] | None]:
        """Machines of the control plane: a number of free machines, or a machine set."""
        return self._output("controlPlane")

    @property
    def workers(self) -> Output[int | list[dict[str, Any]] | None]:
        """Machines that run workloads: a number of free machines, or a list of machine sets."""
        return self._output("workers")

    @property
    def machines(self) -> Output[dict[str, dict[str, Any]] | None]:
        """Settings of single machines, by machine ID."""
        return self._output("machines")

    @property
    def patches(self) -> Output[list[dict[str, Any]] | None]:
        """Talos patches for all machines of the cluster."""
        return self._output("patches")

    @property
    def system_extensions(self) -> Output[list[str] | None]:
        """Talos system extensions of all machines."""
        return self._output("systemExtensions")

    @property
    def kernel_args(self) -> Output[list[str] | None]:
        """Kernel arguments of all machines."""
        return self._output("kernelArgs")

    @property
    def features(self) -> Output[dict[str, Any] | None]:
        """Optional features of the cluster."""
        return self._output("features")

    @property
    def backup(self) -> Output[dict[str, Any] | None]:
        """Backups of etcd."""
        return self._output("backup")

    @property
    def manifests(self) -> Output[list[dict[str, Any]] | None]:
        """Kubernetes objects that Omni applies to the cluster, in this order."""
        return self._output("manifests")

    @property
    def health_checks(self) -> Output[list[dict[str, Any]] | None]:
        """Kubernetes Jobs that must succeed before an upgrade continues."""
        return self._output("healthChecks")

    @property
    def addons(self) -> Output[dict[str, Any] | None]:
        """Add-ons of the cluster: network plugin, metrics-server and others."""
        return self._output("components")

    @property
    def labels(self) -> Output[dict[str, str] | None]:
        """Labels of the `Cluster` resource in Omni."""
        return self._output("labels")

    @property
    def annotations(self) -> Output[dict[str, str] | None]:
        """Annotations of the `Cluster` resource in Omni."""
        return self._output("annotations")

    @property
    def locked(self) -> Output[bool | None]:
        """True locks the cluster against changes, false unlocks it."""
        return self._output("locked")

    @property
    def kubeconfig_options(self) -> Output[dict[str, Any] | None]:
        """Settings of the kubeconfig that the cluster outputs."""
        return self._output("kubeconfigOptions")

    @property
    def talosconfig_enabled(self) -> Output[bool | None]:
        """Whether the cluster outputs a talosconfig."""
        return self._output("talosconfigEnabled")

    @property
    def wait_for(self) -> Output[str | None]:
        """What `up` waits for."""
        return self._output("waitFor")

    @property
    def backup_before(self) -> Output[list[str] | None]:
        """Before what a backup of etcd is taken."""
        return self._output("backupBefore")

    @property
    def on_upgrade_failure(self) -> Output[str | None]:
        """What happens when a Talos or Kubernetes upgrade does not finish in time, or fails."""
        return self._output("onUpgradeFailure")

    @property
    def on_update(self) -> Output[dict[str, Any] | None]:
        """What happens when machines leave the cluster in an update."""
        return self._output("onUpdate")

    @property
    def on_delete(self) -> Output[dict[str, Any] | None]:
        """What happens when the cluster is deleted."""
        return self._output("onDelete")

    @property
    def ownership(self) -> Output[str | None]:
        """What the resource removes from the cluster."""
        return self._output("ownership")

    def _output(self, key: str) -> Output[Any]:
        return cast("Output[Any]", self.__dict__[key])


class Field(NamedTuple):
    """A field: its name on the wire, the part in it, and its kind: `list`, `map`, `any`, or else empty."""

    wire: str
    part: str = ""
    kind: str = ""


FIELDS: Final[Mapping[str, Mapping[str, Field]]] = {
    "MetaValue": {
        "key": Field("key"),
        "value": Field("value"),
    },
    "AutoProvision": {
        "provider_id": Field("providerId"),
        "provider_data": Field("providerData", "", "any"),
        "kernel_args": Field("kernelArgs", "", "list"),
        "meta_values": Field("metaValues", "MetaValue", "list"),
        "grpc_tunnel": Field("grpcTunnel"),
    },
    "MachineClassInputs": {
        "endpoint": Field("endpoint"),
        "service_account_key_env_var": Field("serviceAccountKeyEnvVar"),
        "name": Field("name"),
        "match_labels": Field("matchLabels", "", "list"),
        "auto_provision": Field("autoProvision", "AutoProvision"),
    },
    "EtcdBackupInputs": {
        "endpoint": Field("endpoint"),
        "service_account_key_env_var": Field("serviceAccountKeyEnvVar"),
        "cluster": Field("cluster"),
        "triggers": Field("triggers", "", "any"),
    },
    "Patch": {
        "name": Field("name"),
        "inline": Field("inline", "", "any"),
        "file": Field("file"),
        "id_override": Field("idOverride"),
        "labels": Field("labels", "", "map"),
        "annotations": Field("annotations", "", "map"),
        "description": Field("description"),
    },
    "Install": {
        "disk": Field("disk"),
        "disk_selector": Field("diskSelector"),
    },
    "MachineConfigInputs": {
        "endpoint": Field("endpoint"),
        "service_account_key_env_var": Field("serviceAccountKeyEnvVar"),
        "machine_id": Field("machineId"),
        "labels": Field("labels", "", "map"),
        "patches": Field("patches", "Patch", "list"),
        "kernel_args": Field("kernelArgs", "", "list"),
        "install_disk": Field("installDisk", "Install"),
    },
    "MachineClass": {
        "name": Field("name"),
        "size": Field("size"),
    },
    "Rolling": {
        "max_parallelism": Field("maxParallelism"),
    },
    "Strategy": {
        "type": Field("type"),
        "rolling": Field("rolling", "Rolling"),
    },
    "BootstrapSpec": {
        "cluster_uuid": Field("clusterUUID"),
        "snapshot": Field("snapshot"),
    },
    "ControlPlane": {
        "count": Field("count"),
        "machines": Field("machines", "", "list"),
        "machine_class": Field("machineClass", "MachineClass"),
        "selector": Field("selector"),
        "upgrade_strategy": Field("upgradeStrategy", "Strategy"),
        "patches": Field("patches", "Patch", "list"),
        "system_extensions": Field("systemExtensions", "", "list"),
        "kernel_args": Field("kernelArgs", "", "list"),
        "labels": Field("labels", "", "map"),
        "annotations": Field("annotations", "", "map"),
        "bootstrap_spec": Field("bootstrapSpec", "BootstrapSpec"),
    },
    "Workers": {
        "count": Field("count"),
        "machines": Field("machines", "", "list"),
        "machine_class": Field("machineClass", "MachineClass"),
        "selector": Field("selector"),
        "upgrade_strategy": Field("upgradeStrategy", "Strategy"),
        "patches": Field("patches", "Patch", "list"),
        "system_extensions": Field("systemExtensions", "", "list"),
        "kernel_args": Field("kernelArgs", "", "list"),
        "labels": Field("labels", "", "map"),
        "annotations": Field("annotations", "", "map"),
        "name": Field("name"),
        "update_strategy": Field("updateStrategy", "Strategy"),
        "delete_strategy": Field("deleteStrategy", "Strategy"),
    },
    "Machine": {
        "locked": Field("locked"),
        "install": Field("install", "Install"),
        "patches": Field("patches", "Patch", "list"),
        "system_extensions": Field("systemExtensions", "", "list"),
        "kernel_args": Field("kernelArgs", "", "list"),
        "labels": Field("labels", "", "map"),
        "annotations": Field("annotations", "", "map"),
    },
    "Features": {
        "disk_encryption": Field("diskEncryption"),
        "enable_workload_proxy": Field("enableWorkloadProxy"),
        "use_embedded_discovery_service": Field("useEmbeddedDiscoveryService"),
        "disable_public_discovery_service": Field("disablePublicDiscoveryService"),
        "enable_node_audit_skip": Field("enableNodeAuditSkip"),
    },
    "Backup": {
        "interval": Field("interval"),
    },
    "Manifest": {
        "name": Field("name"),
        "inline": Field("inline", "", "any"),
        "file": Field("file"),
        "weight": Field("weight"),
        "mode": Field("mode"),
        "labels": Field("labels", "", "map"),
        "annotations": Field("annotations", "", "map"),
    },
    "HealthCheck": {
        "name": Field("name"),
        "id_override": Field("idOverride"),
        "job": Field("job", "", "any"),
        "file": Field("file"),
        "interval": Field("interval"),
        "labels": Field("labels", "", "map"),
        "annotations": Field("annotations", "", "map"),
    },
    "GitOpsSource": {
        "url": Field("url"),
        "revision": Field("revision"),
        "path": Field("path"),
        "username": Field("username"),
        "password": Field("password"),
    },
    "Addon": {
        "name": Field("name"),
        "version": Field("version"),
        "url": Field("url"),
        "inline": Field("inline", "", "any"),
        "file": Field("file"),
        "source": Field("source", "GitOpsSource"),
    },
    "Addons": {
        "cni": Field("cni", "Addon"),
        "metrics_server": Field("metricsServer", "Addon"),
        "cert_manager": Field("certManager", "Addon"),
        "policy_engine": Field("policyEngine", "Addon"),
        "git_ops_engine": Field("gitOpsEngine", "Addon"),
        "csi": Field("csi", "Addon"),
    },
    "Kubeconfig": {
        "form": Field("form"),
        "context": Field("context"),
        "file": Field("file"),
        "user": Field("user"),
        "groups": Field("groups", "", "list"),
        "ttl": Field("ttl"),
        "renew_before": Field("renewBefore"),
    },
    "OnUpdate": {
        "disconnected_machines": Field("disconnectedMachines"),
        "custom_resource_definitions": Field("customResourceDefinitions"),
    },
    "OnDelete": {
        "disconnected_machines": Field("disconnectedMachines"),
    },
    "OmniCluster": {
        "name": Field("name"),
        "endpoint": Field("endpoint"),
        "service_account_key_env_var": Field("serviceAccountKeyEnvVar"),
        "kubernetes_version": Field("kubernetesVersion"),
        "talos_version": Field("talosVersion"),
        "control_plane": Field("controlPlane", "ControlPlane"),
        "workers": Field("workers", "Workers", "list"),
        "machines": Field("machines", "Machine", "map"),
        "patches": Field("patches", "Patch", "list"),
        "system_extensions": Field("systemExtensions", "", "list"),
        "kernel_args": Field("kernelArgs", "", "list"),
        "features": Field("features", "Features"),
        "backup": Field("backup", "Backup"),
        "manifests": Field("manifests", "Manifest", "list"),
        "health_checks": Field("healthChecks", "HealthCheck", "list"),
        "addons": Field("addons", "Addons"),
        "components": Field("addons", "Addons"),
        "labels": Field("labels", "", "map"),
        "annotations": Field("annotations", "", "map"),
        "locked": Field("locked"),
        "kubeconfig": Field("kubeconfig", "Kubeconfig"),
        "talosconfig": Field("talosconfig"),
        "wait_for": Field("waitFor"),
        "backup_before": Field("backupBefore", "", "list"),
        "on_upgrade_failure": Field("onUpgradeFailure"),
        "on_update": Field("onUpdate", "OnUpdate"),
        "on_delete": Field("onDelete", "OnDelete"),
        "ownership": Field("ownership"),
    },
}
"""The fields of each part, by their names in Python."""

FORMER_NAMES: Final[Mapping[str, str]] = {"components": "addons"}
"""Inputs of a cluster under names that they no longer have, and the names that they have."""
