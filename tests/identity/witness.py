"""What an Omni holds of each cluster, to find out afterwards which clusters a run has touched."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_UUID,
    CONFIG_PATCH,
    LABEL_CLUSTER,
    MACHINE_SET,
    MACHINE_SET_NODE,
    Resource,
)
from ksail_pulumi.plan.ownership import Creation, OwnershipMark
from tests.crash.omni import Omni
from tests.host import PATIENCE


@dataclass(frozen=True)
class Seen:
    """A cluster.

    Attributes:
        uuid: Its UUID.
        owner: The owner that stands on it.
        unfinished: Whether it has the mark of an unfinished creation.
        going: Whether it is being deleted.
        parts: What users have written of it and of its parts.
    """

    uuid: str
    owner: str | None
    unfinished: bool
    going: bool
    parts: Mapping[tuple[str, str], str]


def clusters(omni: Omni) -> dict[str, Seen]:
    """All clusters of an Omni by name, once each of them has its UUID."""
    until = time.monotonic() + PATIENCE
    while True:
        found = {each.id: each for each in omni.store.list(CLUSTER)}
        uuids = {each.id: each.spec.uuid for each in omni.store.list(CLUSTER_UUID)}
        if all(name in uuids or each.tearing_down for name, each in found.items()):
            break
        assert time.monotonic() < until
        time.sleep(0.005)
    return {name: _seen(omni, each, uuids.get(name, "")) for name, each in found.items()}


def _seen(omni: Omni, cluster: Resource, uuid: str) -> Seen:
    parts = [cluster]
    for kind in (MACHINE_SET, MACHINE_SET_NODE, CONFIG_PATCH):
        parts += [each for each in omni.store.list(kind, {LABEL_CLUSTER: cluster.id}) if not each.owner]
    return Seen(
        uuid=uuid,
        owner=OwnershipMark.owner_of(cluster),
        unfinished=Creation.of(cluster) is not None,
        going=cluster.tearing_down,
        parts={each.key: f"{each.phase} {each.spec} {each.labels} {each.annotations}" for each in parts},
    )


def wait_until_settled(omni: Omni) -> None:
    """Wait until nothing is on its way out."""
    until = time.monotonic() + PATIENCE
    while any(each.going for each in clusters(omni).values()):
        assert time.monotonic() < until
        time.sleep(0.005)
