"""Backups of etcd as resources: to create one takes a backup, to delete one deletes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ksail_pulumi.errors import LifecycleError, NotFoundError
from ksail_pulumi.lifecycle.etcd_backup import back_up, backups_of
from ksail_pulumi.lifecycle.kind import Found, Kind
from ksail_pulumi.lifecycle.presence import Presence
from ksail_pulumi.model.etcd_backup import EtcdBackupInputs
from ksail_pulumi.omni.resources import CLUSTER, CLUSTER_BOOTSTRAP_STATUS, CLUSTER_UUID, ETCD_BACKUP_OVERALL_STATUS
from ksail_pulumi.plan.backups import OVERALL_STATUS_ID, store_problem
from ksail_pulumi.plan.findings import Findings
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from ksail_pulumi.lifecycle.etcd_backup import Backup
    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.plan.ownership import OwnershipMark


class EtcdBackups(Kind[EtcdBackupInputs]):
    """Backups of etcd. Omni keeps no owner of a backup."""

    noun = "etcd backup"
    replaced_by = ("cluster", "triggers")
    model = EtcdBackupInputs

    def id_of(self, spec: EtcdBackupInputs) -> str:  # noqa: ARG002 - Omni names it by its time
        return ""

    def preview(
        self,
        spec: EtcdBackupInputs,
        before: EtcdBackupInputs | None,
        mark: OwnershipMark,  # noqa: ARG002 - a backup has no owner
        client: Client,
        *,
        adopt: bool,  # noqa: ARG002 - nor can it be taken over
    ) -> Findings:
        if before is not None and (before.cluster, before.triggers) == (spec.cluster, spec.triggers):
            return Findings()
        find = client.state.start_find(CLUSTER, spec.cluster)
        overall = client.state.start_find(ETCD_BACKUP_OVERALL_STATUS, OVERALL_STATUS_ID)
        if problem := store_problem(overall.result()):
            return Findings(failures=(Problem((), problem),))
        if find.result() is None:
            waits = f"cluster {spec.cluster} does not exist in Omni yet: it must exist before the backup is taken"
            return Findings(forecasts=(waits,))
        return Findings(forecasts=(f"a backup of etcd of cluster {spec.cluster} is taken",))

    def create(
        self,
        spec: EtcdBackupInputs,
        mark: OwnershipMark,  # noqa: ARG002 - a backup has no owner
        session: Session,
        *,
        adopt: bool,  # noqa: ARG002 - nor can it be taken over
    ) -> Found:
        state, name = session.client.state, spec.cluster
        kinds = (CLUSTER, CLUSTER_UUID, CLUSTER_BOOTSTRAP_STATUS)
        cluster, uuid, bootstrap = (call.result() for call in [state.start_find(kind, name) for kind in kinds])
        if cluster is None or cluster.tearing_down:
            raise NotFoundError(f"cluster {name!r} not found in Omni at {session.client.endpoint}")
        if bootstrap is None or not bootstrap.spec.bootstrapped:
            raise LifecycleError(f"cannot back up etcd of cluster {name!r}: the cluster has no etcd yet")
        presence = Presence(name, uuid=uuid.spec.uuid if uuid is not None else "")
        return _found(back_up(name, replace(session, presence=presence)), spec)

    def read(
        self,
        id_: str,
        client: Client,
        *,
        mark: OwnershipMark | None,  # noqa: ARG002 - a backup has no owner
        spec: EtcdBackupInputs | None,
    ) -> Found | None:
        # Omni lists the backups of one cluster only.
        spec = spec or EtcdBackupInputs(cluster=id_.rpartition("-")[0])
        backups = backups_of(spec.cluster, client.state)
        return next((_found(each, spec) for each in backups if each.id == id_), None)

    def update(
        self,
        id_: str,
        spec: EtcdBackupInputs,
        before: EtcdBackupInputs,  # noqa: ARG002 - what makes another backup replaces it
        mark: OwnershipMark,
        session: Session,
    ) -> Found:
        found = self.read(id_, session.client, mark=mark, spec=spec)
        if found is None:
            raise LifecycleError(
                f"etcd backup {id_!r} does not exist in Omni at {session.client.endpoint}. Run `pulumi refresh`; the "
                "next `pulumi up` takes another one"
            )
        return found

    def delete(self, id_: str, spec: EtcdBackupInputs, mark: OwnershipMark, session: Session) -> None:
        """Leave the backup in Omni: it is there for the time after the cluster."""


def _found(backup: Backup, spec: EtcdBackupInputs) -> Found:
    inputs = {"cluster": spec.cluster, **({"triggers": spec.triggers} if spec.triggers is not None else {})}
    outputs = {
        "clusterUuid": backup.cluster_uuid,
        "snapshot": backup.snapshot,
        "takenAt": f"{backup.taken_at:%Y-%m-%dT%H:%M:%SZ}",
        "size": backup.size,
    }
    return Found(backup.id, inputs, outputs)


KIND = EtcdBackups()
