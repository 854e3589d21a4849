"""Omni's error about manifests, in words. It belongs to the whole cluster and has no name of a group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.redaction import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ksail_pulumi.omni.resources import Resource

_APPLIED = specs_pb2.ClusterKubernetesManifestsStatusSpec.ManifestStatus.Phase.APPLIED


def error_text(error: str, objects: Iterable[tuple[str, str]]) -> str:
    """Omni's error behind the object that it names, and the group of that.

    Args:
        error: Omni's text.
        objects: Objects as Omni names them, each with what texts call its group.
    """
    text = "; ".join(line.strip() for line in quoted(error).splitlines() if line.strip())
    name = named_object(error, objects)
    return f"{name}: {text}" if name else f"manifests: {text}"


def named_object(error: str, objects: Iterable[tuple[str, str]]) -> str:
    """The object that an error names, with its group; `""` for none of these."""
    # The longest: the name of one object may begin with that of another.
    found = [each for each in objects if each[0] in error]
    name, title = max(found, key=lambda each: len(each[0]), default=("", ""))
    return f"{name} of {title}" if name else ""


def reported_error(status: Resource | None) -> str:
    """What Omni cannot apply, from its status of a cluster's manifests alone; `""` for nothing.

    Without Omni's own words: they quote values of the manifests, which are not known here and so cannot be hidden.
    """
    if status is None or not status.spec.last_error:
        return ""
    shown = [
        (quoted(name), f"manifest group {key}", each.phase)
        for key, group in sorted(status.spec.groups.items())
        for name, each in sorted(group.manifests.items())
    ]
    named = named_object(status.spec.last_error, [(name, title) for name, title, _ in shown])
    waiting = [f"{name} of {title}" for name, title, phase in shown if phase != _APPLIED]
    what = named or listing.names(waiting) or "the manifests"
    command = f"omnictl get {status.type.name} {status.id} -o yaml"
    return f"Omni cannot apply {what}, and nothing else until that is fixed (`{command}` shows why)"
