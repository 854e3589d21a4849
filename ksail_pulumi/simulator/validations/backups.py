"""Validation of manual backups, force-destroy requests and imported clusters."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta

import yaml

from ksail_pulumi.omni.resources import CLUSTER, CLUSTER_MACHINE, Resource
from ksail_pulumi.simulator import goyaml
from ksail_pulumi.simulator.refusal import listed
from ksail_pulumi.simulator.validations.context import Context

BACKUP_SKEW = timedelta(minutes=1)
"""The maximum difference between now and the time of a manual backup."""


def manual_backup_on_create(context: Context, backup: Resource) -> Iterator[str]:
    """The cluster need not exist."""
    wanted = backup.spec.backup_at.ToDatetime(UTC)
    if wanted < context.now() - BACKUP_SKEW:
        yield "backup time must not be more than 1 minute in the past"
    elif wanted > context.now() + BACKUP_SKEW:
        yield "backup time must not be more than 1 minute in the future"


def force_destroy_on_create(context: Context, request: Resource) -> Iterator[str]:
    if context.find(CLUSTER_MACHINE, request.id) is None:
        yield (
            f'cannot create/update a NodeForceDestroyRequest for node "{request.id}", '
            "as there is no matching cluster machine"
        )


def imported_secrets_on_create(context: Context, secrets: Resource) -> Iterator[str]:
    if context.find(CLUSTER, secrets.id) is not None:
        yield (
            "cannot create an ImportedClusterSecrets, as there is already an existing cluster "
            f'with name: "{secrets.id}"'
        )
        return
    try:
        documents = goyaml.load_all(secrets.spec.data)
    except yaml.YAMLError as error:
        yield f"failed to unmarshal imported cluster secrets: {error}"
        return
    given = documents[0] if documents and isinstance(documents[0], dict) else {}
    missing = [f"{name} is required" for name in ("cluster", "secrets", "trustdinfo", "certs") if not given.get(name)]
    if missing:
        yield f"failed to validate imported cluster secret: {listed(missing)}"
