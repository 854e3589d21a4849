"""The resources that a cluster consists of in Omni: IDs, labels and YAML exactly as omnictl makes them.

The rules are those of omnictl's cluster templates (Omni's `client/pkg/template/internal/models`). The one difference is
the annotations: omnictl marks what it made as managed by templates, this package with an ownership mark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.addons.patches import addon_patches
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.machines import current_assignment
from ksail_pulumi.plan.parts.asked import Asked
from ksail_pulumi.plan.parts.table import PARTS
from ksail_pulumi.plan.snapshot import INSTALL_DISK_API
from ksail_pulumi.plan.versions import versions_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ksail_pulumi.addons.groups import AddonGroup
    from ksail_pulumi.addons.patches import AddonPatch
    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.model.versions import Versions
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.machines import Assignment
    from ksail_pulumi.plan.ownership import OwnershipMark


def desired_resources(
    spec: ClusterSpec,
    versions: Versions,
    assignment: Assignment,
    mark: OwnershipMark,
    *,
    api_version: int = INSTALL_DISK_API,
    bootstrapped: bool = False,
    addons: Sequence[AddonPatch] | None = None,
    groups: Sequence[AddonGroup] = (),
) -> list[Resource]:
    """Everything that should exist in Omni for a cluster, in Omni's order of types.

    Args:
        spec: What the user asks for.
        versions: The versions it gets.
        assignment: The machines of every set that is not left to a class.
        mark: Whose the resources are.
        api_version: Omni's own (`SysVersion`); before 3 an install disk is a patch.
        bootstrapped: Whether the cluster has etcd already; the backup that it was to be restored from is left out then.
        addons: The patches of its add-ons; those of a new cluster if left out.
        groups: The groups of manifests of its add-ons.
    """
    if addons is None:
        addons = addon_patches(spec.addons, began=versions.talos)
    asked = Asked(spec, versions, assignment, mark, api_version, bootstrapped, addons, groups)
    return [resource for part in PARTS for resource in part.desired(asked)]


def baseline_resources(
    previous: ClusterSpec | None, spec: ClusterSpec, actual: Sequence[Resource], mark: OwnershipMark
) -> list[Resource]:
    """What the previous inputs made of the cluster as it is now: the `baseline` of a diff.

    It has the machines that the cluster has, so it shows which labels and annotations on them these inputs set.
    A lock is in it where `spec` says to unlock, and only there: a lock that is left out of the inputs stays.

    Args:
        previous: The inputs before; None for a cluster that is taken over.
        spec: The inputs now.
        actual: What Omni has of the cluster.
        mark: Whose the cluster is.
    """
    cluster = next((each for each in actual if each.type == omni.CLUSTER), None)
    if cluster is None:
        return []
    before = previous or spec
    machines = {name: each.model_copy(update={"locked": False}) for name, each in before.machines.items()}
    for name, each in spec.machines.items():
        if each.locked is False:
            machines[name] = before.machines.get(name, each).model_copy(update={"locked": True})
    unlocked = before.model_copy(
        update={"name": spec.name, "locked": spec.locked is False, "machines": machines},
    )
    return desired_resources(unlocked, versions_of(cluster), current_assignment(spec.name, actual), mark)
