"""`EtcdBackup`, and the provider behind it.

The provider's import path is written into every state file; it is public for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ksail_pulumi.provider.own import OwnProvider, OwnResource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi import Input, Output, ResourceOptions

    from ksail_pulumi.lifecycle.kind import Kind


class EtcdBackupProvider(OwnProvider):
    """Carries the life of an `EtcdBackup` in Pulumi's provider process."""

    @property
    def kind(self) -> Kind[Any]:
        from ksail_pulumi.lifecycle.etcd_backup_kind import KIND

        return KIND


class EtcdBackup(OwnResource):
    """A backup of a cluster's etcd, taken when the resource is created. To delete it leaves the backup in Omni.

    An example:

    backup = EtcdBackup("before-migration", cluster=cluster.name, triggers=[release])
    pulumi.export("snapshot", backup.snapshot)
    """

    _kind = "EtcdBackup"
    _noun = "etcd backup"
    _id_input = ""
    _facts = ("clusterUuid", "snapshot", "takenAt", "size")

    def __init__(
        self,
        resource_name: str,
        *,
        cluster: Input[str] | None = None,
        triggers: Input[Sequence[Any] | Mapping[str, Any]] | None = None,
        endpoint: Input[str] | None = None,
        service_account_key_env_var: Input[str] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        """Declare a backup.

        Args:
            resource_name: Its name in Pulumi.
            cluster: The name of the cluster. Required; a change takes another backup.
            triggers: Values of any kind; a change of one of them takes another backup.
            endpoint: URL of its Omni. Default: the Omni of the stack.
            service_account_key_env_var: Name of the environment variable with the service account key for this Omni.
            opts: Pulumi's options. `import_` is not supported; use `EtcdBackup.get`.

        Raises:
            InputError: An input cannot be sent, or the options have `import_`.
        """
        inputs = {
            "cluster": cluster,
            "triggers": triggers,
            "endpoint": endpoint,
            "service_account_key_env_var": service_account_key_env_var,
        }
        self._declare(EtcdBackupProvider(), resource_name, inputs, opts, default_name=False)

    @property
    def cluster(self) -> Output[str]:
        """The name of the cluster."""
        return self._output("cluster")

    @property
    def triggers(self) -> Output[list[Any] | dict[str, Any] | None]:
        """The triggers."""
        return self._output("triggers")

    @property
    def cluster_uuid(self) -> Output[str]:
        """Omni's UUID of the cluster that was backed up, for `bootstrap_spec` of another cluster."""
        return self._output("clusterUuid")

    @property
    def snapshot(self) -> Output[str]:
        """The name of the backup, for `bootstrap_spec` of another cluster."""
        return self._output("snapshot")

    @property
    def taken_at(self) -> Output[str]:
        """When the backup was begun, such as `2026-11-28T06:00:00Z`."""
        return self._output("takenAt")

    @property
    def size(self) -> Output[int]:
        """The size of the backup in bytes."""
        return self._output("size")
