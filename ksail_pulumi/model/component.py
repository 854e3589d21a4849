"""The inputs that `KSailCluster` has in other languages besides those of the cluster.

Pulumi does not pass these options of a component on to it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ksail_pulumi.model.base import READ_BY_PROGRAM, Duration, Model


class Timeouts(Model):
    """How long Pulumi waits for the cluster, each as a Go duration such as `45m`."""

    create: Duration | None = None
    """How long the creation may take. Default: `30m`."""

    update: Duration | None = None
    """How long a change may take. Default: `60m`."""

    delete: Duration | None = None
    """How long the deletion may take. Default: `20m`."""


class ComponentOptions(Model):
    """Options of the cluster in a `KSailCluster`."""

    timeouts: Annotated[Timeouts, READ_BY_PROGRAM] | None = None
    """How long Pulumi waits for the cluster. The option `customTimeouts` does not reach it."""

    imported: Annotated[str | None, READ_BY_PROGRAM] = Field(default=None, alias="import")
    """Name of an existing cluster to take over. The option `import` does not reach it."""
