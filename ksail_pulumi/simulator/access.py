"""Omni's resource types, and what each role may do with them.

The table follows the access rules of Omni v1.10.4; a type that is not in it is denied, whether it exists or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import grpc

from ksail_pulumi.omni import resources
from ksail_pulumi.omni.api import meta_pb2, specs_pb2, virtual_pb2
from ksail_pulumi.omni.resources import ResourceType
from ksail_pulumi.simulator.refusal import listed
from ksail_pulumi.simulator.store import StoreError
from ksail_pulumi.simulator.verification import Identity

Action = Literal["read", "create", "update", "destroy"]


@dataclass(frozen=True)
class Access:
    """The access rules of a type.

    Attributes:
        type: The type.
        actions: The allowed actions.
        refusal: The text for all other actions.
        reader: The role that reading needs.
        writer: The role that writing needs.
        empty: Omni's text about an empty resource. Omni gives it in addition to `refusal`.
    """

    type: ResourceType
    actions: frozenset[Action]
    refusal: str
    reader: str = "Reader"
    writer: str = "Operator"
    empty: str = ""


NAMESPACES = frozenset(
    ("default", "ephemeral", "metrics", "virtual", "external", "infra-provider", "infra-provider-ephemeral", "meta")
)

IMPORTED_CLUSTER_SECRETS = ResourceType(
    "ImportedClusterSecrets.omni.sidero.dev", "default", specs_pb2.ImportedClusterSecretsSpec
)
PERMISSIONS = ResourceType("Permissions.omni.sidero.dev", "virtual", virtual_pb2.PermissionsSpec)
CLUSTER_PERMISSIONS = ResourceType("ClusterPermissions.omni.sidero.dev", "virtual", virtual_pb2.ClusterPermissionsSpec)
ADVERTISED_ENDPOINTS = ResourceType(
    "AdvertisedEndpoints.omni.sidero.dev", "virtual", virtual_pb2.AdvertisedEndpointsSpec
)
RESOURCE_DEFINITIONS = ResourceType("ResourceDefinitions.meta.cosi.dev", "meta", meta_pb2.ResourceDefinitionSpec)
VERSION_CONTRACTS = ResourceType("VersionContracts.omni.sidero.dev", "virtual", virtual_pb2.PermissionsSpec)
"""Omni knows this type but returns no resource of it, so its spec is never used."""
KUBERNETES_USAGES = ResourceType("KubernetesUsages.omni.sidero.dev", "virtual", specs_pb2.KubernetesUsageSpec)
VIRTUAL = frozenset((
    resources.CURRENT_USER, PERMISSIONS, CLUSTER_PERMISSIONS, ADVERTISED_ENDPOINTS, VERSION_CONTRACTS,
    KUBERNETES_USAGES,
))  # fmt: skip
"""Types whose resources are made for each call."""

USER_MANAGED = frozenset((
    resources.CLUSTER, resources.MACHINE_SET, resources.MACHINE_SET_NODE, resources.CONFIG_PATCH,
    resources.EXTENSIONS_CONFIGURATION, resources.KERNEL_ARGS, resources.KUBERNETES_MANIFEST_GROUP,
    resources.KUBERNETES_HEALTH_CHECK, resources.MACHINE_CLASS, resources.MACHINE_LABELS,
    resources.ETCD_MANUAL_BACKUP, resources.NODE_FORCE_DESTROY_REQUEST, IMPORTED_CLUSTER_SECRETS,
    ResourceType("MachineRequestSets.omni.sidero.dev", "default", specs_pb2.MachineRequestSetSpec),
    ResourceType("EtcdBackupS3Configs.omni.sidero.dev", "default", specs_pb2.EtcdBackupS3ConfSpec),
    ResourceType("RotateTalosCAs.omni.sidero.dev", "default", specs_pb2.RotateTalosCASpec),
    ResourceType("RotateKubernetesCAs.omni.sidero.dev", "default", specs_pb2.RotateKubernetesCASpec),
))  # fmt: skip
"""Types that users own; an Operator may do everything."""

# The simulator has no users and no join tokens, so these specs are never used.
_USERS = ResourceType("Users.omni.sidero.dev", "default", virtual_pb2.CurrentUserSpec)
_JOIN_TOKENS = ResourceType("JoinTokens.omni.sidero.dev", "default", virtual_pb2.CurrentUserSpec)

_READ_ONLY = (
    ("MachineExtensions", specs_pb2.MachineExtensionsSpec, "default"),
    ("MachineExtensionsStatuses", specs_pb2.MachineExtensionsStatusSpec, "default"),
    ("ClusterMachineConfigStatuses", specs_pb2.ClusterMachineConfigStatusSpec, "default"),
    ("LoadBalancerConfigs", specs_pb2.LoadBalancerConfigSpec, "default"),
    ("KubernetesUpgradeManifestStatuses", specs_pb2.KubernetesUpgradeManifestStatusSpec, "default"),
    ("ClusterTaints", specs_pb2.ClusterTaintSpec, "default"),
    ("ClusterDiagnostics", specs_pb2.ClusterDiagnosticsSpec, "default"),
    ("SchematicConfigurations", specs_pb2.SchematicConfigurationSpec, "default"),
    ("OngoingTasks", specs_pb2.OngoingTaskSpec, "ephemeral"),
    ("Notifications", specs_pb2.NotificationSpec, "ephemeral"),
    ("UpgradeRollouts", specs_pb2.UpgradeRolloutSpec, "ephemeral"),
    ("MachineConfigDiffs", specs_pb2.MachineConfigDiffSpec, "default"),
    ("RedactedClusterMachineConfigs", specs_pb2.RedactedClusterMachineConfigSpec, "default"),
    ("MachineUpgradeStatuses", specs_pb2.MachineUpgradeStatusSpec, "default"),
)

_SINCE_API_3 = (resources.MACHINE_INSTALL_DISK_CONFIG, resources.KUBERNETES_HEALTH_CHECK_STATUS)
"""Types that nobody may read before. For the second one it is a guess that this ends with API version 3."""


def _table() -> Mapping[str, Access]:
    read: frozenset[Action] = frozenset(("read",))
    everything: frozenset[Action] = frozenset(("read", "create", "update", "destroy"))
    open_to_all = (resources.TALOS_VERSION, resources.KUBERNETES_VERSION, resources.FEATURES_CONFIG,
                   resources.SYS_VERSION, RESOURCE_DEFINITIONS, *VIRTUAL)  # fmt: skip
    table = {
        kind.name: Access(kind, read, "only read access is permitted")
        for kind in (
            *resources.TYPES.values(),
            *(ResourceType(f"{name}.omni.sidero.dev", namespace, spec) for name, spec, namespace in _READ_ONLY),
        )
        if kind not in _SINCE_API_3
    }
    refusal = "only read access is permitted"
    table |= {kind.name: Access(kind, read, refusal, reader="None", writer="None") for kind in open_to_all}
    table |= {kind.name: Access(kind, everything, "") for kind in USER_MANAGED}
    table[IMPORTED_CLUSTER_SECRETS.name] = Access(
        IMPORTED_CLUSTER_SECRETS,
        frozenset(("create", "destroy")),
        "only create and destroy access is permitted for imported cluster secrets",
    )
    table[KUBERNETES_USAGES.name] = Access(KUBERNETES_USAGES, read, "only read access is permitted")
    table[_USERS.name] = Access(
        _USERS,
        read,
        f"only read access is permitted on resource {_USERS.name}, mutations should be done via ManagementService "
        "API calls",
        reader="Admin",
        writer="Admin",
        empty='unknown role to parse: ""',
    )
    table[_JOIN_TOKENS.name] = Access(
        _JOIN_TOKENS,
        frozenset(("read", "update", "destroy")),
        "only read, update and destroy access is permitted, create should be done via the "
        "management.CreateJoinToken API call",
        writer="Admin",
        empty="the join token name cannot be empty",
    )
    refusal = "only read and delete access is permitted"
    table[resources.LINK.name] = Access(resources.LINK, frozenset(("read", "destroy")), refusal)
    return table


TABLE = _table()

Table = Mapping[str, Access]
_SINCE_API_2 = (
    *(resources.KUBERNETES_MANIFEST_GROUP, resources.CLUSTER_KUBERNETES_MANIFESTS_STATUS),
    resources.KUBERNETES_HEALTH_CHECK,
)


def table(api_version: int) -> Table:
    """The types that an Omni of an API version has."""
    known = dict(TABLE)
    if api_version < 2:
        for kind in _SINCE_API_2:
            del known[kind.name]
    if api_version >= 3:
        kind = resources.MACHINE_INSTALL_DISK_CONFIG
        known[kind.name] = Access(kind, frozenset(("read", "create", "update", "destroy")), "")
        kind = resources.KUBERNETES_HEALTH_CHECK_STATUS
        known[kind.name] = Access(kind, frozenset(("read",)), "only read access is permitted")
    return known


def check(types: Table, identity: Identity, action: Action, type_name: str) -> Access:
    """Check an action of a caller on a type.

    Raises:
        StoreError: `PERMISSION_DENIED`, for an unknown or closed type too.
    """
    access = types.get(type_name)
    if access is None:
        raise _denied("no access is permitted")
    role = access.reader if action == "read" else access.writer
    if not identity.may(role):
        raise _denied(insufficient_role(identity))
    if action not in access.actions:
        raise _denied(access.refusal, *([access.empty] if access.empty and action == "create" else ()))
    return access


def insufficient_role(identity: Identity) -> str:
    """Omni's text for a role that is too low."""
    return f'unauthorized: access denied: insufficient role: "{identity.role}"'


def _denied(reason: str, *faults: str) -> StoreError:
    text = f"failed to validate: {listed([f'rpc error: code = PermissionDenied desc = {reason}', *faults])}"
    return StoreError(grpc.StatusCode.PERMISSION_DENIED, text)
