"""The kinds of resources that a cluster consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.plan.parts import (
    cluster,
    extensions,
    health_checks,
    install_disks,
    kernel_args,
    machine_sets,
    manifests,
    nodes,
    patches,
)

if TYPE_CHECKING:
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.parts.part import Part

# Omni's order (client/pkg/template/order.go): a machine must not start before all that configures it is there.
PARTS: tuple[Part, ...] = (
    cluster.PART,
    extensions.PART,
    patches.PART,
    install_disks.PART,
    manifests.PART,
    health_checks.PART,
    machine_sets.PART,
    nodes.PART,
    kernel_args.PART,
)
PART_OF = {part.type: part for part in PARTS}
_RANK = {part.type: rank for rank, part in enumerate(PARTS)}


def rank(resource: Resource) -> int:
    """The place of a resource in Omni's order."""
    return _RANK[resource.type]
