"""Values of lists that two patches of the same machine add: Talos appends lists, so the machine gets them twice."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ksail_pulumi import listing
from ksail_pulumi.errors import ConfigFileError
from ksail_pulumi.goyaml.read import parse_documents
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.plan.scopes import scope_of, wider
from ksail_pulumi.problems import field_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.machines import Assignment
    from ksail_pulumi.plan.scopes import Scope

# What Talos replaces, or merges by a key of its items (`merge:"replace"` and `Merge` in its pkg/machinery/config).
_NOT_APPENDED = (
    ("", "cluster", "apiServer", "admissionControl"),
    ("", "cluster", "apiServer", "auditPolicy"),
    ("", "cluster", "network", "podSubnets"),
    ("", "cluster", "network", "serviceSubnets"),
    ("", "machine", "network", "interfaces"),
    ("ExtensionServiceConfig", "configFiles"),
    ("ImageVerificationConfig", "rules"),
    ("NetworkRuleConfig", "ingress"),
    ("NetworkRuleConfig", "portSelector", "ports"),
)
_UNSTRUCTURED = frozenset({"extraArgs", "extraConfig"})
"""Fields below which Talos has rules of its own."""

_Field = tuple[str, ...]
"""The kind of a document (empty for the configuration without one), then the path of a field."""


@dataclass(frozen=True)
class _Patch:
    """A patch.

    Attributes:
        lists: The values that it adds to lists, by field and the document's name.
    """

    id: str
    scope: Scope
    lists: Mapping[tuple[str, _Field], frozenset[str]]


def repeated_values(desired: Sequence[Resource], assignment: Assignment) -> list[str]:
    """A line for each two patches of the same machine that add the same value to a list."""
    patches = [
        _Patch(each.id, scope_of(each), dict(_lists(each.spec.data)))
        for each in desired
        if each.type == omni.CONFIG_PATCH and omni.LABEL_DISABLED not in each.labels
    ]
    patches.sort(key=lambda patch: (patch.scope.breadth, patch.id))
    pairs = sorted(_pairs(patches, assignment))
    return listing.lines([line for one, other in pairs for line in _shared(patches[one], patches[other])])


def _pairs(patches: Sequence[_Patch], assignment: Assignment) -> Iterator[tuple[int, int]]:
    """The places of each two patches of the same machine, the broader scope first."""
    before: dict[Scope, list[int]] = {}
    for place, patch in enumerate(patches):
        yield from (
            (other, place) for scope in wider(patch.scope, assignment.set_of) for other in before.get(scope, ())
        )
        before.setdefault(patch.scope, []).append(place)


def _shared(one: _Patch, other: _Patch) -> Iterator[str]:
    for key in sorted(one.lists.keys() & other.lists.keys()):
        if one.lists[key] & other.lists[key]:
            _, (_, *path) = key  # the kind and the name of the document are values of the patch, which no text shows
            yield (
                f"patch {other.id} repeats values of {field_path(path)} that patch {one.id} adds: Talos appends lists, "
                "so the machines get them twice"
            )


def _lists(text: str) -> Iterator[tuple[tuple[str, _Field], frozenset[str]]]:
    try:
        documents = parse_documents(text, "")
    except ConfigFileError:
        return  # Omni judges it
    for document in documents:
        if isinstance(document.value, dict):
            kind, name = (str(document.value.get(key) or "") for key in ("kind", "name"))
            for path, items in _lists_in(document.value, (kind,)):
                yield (name if kind else "", path), frozenset(json.dumps(item, sort_keys=True) for item in items)


def _lists_in(value: dict[str, Any], path: _Field) -> Iterator[tuple[_Field, list[Any]]]:
    for key, item in value.items():
        inner = (*path, key)
        if inner in _NOT_APPENDED or key in _UNSTRUCTURED:
            continue
        if isinstance(item, dict):
            yield from _lists_in(item, inner)
        elif isinstance(item, list):
            yield inner, item
