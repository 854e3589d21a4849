"""Patches of Talos' machine configuration, those of add-ons included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.addons.marks import ANNOTATION_ADDON
from ksail_pulumi.addons.patches import addon_patch_id, is_addon
from ksail_pulumi.model.cluster import Patch
from ksail_pulumi.model.patches import inline_of, patch_id, patch_text
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.parts.affected import change_on_machines
from ksail_pulumi.plan.parts.asked import owned
from ksail_pulumi.plan.parts.live import as_found, metadata_of
from ksail_pulumi.plan.parts.part import Part
from ksail_pulumi.plan.scopes import scope_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ksail_pulumi.plan.ownership import OwnershipMark
    from ksail_pulumi.plan.parts.asked import Asked
    from ksail_pulumi.plan.parts.live import Draft, Live
    from ksail_pulumi.plan.parts.part import Change, Outlook
    from ksail_pulumi.plan.scopes import Scope


def desired(asked: Asked) -> Iterator[Resource]:
    yield from _addons(asked)
    for scope, described in asked.scopes():
        yield from patches(asked.mark, scope, described.patches or (), asked.spec.name)


def patches(mark: OwnershipMark, scope: Scope, listed: Sequence[Patch], cluster: str = "") -> Iterator[Resource]:
    """The patches of a scope, in a cluster or in none."""
    label = {omni.LABEL_CLUSTER: cluster} if cluster else {}
    for index, patch in enumerate(listed):
        description = {omni.ANNOTATION_DESCRIPTION: patch.description} if patch.description else {}
        unmarked = Resource(
            omni.CONFIG_PATCH,
            patch_id(patch, index, scope.weight, scope.infix(cluster)),
            specs_pb2.ConfigPatchSpec(data=patch_text(patch.inline)),
            {**(patch.labels or {}), **label, **scope.labels},
            {omni.ANNOTATION_NAME: patch.name or "", **description, **(patch.annotations or {})},
        )
        yield owned(mark, unmarked)


def _addons(asked: Asked) -> Iterator[Resource]:
    cluster = asked.spec.name
    for addon in asked.addons:
        labels = asked.label
        if addon.control_plane_only:
            labels[omni.LABEL_MACHINE_SET] = asked.spec.control_plane.id(cluster)
        yield asked.resource(
            omni.CONFIG_PATCH,
            addon_patch_id(cluster, addon.field),
            specs_pb2.ConfigPatchSpec(data=addon.text),
            labels,
            {omni.ANNOTATION_NAME: addon.name, ANNOTATION_ADDON: addon.annotation},
        )


def observe(live: Live, draft: Draft) -> None:
    own = [each for each in live.of(omni.CONFIG_PATCH) if omni.LABEL_SYSTEM_PATCH not in each.labels]
    addons = live.read_addons
    if list(addons.chosen.chosen()):
        draft.cluster["addons"] = addons.chosen
    places: dict[Scope, int] = {}
    for each in own:
        if each.id not in addons.resources:
            scope = scope_of(each)
            place = places[scope] = places.get(scope, -1) + 1
            found = draft.at(scope)
            found["patches"] = (*found.get("patches", ()), observed_patch(each, place, scope, live.cluster))


def observed_patch(current: Resource, place: int, scope: Scope, cluster: str = "") -> Patch:
    """The input that a patch stands for, at a place of its list."""
    name, description = (
        current.annotations.get(each, "") for each in (omni.ANNOTATION_NAME, omni.ANNOTATION_DESCRIPTION)
    )
    inline = inline_of(current.spec.data)
    patch = as_found(Patch, name=name or None, inline=inline, description=description or None, **metadata_of(current))
    if name and current.id == patch_id(patch, place, scope.weight, scope.infix(cluster)):
        return patch
    return patch.model_copy(update={"id_override": current.id})


def describe(change: Change, outlook: Outlook) -> str:
    if is_addon(change.resource):
        return ""  # `addons.findings` describes the add-on
    text, several = change_on_machines("patch", change, outlook)
    return effect(text, several=several)


def effect(change: str, *, several: bool = False) -> str:
    """What a change means for machines in a cluster."""
    return f"{change}; {'they reboot' if several else 'it reboots'} if Talos requires it"


PART = Part(
    type=omni.CONFIG_PATCH,
    nouns=("patch", "patches"),
    desired=desired,
    observe=observe,
    describe=describe,
    numbered=True,
    adjacent=True,
    on_machines=True,
)
