"""The same patch under another number.

The ID of a patch or manifest is `<number>-<scope>-<name>`. The number is only its place among those of its scope: Omni
applies them in the order of their IDs. So another tool, or this program before a patch was added to it, gives the same
patch another number. What has the same scope and name is the same patch, whoever made it: it keeps the ID that it has
in Omni, unless the order would then be another one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ksail_pulumi.addons.patches import is_addon
from ksail_pulumi.model.patches import same_configuration
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.changes import Renumbered
from ksail_pulumi.plan.parts.manifests import weighted_ids
from ksail_pulumi.plan.parts.table import PART_OF
from ksail_pulumi.plan.scopes import Scope, scope_of, unnumbered

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.omni.resources import Resource, ResourceType
    from ksail_pulumi.plan.ownership import OwnershipMark


@dataclass(frozen=True)
class Settled:
    """What should exist, with what Omni has of it under the IDs and in the layout that it has there.

    Attributes:
        resources: What should exist.
        renumbered: What Omni has under another number, and does not keep.
    """

    resources: Sequence[Resource]
    renumbered: Sequence[Renumbered] = ()


def given_ids(spec: ClusterSpec) -> set[str]:
    """The IDs that the inputs give in whole: they have no number of ours, and never change."""
    overrides = {patch.id_override for _, each in spec.scopes() for patch in each.patches or () if patch.id_override}
    return overrides | weighted_ids(spec)


def twins(own: Iterable[str], live: Iterable[str], given: Collection[str]) -> dict[str, str]:
    """Which IDs in Omni stand for the same as one of ours, under another number.

    Args:
        own: The IDs that we would give the resources of one scope.
        live: The IDs of that scope in Omni.
        given: Those of `own` that have no number of ours.

    Returns:
        The ID of ours by the one in Omni.
    """
    own = list(own)
    names = {unnumbered(each): each for each in own if each not in given}
    return {each: names[name] for each in live if each not in own and (name := unnumbered(each)) and name in names}


def ids_in_use(own: Iterable[str], live: Sequence[str], given: Collection[str]) -> dict[str, str]:
    """Under which ID each resource of one scope stands in Omni, or will.

    As many as possible keep the ID that they have, as long as all stay in the order of `own`.

    Args:
        own: The IDs that we would give them.
        live: The IDs of that scope in Omni; where two stand for the same, the first counts.
        given: Those of `own` that have no number of ours.

    Returns:
        The ID to use by our own.
    """
    own = sorted(own)
    standing: dict[str, list[str]] = {}
    for each in twins(own, live, given):
        standing.setdefault(unnumbered(each), []).append(each)

    def choice(each: str) -> tuple[str, ...]:
        found = standing.get(unnumbered(each))
        return (found.pop(0), each) if found and each not in live and each not in given else (each,)

    return dict(zip(own, _ascending([choice(each) for each in own]), strict=True))


def _ascending(choices: Iterable[tuple[str, ...]]) -> list[str]:
    """One ID of each choice, so that they ascend; of all ways to do that, the one with the most first choices.

    The last of each choice has to ascend by itself.
    """
    ways: dict[str, tuple[int, list[str]]] = {"": (0, [])}  # by the ID that a way ends with
    for choice in choices:
        ways = {
            each: min((cost + place, [*way, each]) for last, (cost, way) in ways.items() if last < each)
            for place, each in enumerate(choice)
            if any(last < each for last in ways)
        }
    return min(ways.values())[1]


def settle(
    desired: Sequence[Resource], actual: Iterable[Resource], *, mark: OwnershipMark, given: Collection[str]
) -> Settled:
    """Give what should exist the IDs under which Omni has it already.

    A patch that differs from Omni's in its layout only takes that too, so it does not change.

    Args:
        desired: What should exist, with our IDs.
        actual: What Omni has of the cluster.
        mark: Whose the cluster is: of two that stand for the same, the one that carries it counts.
        given: The IDs that have no number of ours, see `given_ids`.
    """
    standing = sorted(filter(_stands, actual), key=lambda each: (not mark.owns(each), each.id))
    fixed = _fixed(desired, given)
    own, live = _by_scope(desired), _by_scope(filter(_has_number, standing))
    used: dict[tuple[str, str], str] = {}
    superseded: list[tuple[Resource, tuple[str, str]]] = []
    for place, members in own.items():
        there = live.get(place, {})
        ids = ids_in_use(members, list(there), fixed)
        used |= {members[each].key: found for each, found in ids.items()}
        left = twins(members, there.keys() - set(ids.values()), fixed)
        superseded += [(there[each], members[left[each]].key) for each in sorted(left)]
    current = {each.key: each for each in standing}
    settled = {each.key: _settled(each, used.get(each.key, each.id), current) for each in desired}
    return Settled(list(settled.values()), [Renumbered(old, settled[key]) for old, key in superseded])


def extra_twins(
    desired: Sequence[Resource], actual: Iterable[Resource], *, mark: OwnershipMark, given: Collection[str]
) -> set[tuple[str, str]]:
    """The keys of what others made and what stands for the same as a resource of ours that is there too."""
    fixed, live = _fixed(desired, given), _by_scope(filter(_has_number, filter(_stands, actual)))
    found = set()
    for place, members in _by_scope(desired).items():
        there = live.get(place, {})
        ours = sorted(each for each in there if mark.owns(there[each]))
        ids = ids_in_use(members, ours, fixed)
        others = twins(members, there.keys() - set(ours), fixed)
        found |= {there[each].key for each, own_id in others.items() if ids[own_id] in ours}
    return found


def _stands(resource: Resource) -> bool:
    return not (resource.owner or resource.tearing_down)


def _fixed(desired: Sequence[Resource], given: Collection[str]) -> set[str]:
    """The IDs that have no number of ours."""
    return {*given, *(each.id for each in desired if not _has_number(each))}


def _settled(resource: Resource, resource_id: str, current: Mapping[tuple[str, str], Resource]) -> Resource:
    settled = replace(resource, id=resource_id)
    found = current.get(settled.key)
    if found is None or settled.type != omni.CONFIG_PATCH or is_addon(settled):
        return settled  # the digest of an add-on is that of its text, layout included
    return replace(settled, spec=found.spec) if same_configuration(settled.spec.data, found.spec.data) else settled


def _has_number(resource: Resource) -> bool:
    """Whether the number in an ID is a place in a list: that of an add-on's patch, or of what Omni makes, is not."""
    of_addon = is_addon(resource) and resource.type == omni.CONFIG_PATCH
    return not of_addon and omni.LABEL_SYSTEM_PATCH not in resource.labels


def _by_scope(resources: Iterable[Resource]) -> dict[tuple[ResourceType, Scope], dict[str, Resource]]:
    """What has a number, by type and scope, then by ID."""
    found: dict[tuple[ResourceType, Scope], dict[str, Resource]] = {}
    for each in resources:
        if PART_OF[each.type].numbered:
            found.setdefault((each.type, scope_of(each)), {})[each.id] = each
    return found
