"""Finds fields of machines that a cluster and a `MachineConfig` of one program set, when neither is in Omni yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ksail_pulumi.plan.machine_fields import set_twice
from ksail_pulumi.provider.run import this_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ksail_pulumi.plan.findings import Findings
    from ksail_pulumi.problems import Problem
    from ksail_pulumi.provider.settings import Settings


def set_elsewhere(
    urn: str, settings: Settings, inputs: Mapping[str, Any], found: Findings, *, cluster: bool
) -> Iterator[Problem]:
    """Refuse the fields that another resource of this run sets; the resource that is checked second finds them."""
    others = this_run.sets(urn, settings.endpoint_for(inputs), found.fields.keys(), cluster=cluster)
    for (machine, field), other in sorted(others.items()):
        yield set_twice(machine, field, f"the resource {other!r} of this stack", found.fields[machine, field])
