"""What would happen, without making it happen: reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.lifecycle import snapshot
from ksail_pulumi.plan.findings import findings

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.plan.desired import OwnershipMark
    from ksail_pulumi.plan.findings import Findings
    from ksail_pulumi.spec.cluster import ClusterSpec


def preview(
    spec: ClusterSpec, old: ClusterSpec | None, mark: OwnershipMark, client: Client, *, adopt: bool = False
) -> Findings:
    """What Omni would refuse, what will stall, and what is going to happen.

    Args:
        spec: What is asked for.
        old: What was asked for last time, None for a new cluster.
        mark: Who we are.
        client: Which Omni.
        adopt: The cluster exists and is to be taken over.

    Raises:
        OmniError: Omni did not answer.
    """
    return findings(spec, snapshot.read(client, spec.name), mark=mark, old=old, adopt=adopt)
