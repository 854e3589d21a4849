"""`MachineClass`, and the provider behind it.

The provider's import path is written into every state file; it is public for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ksail_pulumi.provider.declared_classes import declare_class
from ksail_pulumi.provider.own import OwnProvider, OwnResource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulumi import Input, Output, ResourceOptions

    from ksail_pulumi.lifecycle.kind import Kind
    from ksail_pulumi.provider.inputs import AutoProvisionArgs, AutoProvisionArgsDict


class MachineClassProvider(OwnProvider):
    """Carries the life of a `MachineClass` in Pulumi's provider process."""

    @property
    def kind(self) -> Kind[Any]:
        from ksail_pulumi.lifecycle.machine_class import KIND

        return KIND


class MachineClass(OwnResource):
    """A machine class in Omni: the machines that Omni allocates to the machine sets of clusters that use it.

    An example:

    big = MachineClass("big", match_labels=["size = big, !gpu"])
    cluster = OmniCluster("west", workers=[{"machine_class": {"name": big.name, "size": 3}}])
    """

    _kind = "MachineClass"
    _noun = "machine class"

    def __init__(
        self,
        resource_name: str,
        *,
        name: Input[str] | None = None,
        match_labels: Input[Sequence[Input[str]]] | None = None,
        auto_provision: Input[AutoProvisionArgs | AutoProvisionArgsDict] | None = None,
        endpoint: Input[str] | None = None,
        service_account_key_env_var: Input[str] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        """Declare a machine class, by either `match_labels` or `auto_provision`.

        Args:
            resource_name: Its name in Pulumi, and in Omni too unless `name` is given.
            name: Its name in Omni. A change replaces the class.
            match_labels: Selectors of machines. A machine belongs to the class if one of them matches.
            auto_provision: The infra provider that creates the machines.
            endpoint: URL of its Omni. Default: the Omni of the stack.
            service_account_key_env_var: Name of the environment variable with the service account key for this Omni.
            opts: Pulumi's options. `import_` takes over a class that exists: its name is the ID.

        Raises:
            InputError: An input cannot be sent, or `import_` names another class than `name`.
        """
        inputs = {
            "name": name,
            "match_labels": match_labels,
            "auto_provision": auto_provision,
            "endpoint": endpoint,
            "service_account_key_env_var": service_account_key_env_var,
        }
        self._declare(MachineClassProvider(), resource_name, inputs, opts)
        declare_class(self, self._declared)

    @property
    def name(self) -> Output[str]:
        """The name in Omni. A cluster that uses it depends on the class."""
        return self._output("name")

    @property
    def match_labels(self) -> Output[list[str] | None]:
        """The selectors."""
        return self._output("matchLabels")

    @property
    def auto_provision(self) -> Output[dict[str, Any] | None]:
        """The infra provider and its settings, with keys in camelCase."""
        return self._output("autoProvision")
