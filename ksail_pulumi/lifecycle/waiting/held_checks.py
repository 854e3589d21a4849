"""Health checks that hold a Talos upgrade back: which ones, and what they report."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from ksail_pulumi.errors import OmniError
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import KUBERNETES_HEALTH_CHECK_STATUS, TALOS_UPGRADE_STATUS
from ksail_pulumi.omni.status import plain_text
from ksail_pulumi.redaction import HIDDEN, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ksail_pulumi.lifecycle.waiting.view import ClusterView
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource

_HOLDS = "waiting for healthchecks to pass: "
"""How Omni's step of an upgrade begins that waits for health checks: `"ID": state, "ID": state`."""

_STATES = {
    specs_pb2.KubernetesHealthCheckStatusSpec.State.RUNNING: "running",
    specs_pb2.KubernetesHealthCheckStatusSpec.State.FAILED: "failed",
    specs_pb2.KubernetesHealthCheckStatusSpec.State.PASSED: "passed",
}
_ASK_SECONDS = 0.75
_MOST_OUTPUT = 300
"""How many characters of a check's output are shown: the last ones, where commands report what is wrong."""


def held_checks(view: ClusterView, client: Client | None) -> list[str]:
    """A line for each health check that the upgrade waits for."""
    upgrade = view.one(TALOS_UPGRADE_STATUS)
    if upgrade is None or not upgrade.spec.step.startswith(_HOLDS):
        return []
    waiting = re.findall(r'"([^"]+)": ([^,"]*)', upgrade.spec.step)
    statuses = _ask([check for check, _ in waiting], client)
    return [f"health check {check}: {_report(statuses.get(check)) or quoted(state)}" for check, state in waiting]


def _ask(checks: Sequence[str], client: Client | None) -> dict[str, Resource]:
    """The statuses of health checks; empty where Omni lets nobody read them (1.10), or does not answer at once."""
    if client is None:
        return {}
    state = client.until(time.monotonic() + _ASK_SECONDS).state
    try:
        calls = [state.start_find(KUBERNETES_HEALTH_CHECK_STATUS, check) for check in checks]
        return {status.id: status for call in calls if (status := call.result()) is not None}
    except OmniError:
        return {}


def _report(status: Resource | None) -> str:
    if status is None:
        return ""
    output = _one_line(status.spec.output)
    if len(output) > _MOST_OUTPUT:
        output = HIDDEN + output[1 - _MOST_OUTPUT :]
    texts = [_STATES.get(status.spec.state, ""), _one_line(status.spec.error), f"output: {output}" if output else ""]
    return "; ".join(filter(None, texts))


def _one_line(text: str) -> str:
    return "; ".join(line.strip() for line in plain_text(quoted(text)).splitlines() if line.strip())
