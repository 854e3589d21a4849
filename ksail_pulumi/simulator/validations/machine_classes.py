"""Validation of machine classes."""

from __future__ import annotations

from collections.abc import Iterator

from ksail_pulumi.omni.resources import INFRA_PROVIDER_STATUS, LABEL_NO_MANUAL_ALLOCATION, MACHINE_SET, Resource
from ksail_pulumi.simulator import selectors
from ksail_pulumi.simulator.allocation import allocation_of
from ksail_pulumi.simulator.validations.context import Context


def on_create(context: Context, machine_class: Resource) -> Iterator[str]:
    spec = machine_class.spec
    if spec.HasField("auto_provision") and spec.match_labels:
        yield "can't set both auto provision and match labels at the same time"
    elif spec.HasField("auto_provision"):
        provider = spec.auto_provision.provider_id
        if not provider:
            yield "providerID can not be empty"
        elif context.find(INFRA_PROVIDER_STATUS, provider) is None:
            yield f"failed to get provider: {context.missing(INFRA_PROVIDER_STATUS, provider)}"
    elif spec.match_labels:
        yield from _selectors(spec.match_labels)
    else:
        yield "machine class should either have auto provision or match labels set"


def on_destroy(context: Context, machine_class: Resource) -> Iterator[str]:
    users = [
        machine_set.id
        for machine_set in context.store.list(MACHINE_SET)
        if (allocation := allocation_of(machine_set)) is not None and allocation.name == machine_class.id
    ]
    if users:
        yield f"can not delete the machine class as it is still in use by machine sets: {', '.join(users)}"


def _selectors(texts: list[str]) -> Iterator[str]:
    for text in texts:
        try:
            selector = selectors.parse(text)
        except selectors.SelectorError as error:
            yield f"failed to parse matchLabels: rpc error: code = InvalidArgument desc = {error}"
            return
        if LABEL_NO_MANUAL_ALLOCATION in selector.keys:
            yield f"selectors using label {LABEL_NO_MANUAL_ALLOCATION} are not allowed"
            return
