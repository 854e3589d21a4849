"""The plugin `ksail`: the executable `pulumi-resource-ksail`, and what `PulumiPlugin.yaml` starts.

Pulumi's own host of Python components cannot read the inputs from the models: it refuses unions. So the schema is
served as `make args` has written it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from pulumi import InputPropertiesError, Output, provider

from ksail_pulumi.errors import InputError, OmniError, SettingsError
from ksail_pulumi.provider.component import KSailCluster
from ksail_pulumi.provider.declared import behind_plugin
from ksail_pulumi.provider.host.process import end_with_engine
from ksail_pulumi.provider.plugin.arriving import arrived
from ksail_pulumi.provider.plugin.interpreter import refuse_other_interpreter
from ksail_pulumi.provider.plugin.schema import TYPE, schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi import Inputs, ResourceOptions


class KSailProvider(provider.Provider):
    """Constructs `KSailCluster`s for programs in any language."""

    def __init__(self) -> None:
        served = schema()
        super().__init__(served["version"], json.dumps(served))
        self._outputs = tuple(served["resources"][TYPE]["properties"])

    def construct(
        self, name: str, resource_type: str, inputs: Inputs, options: ResourceOptions | None = None
    ) -> provider.ConstructResult:
        """Declare the component with its cluster."""
        if resource_type != TYPE or options is None:
            raise InputPropertiesError("unknown type: the plugin ksail has only ksail:index:KSailCluster", [])
        try:
            refuse_other_interpreter()
            behind_plugin.set(self)  # Pulumi starts a plugin for each preview and each up
            found = arrived(inputs, options)
            component = KSailCluster(name, found.inputs, options, cluster_opts=found.cluster_options)  # type: ignore[arg-type]
        except (InputError, SettingsError) as error:
            raise _shown(error) from None
        cluster = component.cluster
        state: Mapping[str, Any] = {output: getattr(cluster, _snake_case(output)) for output in self._outputs}
        return provider.ConstructResult(Output.from_input(_urn(component)), dict(state))


async def _urn(component: KSailCluster) -> str:
    """The URN of the component, once its cluster is registered: mistakes in outputs are found on the way."""
    try:
        await component.cluster.urn.future()
    except (InputError, SettingsError, OmniError) as error:
        raise _shown(error) from None
    return cast("str", await component.urn.future())


def _shown(error: Exception) -> InputPropertiesError:
    """The error as Pulumi shows one of a program, without a traceback.

    The fields are in the text: of a field that it knows Pulumi shows the value.
    """
    # The cause does not name the resource, which Pulumi does. Without the list SDK 3.272 ends in a traceback.
    return InputPropertiesError(str(error.__cause__ or error), [])


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower()


def main() -> None:
    """Serve the plugin to the engine whose address is the first argument, until the engine ends or interrupts it."""
    # At once: an interrupted server of grpcio 1.71 does not always end, and without an engine nothing is left to do.
    end_with_engine(partial(os._exit, 0))
    provider.main(KSailProvider(), sys.argv[1:])


if __name__ == "__main__":
    main()
