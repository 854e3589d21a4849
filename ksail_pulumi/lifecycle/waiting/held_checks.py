"""Health checks that hold a Talos upgrade back: which ones, and what they report."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ksail_pulumi.lifecycle.waiting.asking import ask
from ksail_pulumi.lifecycle.waiting.finding import Finding
from ksail_pulumi.lifecycle.waiting.log_secrets import without_secrets
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import KUBERNETES_HEALTH_CHECK_STATUS, TALOS_UPGRADE_STATUS
from ksail_pulumi.omni.status import plain_text
from ksail_pulumi.redaction import HIDDEN, quoted

if TYPE_CHECKING:
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
_MOST_OUTPUT = 300
"""How many characters of a check's output are shown: the last ones, where commands report what is wrong."""


def held_checks(view: ClusterView, client: Client | None) -> list[Finding]:
    """The health checks that the upgrade waits for."""
    upgrade = view.one(TALOS_UPGRADE_STATUS)
    if upgrade is None or not upgrade.spec.step.startswith(_HOLDS):
        return []
    waiting = re.findall(r'"([^"]+)": ([^,"]*)', upgrade.spec.step)
    # Omni 1.10 lets nobody read them.
    found = ask([(KUBERNETES_HEALTH_CHECK_STATUS, check) for check, _ in waiting], client)
    statuses = {status.id: status for status in found}
    return [Finding(f"health check {check}", _report(statuses.get(check)) or quoted(state)) for check, state in waiting]


def _report(status: Resource | None) -> str:
    if status is None:
        return ""
    output = _one_line(status.spec.output)
    if len(output) > _MOST_OUTPUT:
        output = HIDDEN + output[1 - _MOST_OUTPUT :]
    texts = [_STATES.get(status.spec.state, ""), _one_line(status.spec.error), f"output: {output}" if output else ""]
    return "; ".join(filter(None, texts))


def _one_line(text: str) -> str:
    lines = without_secrets(plain_text(text).splitlines())
    return "; ".join(line.strip() for line in lines if line.strip())
