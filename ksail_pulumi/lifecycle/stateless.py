"""The forecast of an `up` without a Pulumi state: what Omni has stands for what the state would have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ksail_pulumi.lifecycle.preview import preview
from ksail_pulumi.lifecycle.read import read
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.resources import CLUSTER
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.problems import InvalidCluster

if TYPE_CHECKING:
    from ksail_pulumi.model.parse import ClusterSpec
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.plan.findings import Findings

Action = Literal["create", "update", "import"]


@dataclass(frozen=True)
class Forecast:
    """What an `up` would do.

    Attributes:
        action: `update` for a cluster that a Pulumi resource manages, `import` for one of others.
        findings: What Omni would refuse, what will block, and what will change.
    """

    action: Action
    findings: Findings


def forecast_of(spec: ClusterSpec, client: Client) -> Forecast:
    """What an `up` would do with a cluster. Nothing is written.

    A cluster that a Pulumi resource manages is compared with what this resource has in Omni, as after `pulumi refresh`.

    Raises:
        OmniError: Omni did not answer.
    """
    cluster = client.state.find(CLUSTER, spec.name)
    if cluster is None or cluster.tearing_down:
        return Forecast("create", preview(spec, None, OwnershipMark(""), client))
    owner = OwnershipMark.owner_of(cluster)
    previous = _as_found(spec.name, client) if owner else None
    mark = OwnershipMark(owner or "")
    if previous is None:
        return Forecast("update" if owner else "import", preview(spec, None, mark, client, adopt=True))
    return Forecast("update", preview(spec, previous, mark, client))


def _as_found(name: str, client: Client) -> ClusterSpec | None:
    """The inputs that describe a cluster; None if none do, or it has gone."""
    found = read(name, client)
    try:
        return parse_cluster(found.inputs) if found is not None else None
    except InvalidCluster:
        return None  # others can make a cluster that no inputs describe, such as one without a control plane
