"""Reads what a plan needs of an Omni, in one batch of calls that are sent together."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from ksail_pulumi.lifecycle.account import Reading
from ksail_pulumi.lifecycle.free_machines import with_free_machines
from ksail_pulumi.lifecycle.needed import (
    COMMON,
    FEATURES,
    MACHINE_CLASSES,
    MACHINE_PATCHES,
    OF_MACHINES,
    STATUSES,
    TALOS_VERSIONS,
    VERSION,
    Needed,
)
from ksail_pulumi.lifecycle.question import Question
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_BOOTSTRAP_STATUS,
    CLUSTER_CONFIG_VERSION,
    CLUSTER_MACHINE_STATUS,
    CLUSTER_UUID,
    ETCD_BACKUP_OVERALL_STATUS,
    KUBERNETES_UPGRADE_STATUS,
    MACHINE_SET_NODE,
    MACHINE_STATUS,
    MACHINE_STATUS_LABELS,
    TALOS_EXTENSIONS,
)
from ksail_pulumi.plan.backups import OVERALL_STATUS_ID
from ksail_pulumi.plan.parts.table import PARTS
from ksail_pulumi.plan.planning import cluster_versions
from ksail_pulumi.plan.snapshot import Snapshot, relabelled
from ksail_pulumi.problems import InvalidCluster

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ksail_pulumi.model.parse import ClusterSpec
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource, ResourceType

_PARTS = tuple(part for part in PARTS if part.type not in (CLUSTER, MACHINE_SET_NODE) and not part.of_machine)
_OF_ID = (KUBERNETES_UPGRADE_STATUS, CLUSTER_CONFIG_VERSION, CLUSTER_UUID, CLUSTER_BOOTSTRAP_STATUS)
NOTHING_ELSE = Needed()
UNCHANGED: Mapping[str, Mapping[str, str | None]] = MappingProxyType({})


def take_snapshot(
    client: Client,
    name: str,
    needed: Needed = NOTHING_ELSE,
    *,
    extensions_of: str | None = None,
    reading: Reading | None = None,
    labels: Mapping[str, Mapping[str, str | None]] = UNCHANGED,
    backups: bool = False,
    members: bool = False,
    exists: bool | None = True,
) -> Snapshot:
    """Read cluster `name`, what its plan depends on, and the available versions, in one round trip.

    Args:
        client: The Omni.
        name: The cluster's name.
        needed: The other machines and clusters to read.
        extensions_of: The Talos version whose system extensions are also read.
        reading: A reading of what belongs to no single cluster. Default: a new one.
        labels: The labels of machines that change before the cluster does, by the machine's ID; None removes one.
        backups: Whether Omni's status of backups is also read.
        members: Whether the statuses of the cluster's machines are also read.
        exists: Whether the cluster exists. None: probably not; if it does, the rest of it takes a second round trip.

    Raises:
        OmniError: A call failed.
    """
    extensions = [Question(TALOS_EXTENSIONS, id=extensions_of)] if extensions_of else []
    of_account = reading or Reading(joining=COMMON)
    account = _Answers(
        client,
        of_account,
        [
            *(TALOS_VERSIONS, MACHINE_CLASSES, FEATURES, VERSION, MACHINE_PATCHES, *OF_MACHINES, *extensions),
            *needed.of_account(labels_first=reading is not None, apart=of_account.shared),
        ],
    )
    here = frozenset({name})
    of_id = [Question(kind, id=name) for kind in _OF_ID]
    parts = [Question.about(part, name) for part in _PARTS]
    overall = [Question(ETCD_BACKUP_OVERALL_STATUS, id=OVERALL_STATUS_ID)] if backups else []
    statuses = [Question(CLUSTER_MACHINE_STATUS, clusters=here)] if members else []
    machines = [replace(STATUSES, clusters=here), Question(MACHINE_SET_NODE, clusters=here)]
    of_cluster = [*of_id, *parts, *statuses, *machines]
    cluster = [Question(CLUSTER, id=name)] if exists is not False else []
    own = _Answers(client, Reading(), [*cluster, *overall, *needed.own])
    if exists or own.one(CLUSTER) is not None:
        own.ask(of_cluster)
    nodes = _distinct([*own.of(MACHINE_SET_NODE), *account.of(MACHINE_SET_NODE)])
    snapshot = Snapshot(
        resources=[
            *own.of(CLUSTER),
            *(node for node in nodes if node.cluster == name),
            *(each for part in _PARTS for each in own.of(part.type)),
            *(each for question in OF_MACHINES for each in account.of(question.type)),
        ],
        clusters=_distinct([*own.of(CLUSTER), *account.of(CLUSTER)]),
        statuses=_distinct([*own.of(MACHINE_STATUS), *account.of(MACHINE_STATUS)]),
        nodes=nodes,
        talos_versions=account.of(TALOS_VERSIONS.type),
        machine_classes=account.of(MACHINE_CLASSES.type),
        kubernetes_upgrade=own.one(KUBERNETES_UPGRADE_STATUS),
        config_version=own.one(CLUSTER_CONFIG_VERSION),
        cluster_uuid=own.one(CLUSTER_UUID),
        bootstrap_status=own.one(CLUSTER_BOOTSTRAP_STATUS),
        features=account.one(FEATURES.type),
        sys_version=account.one(VERSION.type),
        machine_patches=account.of(MACHINE_PATCHES.type),
        talos_extensions=account.of(TALOS_EXTENSIONS),
        backups=own.one(ETCD_BACKUP_OVERALL_STATUS),
        members=own.of(CLUSTER_MACHINE_STATUS),
    )
    free = account.of(MACHINE_STATUS_LABELS)
    snapshot = with_free_machines(snapshot, free, needed, client, of_account, labels=labels)
    return replace(snapshot, statuses=relabelled(snapshot.statuses, labels))


class _Answers:
    """Questions of one reading, sent together, and their answers by type."""

    def __init__(self, client: Client, reading: Reading, questions: Sequence[Question]) -> None:
        self._client = client
        self._reading = reading
        self._questions: list[Question] = []
        self.ask(questions)

    def ask(self, questions: Sequence[Question]) -> None:
        self._questions += questions
        self._reading.send(self._client, questions)

    def of(self, kind: ResourceType) -> list[Resource]:
        asked = [question for question in self._questions if question.type == kind]
        return [each for question in asked for each in self._reading.result(self._client, question)]

    def one(self, kind: ResourceType) -> Resource | None:
        return next(iter(self.of(kind)), None)


def _distinct(resources: Sequence[Resource]) -> list[Resource]:
    """Each resource once; what was read of the cluster itself comes first, and is never older."""
    found: dict[str, Resource] = {}
    for each in resources:
        found.setdefault(each.id, each)
    return list(found.values())


def has_extensions(spec: ClusterSpec) -> bool:
    """Whether any machine gets system extensions."""
    return any(scope.system_extensions for _, scope in spec.scopes())


def with_extensions(snapshot: Snapshot, spec: ClusterSpec, client: Client) -> Snapshot:
    """The snapshot with the system extensions of the Talos version that the cluster gets, if it has any.

    This is a second round trip only where the inputs omit the version: it is chosen from the versions that are read.

    Raises:
        OmniError: The call failed.
    """
    if snapshot.talos_extensions or not has_extensions(spec):
        return snapshot
    try:
        talos = cluster_versions(spec, snapshot).talos
    except InvalidCluster:
        return snapshot  # the findings report it
    found = client.state.find(TALOS_EXTENSIONS, talos)
    return replace(snapshot, talos_extensions=[found] if found is not None else [])
