"""Which groups of manifests an operation has to prove."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.addons.patches import recorded
from ksail_pulumi.lifecycle.waiting.applied import Group
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import ANNOTATION_NAME, KUBERNETES_MANIFEST_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.changes import Plan
    from ksail_pulumi.plan.snapshot import Snapshot


class ChangedManifests:
    """Collects over the rounds of an operation what they change."""

    def __init__(self, snapshot: Snapshot, *, everything: bool) -> None:
        """Begin with what Omni has; `everything`: an earlier attempt may not have proved what it changed."""
        self._before = {each.id: each.spec.data for each in _groups(snapshot.resources)}
        self._everything = everything
        self._changed: set[str] = set()

    def add(self, plan: Plan) -> None:
        """Note what a round writes."""
        written = [*plan.creates, *plan.deferred, *(desired for _, desired in plan.changed)]
        self._changed |= {each.id for each in _groups(written)}

    def groups(self, plan: Plan) -> tuple[Group, ...]:
        """All groups that the plan wants, if something about them has changed: one bad group holds up all others."""
        if not (self._changed or self._everything):
            return ()
        return tuple(self._group(each) for each in _groups(plan.desired))

    def _group(self, wanted: Resource) -> Group:
        text, addon = wanted.spec.data, recorded(wanted)
        title = f"manifest {wanted.annotations.get(ANNOTATION_NAME) or wanted.id}" if addon is None else addon.name
        before = "" if self._everything and wanted.id in self._before else self._before.get(wanted.id)
        once = wanted.spec.mode == specs_pb2.KubernetesManifestGroupSpec.ONE_TIME
        return Group(wanted.id, title, text, before, ours=addon is not None, once=once)


def _groups(resources: Iterable[Resource]) -> list[Resource]:
    return [each for each in resources if each.type == KUBERNETES_MANIFEST_GROUP]
