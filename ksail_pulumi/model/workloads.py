"""Workloads that Omni applies: manifests, and health check Jobs for upgrades."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import yaml

from ksail_pulumi.goyaml.loaders import BaseLoader
from ksail_pulumi.model.durations import duration
from ksail_pulumi.model.patches import load_documents, yaml_reason
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.model.cluster import ClusterSpec, HealthCheck, Manifest
    from ksail_pulumi.model.patches import Inline
    from ksail_pulumi.problems import FieldPath

_SHORTEST_INTERVAL = 5  # seconds, of a health check


def health_check_id(check: HealthCheck, cluster: str) -> str:
    """The ID of a health check's resource."""
    return check.id_override or f"cluster-{cluster}-{check.name}"


def workload_rules(spec: ClusterSpec) -> Iterator[Problem]:
    """The problems of manifests and health checks, with the texts of Omni and omnictl."""
    seen: set[str] = set()
    for index, manifest in enumerate(spec.manifests or ()):
        yield from _manifest(("manifests", index), manifest, seen)
    for field, addon in spec.addons.others():
        if addon.inline is not None:
            yield from _objects(("addons", field, "inline"), addon.inline)
    seen = set()
    for index, check in enumerate(spec.health_checks or ()):
        yield from _health_check(("healthChecks", index), check, seen)


def _manifest(path: FieldPath, manifest: Manifest, seen: set[str]) -> Iterator[Problem]:
    name = manifest.name
    if not name:
        yield Problem(path, "kubernetes manifest name is empty")
    elif name in seen:
        yield Problem((*path, "name"), "duplicate manifest name: another manifest has the same name")
    seen.add(name or "")
    if manifest.mode is None:
        yield Problem((*path, "mode"), "kubernetes manifest mode is not set: it must be full or one-time")
    if manifest.inline is None:
        yield Problem(path, "file or inline is required")
    else:
        yield from _objects((*path, "inline"), manifest.inline)


def _objects(path: FieldPath, inline: Inline) -> Iterator[Problem]:
    if reason := _unreadable(inline):
        yield Problem(path, f"error converting manifest to JSON: {reason}")
    elif (number := _without_kind(inline)) is not None:
        reason = "error loading JSON manifest into unstructured: Object 'Kind' is missing"
        yield Problem(path, f"{reason} in document {number}")


def _health_check(path: FieldPath, check: HealthCheck, seen: set[str]) -> Iterator[Problem]:
    name = check.id_override or check.name or ""
    if not name:
        yield Problem(path, "either name or idOverride is required for a healthcheck")
    elif name in seen:
        yield Problem(path, "duplicate healthcheck: another health check has the same name or idOverride")
    seen.add(name)
    if check.job is None or check.job == "":
        yield Problem((*path, "job"), "job or file is required")
    elif reason := _unreadable(check.job):
        yield Problem((*path, "job"), f"invalid job manifest: {reason}")
    if check.interval is not None and duration(check.interval).total_seconds() < _SHORTEST_INTERVAL:
        yield Problem((*path, "interval"), f"healthcheck interval must be at least {_SHORTEST_INTERVAL}s")


def _unreadable(inline: Inline) -> str | None:
    """Why a text is not a list of YAML objects; None if it is, and for data."""
    if not isinstance(inline, str):
        return None
    try:
        for document in load_documents(inline, BaseLoader):
            if document is not None and not isinstance(document, Mapping):
                return "expected a YAML document, a mapping that describes an object"
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return yaml_reason(error)
    return None


def _without_kind(inline: Inline) -> int | None:
    """The number of the first object that has no kind."""
    documents = load_documents(inline, BaseLoader) if isinstance(inline, str) else inline
    if isinstance(documents, Mapping):
        documents = [documents]
    for number, document in enumerate(documents, 1):
        if document is not None and not document.get("kind"):
            return number
    return None
