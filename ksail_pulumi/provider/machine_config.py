"""`MachineConfig`, and the provider behind it.

The provider's import path is written into every state file; it is public for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi import ResourceOptions

from ksail_pulumi.model.machine_ids import machine_id as in_small_letters
from ksail_pulumi.provider.own import OwnProvider, OwnResource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi import Input, Output

    from ksail_pulumi.lifecycle.kind import Kind
    from ksail_pulumi.provider.inputs import InstallArgs, InstallArgsDict, PatchArgs, PatchArgsDict


class MachineConfigProvider(OwnProvider):
    """Carries the life of a `MachineConfig` in Pulumi's provider process."""

    @property
    def kind(self) -> Kind[Any]:
        from ksail_pulumi.lifecycle.machine_config import KIND

        return KIND


class MachineConfig(OwnResource):
    """Settings of a machine that apply in whichever cluster it is, such as labels for selectors and machine classes.

    An example:

    config = MachineConfig("rack-7", machine_id="10001802-c798-4da7-a410-f09abb48c8d8", labels={"zone": "b"})
    cluster = OmniCluster(
        "west",
        control_plane={"selector": "zone = b"},
        opts=pulumi.ResourceOptions(depends_on=[config]),
    )
    """

    _kind = "MachineConfig"
    _noun = "machine"
    _id_input = "machineId"

    def __init__(
        self,
        resource_name: str,
        *,
        machine_id: Input[str] | None = None,
        labels: Input[Mapping[str, Input[str]]] | None = None,
        patches: Input[Sequence[Input[PatchArgs | PatchArgsDict]]] | None = None,
        kernel_args: Input[Sequence[Input[str]]] | None = None,
        install_disk: Input[InstallArgs | InstallArgsDict] | None = None,
        endpoint: Input[str] | None = None,
        service_account_key_env_var: Input[str] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        """Declare the settings of a machine. A machine has at most one `MachineConfig`.

        Args:
            resource_name: Its name in Pulumi.
            machine_id: ID (UUID) of the machine. A change replaces the resource.
            labels: Labels of the machine. Labels that others have set are kept.
            patches: Talos patches for the machine.
            kernel_args: Kernel arguments of the machine. An empty list: none.
            install_disk: The disk that Talos is installed on.
            endpoint: URL of its Omni. Default: the Omni of the stack.
            service_account_key_env_var: Name of the environment variable with the service account key for this Omni.
            opts: Pulumi's options. `import_` takes over what the machine has: its ID is the ID.

        Raises:
            InputError: An input cannot be sent, or `import_` names another machine than `machine_id`.
            ConfigFileError: The file of a patch cannot be read.
        """
        opts = ResourceOptions.merge(opts, None)
        if isinstance(opts.import_, str):
            opts.import_ = in_small_letters(opts.import_)
        inputs = {
            "machine_id": in_small_letters(machine_id) if isinstance(machine_id, str) else machine_id,
            "labels": labels,
            "patches": patches,
            "kernel_args": kernel_args,
            "install_disk": install_disk,
            "endpoint": endpoint,
            "service_account_key_env_var": service_account_key_env_var,
        }
        self._declare(MachineConfigProvider(), resource_name, inputs, opts, default_name=False)

    @property
    def machine_id(self) -> Output[str]:
        """The ID of the machine. A cluster that uses it depends on the settings."""
        return self._output("machineId")

    @property
    def labels(self) -> Output[dict[str, str] | None]:
        """The labels that this resource sets."""
        return self._output("labels")

    @property
    def patches(self) -> Output[list[dict[str, Any]] | None]:
        """The patches, with keys in camelCase."""
        return self._output("patches")

    @property
    def kernel_args(self) -> Output[list[str] | None]:
        """The kernel arguments."""
        return self._output("kernelArgs")

    @property
    def install_disk(self) -> Output[dict[str, Any] | None]:
        """The install disk, with keys in camelCase."""
        return self._output("installDisk")
