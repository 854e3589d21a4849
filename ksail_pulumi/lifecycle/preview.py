"""What would happen, without making it happen: nothing is written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ksail_pulumi.errors import PermissionDeniedError, RefusedError, UnsupportedError
from ksail_pulumi.lifecycle import snapshot
from ksail_pulumi.plan.findings import findings
from ksail_pulumi.spec.patches import patch_text
from ksail_pulumi.spec.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.plan.desired import OwnershipMark
    from ksail_pulumi.plan.findings import Findings
    from ksail_pulumi.spec.cluster import ClusterSpec, Patch


def preview(
    spec: ClusterSpec,
    old: ClusterSpec | None,
    mark: OwnershipMark,
    client: Client,
    *,
    adopt: bool = False,
) -> Findings:
    """What Omni would refuse, what will stall, and what is going to happen.

    Only Omni, with Talos' own loader, can tell whether a patch is good: every patch that `old` has not is shown to it.

    Args:
        spec: What is asked for.
        old: What was asked for last time, None for a new cluster.
        mark: Who we are.
        client: Which Omni.
        adopt: The cluster exists and is to be taken over.

    Raises:
        OmniError: Omni did not answer.
    """
    known = {patch_text(patch.inline) for _, patch in _patches(old)} if old is not None else set()
    asked = [(field, patch_text(patch.inline)) for field, patch in _patches(spec)]
    checks = [(field, client.management.start_validate_config(text)) for field, text in asked if text not in known]
    reading = snapshot.read(client, spec.name, extensions_of=spec.talos_version)
    # A resource has one cluster: what it holds under another name is replaced, and goes first where machines are named.
    kept = [node for node in reading.nodes if node.cluster == spec.name or not mark.owns(node)]
    reading = replace(reading, nodes=kept)
    refused = []
    for field, check in checks:
        try:
            check.result()
        except RefusedError as error:
            refused.append(Problem(f"{field}.inline", error.detail))
        except (PermissionDeniedError, UnsupportedError):
            break  # then the patch is judged when it is written
    found = findings(spec, reading, mark=mark, old=old, adopt=adopt)
    if not refused:
        return found
    return replace(found, failures=(*found.failures, *refused), forecasts=())


def _patches(spec: ClusterSpec) -> Iterator[tuple[str, Patch]]:
    """All patches of a spec, each with the wire path of its field."""
    for prefix, scope in spec.scopes():
        for index, patch in enumerate(scope.patches or ()):
            yield f"{prefix}patches[{index}]", patch
