"""ResourceDefinitions: the names and namespaces of all types, which omnictl reads before anything else."""

from __future__ import annotations

import re

from ksail_pulumi.omni.api import meta_pb2
from ksail_pulumi.omni.resources import Resource, ResourceType
from ksail_pulumi.simulator.access import RESOURCE_DEFINITIONS, Table
from ksail_pulumi.simulator.store import Store

_SINGULAR = ((re.compile("ies$"), "y"), (re.compile("(?<=us|ss|ch)es$"), ""), (re.compile("s$"), ""))


def populate(store: Store, types: Table) -> None:
    """Write the definition of each type."""
    for access in types.values():
        spec = definition(access.type)
        store.put(Resource(RESOURCE_DEFINITIONS, spec.resource_type.lower(), spec))


def definition(kind: ResourceType) -> meta_pb2.ResourceDefinitionSpec:
    """The definition of a type, with the aliases that COSI derives from its name."""
    name, suffix = kind.name.split(".", 1)
    display = _singular(name)
    short = "".join(letter for letter in name if letter.isupper()).lower()
    aliases = [display.lower()]
    if len(short) > 1:
        aliases += [short] if short.endswith("s") else [short, f"{short}s"]
    parts = suffix.split(".")
    longer = [".".join([name.lower(), *parts[:count]]) for count in range(1, len(parts))]
    return meta_pb2.ResourceDefinitionSpec(
        resource_type=kind.name,
        display_type=display,
        default_namespace=kind.namespace,
        aliases=aliases,
        all_aliases=[name.lower(), *longer, *aliases],
    )


def _singular(name: str) -> str:
    for plural, ending in _SINGULAR:
        if plural.search(name):
            return plural.sub(ending, name)
    return name
