"""Talos system extensions of a cluster, a machine set or a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.plan.parts.affected import change_on_machines
from ksail_pulumi.plan.parts.part import Part
from ksail_pulumi.plan.scopes import scope_of
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.parts.asked import Asked
    from ksail_pulumi.plan.parts.live import Draft, Live
    from ksail_pulumi.plan.parts.part import Change, Outlook, Situation


def desired(asked: Asked) -> Iterator[Resource]:
    for scope, described in asked.scopes():
        if described.system_extensions is not None:
            yield asked.resource(
                omni.EXTENSIONS_CONFIGURATION,
                f"schematic-{scope.target or asked.spec.name}",
                specs_pb2.ExtensionsConfigurationSpec(extensions=described.system_extensions),
                {**asked.label, **scope.labels},
            )


def observe(live: Live, draft: Draft) -> None:
    for each in live.of(omni.EXTENSIONS_CONFIGURATION):
        draft.at(scope_of(each))["system_extensions"] = tuple(each.spec.extensions)


def rules(situation: Situation) -> Iterator[Problem]:
    talos = situation.versions.talos
    catalog = next((each for each in situation.snapshot.talos_extensions if each.id == talos), None)
    if catalog is None:
        return
    known = {item.name for item in catalog.spec.items}
    for path, described in situation.spec.scopes():
        for index, extension in enumerate(described.system_extensions or ()):
            if extension not in known and f"siderolabs/{extension}" not in known:
                reason = f'extension {{name}} (entry {index}) is not available for Talos version "{talos}"'
                yield Problem((*path, "systemExtensions", index), reason, name=extension)


def describe(change: Change, outlook: Outlook) -> str:
    text, several = change_on_machines("system extensions", change, outlook)
    return f"{text}; {'they reboot one at a time' if several else 'it reboots'}"


PART = Part(
    type=omni.EXTENSIONS_CONFIGURATION,
    nouns=("list of system extensions", "lists of system extensions"),
    desired=desired,
    observe=observe,
    rules=rules,
    describe=describe,
    adjacent=True,
    on_machines=True,
)
