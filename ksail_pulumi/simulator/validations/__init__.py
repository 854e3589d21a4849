"""The validations of Omni v1.10.4 for everything that a user can write, with its texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import grpc

from ksail_pulumi.omni import resources
from ksail_pulumi.omni.resources import Resource, ResourceType
from ksail_pulumi.simulator.access import IMPORTED_CLUSTER_SECRETS
from ksail_pulumi.simulator.refusal import listed
from ksail_pulumi.simulator.store import StoreError
from ksail_pulumi.simulator.validations import (
    backups,
    clusters,
    config_patches,
    machine_classes,
    machine_set_nodes,
    machine_sets,
    metadata,
    workloads,
)
from ksail_pulumi.simulator.validations.context import Context, Named

Rule = TypeVar("Rule")
_Create = Callable[[Context, Resource], Iterator[str]]
_Update = Callable[[Context, Resource, Resource], Iterator[str]]

_CREATE: Mapping[ResourceType, _Create] = {
    resources.CLUSTER: clusters.on_create,
    resources.MACHINE_SET: machine_sets.on_create,
    resources.MACHINE_SET_NODE: machine_set_nodes.on_create,
    resources.CONFIG_PATCH: config_patches.on_create,
    resources.MACHINE_CLASS: machine_classes.on_create,
    resources.EXTENSIONS_CONFIGURATION: workloads.extensions_on_create,
    resources.KERNEL_ARGS: workloads.kernel_args_on_create,
    resources.KUBERNETES_MANIFEST_GROUP: workloads.manifest_group_on_create,
    resources.MACHINE_INSTALL_DISK_CONFIG: workloads.install_disk_on_create,
    resources.KUBERNETES_HEALTH_CHECK: workloads.health_check_on_create,
    resources.ETCD_MANUAL_BACKUP: backups.manual_backup_on_create,
    resources.NODE_FORCE_DESTROY_REQUEST: backups.force_destroy_on_create,
    IMPORTED_CLUSTER_SECRETS: backups.imported_secrets_on_create,
}
_UPDATE: Mapping[ResourceType, _Update] = {
    resources.CLUSTER: clusters.on_update,
    resources.MACHINE_SET: machine_sets.on_update,
    resources.MACHINE_SET_NODE: machine_set_nodes.on_update,
    resources.CONFIG_PATCH: config_patches.on_update,
}
_DESTROY: Mapping[ResourceType, _Create] = {
    resources.CLUSTER: clusters.on_destroy,
    resources.MACHINE_SET: machine_sets.on_destroy,
    resources.MACHINE_SET_NODE: machine_set_nodes.on_destroy,
    resources.MACHINE_CLASS: machine_classes.on_destroy,
}


def check_create(context: Context, resource: Resource) -> None:
    """Validate a new resource.

    Raises:
        StoreError: `INVALID_ARGUMENT` with all errors.
    """
    faults = [*metadata.faults(resource)]
    rule = _rule(_CREATE, resource.type)
    if rule is not None:
        faults += rule(context, resource)
    _refuse(faults)


def check_update(context: Context, old: Resource, new: Resource) -> None:
    """Validate a change.

    Raises:
        StoreError: `INVALID_ARGUMENT` with all errors.
    """
    faults = [*metadata.faults(new)]
    update = _rule(_UPDATE, new.type)
    create = _rule(_CREATE, new.type)
    if update is not None:
        faults += update(context, old, new)
    elif create is not None:
        faults += create(context, new)
    _refuse(faults)


def check_destroy(context: Context, resource: Resource) -> None:
    """Validate the deletion of a resource.

    Raises:
        StoreError: `INVALID_ARGUMENT` with the reasons.
    """
    rule = _rule(_DESTROY, resource.type)
    if rule is not None:
        _refuse([*rule(context, resource)])


def _rule(rules: Mapping[ResourceType, Rule], kind: ResourceType) -> Rule | None:
    # The rules apply in every namespace.
    return next((rule for known, rule in rules.items() if known.name == kind.name), None)


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise StoreError(grpc.StatusCode.INVALID_ARGUMENT, f"failed to validate: {listed(faults)}")


__all__ = ["Context", "Named", "check_create", "check_destroy", "check_update"]
