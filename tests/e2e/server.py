"""What Omni really has, whatever Pulumi says."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_MACHINE,
    CLUSTER_STATUS,
    CLUSTER_UUID,
    CONFIG_PATCH,
    LABEL_CLUSTER,
    MACHINE_SET,
    MACHINE_SET_NODE,
)

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.simulator.server import Simulator
    from ksail_pulumi.simulator.store import Event
    from tests.e2e.project import Project

# Written here as they are in the Omnis of users, not imported: a release that renames them loses their clusters.
OWNER = "ksail-pulumi/owner"
CREATION = "ksail-pulumi/creation"


def allocated(simulator: Simulator) -> threading.Event:
    """Set once Omni has given a new cluster its UUID and a machine: on a slow machine either may come first."""
    both, left = threading.Event(), {CLUSTER_UUID, CLUSTER_MACHINE}

    def look(event: Event) -> None:
        if event.kind == "created":
            left.discard(event.resource.type)
        if not left:
            both.set()

    simulator.store.subscribe(look)
    return both


def uuids(omni: Client) -> dict[str, str]:
    """The UUIDs of the clusters that are there and are not being deleted, by name."""
    known = {each.id: each.spec.uuid for each in omni.state.list(CLUSTER_UUID)}
    return {each.id: known.get(each.id, "") for each in omni.state.list(CLUSTER) if not each.tearing_down}


def runs(omni: Client, cluster: str) -> bool:
    """Whether Omni says that all of a cluster runs."""
    status = omni.state.find(CLUSTER_STATUS, cluster)
    return status is not None and bool(status.spec.ready and status.spec.available)


def machines(omni: Client, cluster: str) -> set[str]:
    """The IDs of a cluster's machines."""
    return {each.id for each in omni.state.list(MACHINE_SET_NODE, {LABEL_CLUSTER: cluster})}


def owners(omni: Client, cluster: str) -> set[str | None]:
    """All ownership marks on a cluster and what belongs to it."""
    parts = [omni.state.get(CLUSTER, cluster)]
    for kind in (MACHINE_SET, MACHINE_SET_NODE, CONFIG_PATCH):
        parts += omni.state.list(kind, {LABEL_CLUSTER: cluster})
    return {part.annotations.get(OWNER) for part in parts}


def creation(omni: Client, cluster: str) -> dict[str, Any] | None:
    """The mark of a cluster's unfinished creation."""
    text = omni.state.get(CLUSTER, cluster).annotations.get(CREATION)
    return None if text is None else json.loads(text)


def is_as_stored(project: Project, omni: Client) -> None:
    """Each cluster that the state has is there, runs, and is all that there is."""
    there = uuids(omni)
    assert project.uuids() == there
    for name in there:
        assert runs(omni, name)
        assert creation(omni, name) is None
