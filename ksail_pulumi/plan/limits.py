"""Omni's limits on what it stores, which it applies only when a resource is written."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ksail_pulumi.model.patches import patch_text
from ksail_pulumi.model.validation import LONGEST_KEY, MOST_METADATA, metadata_problem
from ksail_pulumi.omni.resources import MOST_STORED_BYTES, stored_bytes, to_wire
from ksail_pulumi.problems import Problem, has_control_characters
from ksail_pulumi.redaction import short

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ksail_pulumi.model.cluster import ClusterSpec
    from ksail_pulumi.model.patches import Inline
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.problems import FieldPath

_AT_MOST = f"when compressed, and Omni can store at most {MOST_STORED_BYTES}"


def measured(spec: ClusterSpec) -> dict[FieldPath, int]:
    """The sizes in Omni of the patches, manifests and health checks, by the path of each."""
    return {path: stored_bytes(patch_text(inline).encode()) for path, inline in _texts(spec)}


def oversized(sizes: Mapping[FieldPath, int]) -> Iterator[Problem]:
    """The patches, manifests and health checks that are too large for Omni."""
    for path, size in sizes.items():
        if size > MOST_STORED_BYTES:
            yield Problem(path, f"is too large: {size} bytes {_AT_MOST}")


def oversized_together(spec: ClusterSpec, sizes: Mapping[FieldPath, int]) -> Iterator[str]:
    """The machine sets with patches that are too large only together: they are one resource for each machine."""
    totals: Counter[FieldPath] = Counter()
    for (*scope, field, _, _), size in sizes.items():
        if field == "patches":
            totals[tuple(scope)] += size
    for index, machine_set in enumerate(spec.machine_sets):
        machines = spec.machines if machine_set.machines is None else machine_set.machines
        of_machine = max((totals["machines", machine] for machine in machines), default=0)
        size = totals[()] + totals[spec.set_path(index)] + of_machine
        if size > MOST_STORED_BYTES:
            yield (
                f"the patches for a machine of {machine_set.id(spec.name)} have {size} bytes together {_AT_MOST} for a "
                "machine: it may never become ready"
            )


def refused_resources(resources: Iterable[Resource]) -> Iterator[Problem]:
    """What Omni refuses of any resource: its ID, labels, annotations and size."""
    for resource in resources:
        for reason in _refused(resource):
            yield Problem((), f"{resource.type.name} {short(resource.id)}: {reason}")


def _refused(resource: Resource) -> Iterator[str]:
    if (size := len(resource.id.encode())) > LONGEST_KEY:
        yield f"resource ID is too long: {size} bytes (max {LONGEST_KEY})"
    elif has_control_characters(resource.id):
        yield "resource ID must not contain control characters"
    yield from _entries("label", resource.labels)
    yield from _entries("annotation", resource.annotations)
    if (size := stored_bytes(to_wire(resource).SerializeToString())) > MOST_STORED_BYTES:
        yield f"it is too large: {size} bytes {_AT_MOST}"


def _entries(kind: str, entries: Mapping[str, str]) -> Iterator[str]:
    if len(entries) > MOST_METADATA:
        yield f"too many {kind}s: {len(entries)} (max {MOST_METADATA})"
    for key, value in sorted(entries.items()):
        if reason := metadata_problem(kind, key, value):
            yield f"{kind} {short(key)} {reason.removeprefix(f'{kind} ')}"


def _texts(spec: ClusterSpec) -> Iterator[tuple[FieldPath, Inline]]:
    for path, scope in spec.scopes():
        for index, patch in enumerate(scope.patches or ()):
            yield (*path, "patches", index, "inline"), patch.inline
    for index, manifest in enumerate(spec.manifests or ()):
        yield ("manifests", index, "inline"), manifest.inline
    for index, check in enumerate(spec.health_checks or ()):
        yield ("healthChecks", index, "job"), check.job
