"""What is recorded about add-ons on their resources in Omni. Light to import: what only reads builds no models."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ksail_pulumi.omni.resources import CONFIG_PATCH, KUBERNETES_MANIFEST_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ksail_pulumi.omni.resources import Resource

ANNOTATION_ADDON = "ksail-pulumi/component"
"""The annotation on a resource of an add-on: its name, its version or URL, and a digest of what was written."""

DEFINITIONS = "definitions"
"""The part of an add-on that stays when it is removed: its definitions and namespaces."""


@dataclass(frozen=True)
class InstalledAddon:
    """An add-on as it is recorded in Omni.

    Attributes:
        name: Its name.
        version: Its release; `""` if it has none.
        groups: The IDs of its groups of manifests.
    """

    name: str
    version: str
    groups: tuple[str, ...]


def mark_of(resource: Resource) -> dict[str, Any]:
    """What is recorded on a resource; nothing if that cannot be read."""
    try:
        found = json.loads(resource.annotations.get(ANNOTATION_ADDON, ""))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def installed_addons(resources: Iterable[Resource]) -> list[InstalledAddon]:
    """The add-ons that resources in Omni stand for; the network plugin first."""
    marks = [(each, mark_of(each)) for each in resources if not each.tearing_down]
    marks = [(each, mark) for each, mark in marks if "name" in mark and mark.get("part") != DEFINITIONS]
    marks.sort(key=lambda found: (found[0].type != CONFIG_PATCH, found[0].id))
    groups: dict[str, list[str]] = {}
    for each, mark in marks:
        groups.setdefault(str(mark["name"]), []).extend([each.id] if each.type == KUBERNETES_MANIFEST_GROUP else [])
    versions = {str(mark["name"]): str(mark.get("version", "")) for _, mark in marks}
    return [InstalledAddon(name, versions[name], tuple(found)) for name, found in groups.items()]
