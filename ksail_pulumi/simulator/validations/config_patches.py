"""Validation of config patches."""

from __future__ import annotations

from collections.abc import Iterator

from ksail_pulumi.omni.resources import CLUSTER, LABEL_MACHINE_SET, MACHINE_SET, Resource
from ksail_pulumi.simulator.validations import talos_config
from ksail_pulumi.simulator.validations.context import Context


def on_create(context: Context, patch: Resource) -> Iterator[str]:
    """The cluster or machine set need not exist."""
    cluster = context.find(CLUSTER, patch.cluster)
    if cluster is not None and cluster.tearing_down:
        yield f'cluster "{cluster.id}" is tearing down'
        return
    machine_set = context.find(MACHINE_SET, patch.labels.get(LABEL_MACHINE_SET, ""))
    if machine_set is not None and machine_set.tearing_down:
        yield f'machine set "{machine_set.id}" is tearing down'
        return
    yield from _data(patch)


def on_update(_situation: Context, old: Resource, new: Resource) -> Iterator[str]:
    """Unchanged content is not validated again."""
    if old.spec != new.spec:
        yield from _data(new)


def _data(patch: Resource) -> Iterator[str]:
    if patch.spec.compressed_data and not patch.spec.data:
        # Omni's own compression dictionary is not available here.
        yield "unexpected EOF"
        return
    yield from talos_config.faults(patch.spec.data)
