"""Whether Omni can take backups of etcd."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.omni.status import plain_text

if TYPE_CHECKING:
    from ksail_pulumi.omni.resources import Resource

OVERALL_STATUS_ID = "etcdbackup-overall-status"
_NO_STORE = "disabled"


def store_problem(overall: Resource | None) -> str:
    """What is wrong with Omni's store for backups, given its `EtcdBackupOverallStatus`; `""` if nothing is known."""
    if overall is None:
        return ""
    if overall.spec.configuration_name == _NO_STORE:
        return "this Omni has no store for etcd backups: its administrator can add one"
    if overall.spec.configuration_error:
        return f"Omni's store for etcd backups is not usable: {plain_text(overall.spec.configuration_error)}"
    return ""
