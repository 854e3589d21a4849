"""The state of one machine of a cluster in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.lifecycle.waiting.progress import LEAVING, stage
from ksail_pulumi.lifecycle.waiting.view import broken_connection
from ksail_pulumi.omni.resources import LABEL_CONNECTED, LABEL_LOCKED_UPDATE
from ksail_pulumi.omni.status import plain_text

if TYPE_CHECKING:
    from ksail_pulumi.omni.resources import Resource


def connection(machine: Resource) -> str:
    """Whether a machine is connected, given its MachineStatus or ClusterMachineStatus."""
    return "connected" if LABEL_CONNECTED in machine.labels else "not connected to Omni"


def facts(status: Resource) -> list[str]:
    """What a ClusterMachineStatus says, apart from the connection: stage, readiness, configuration."""
    found = [stage(status)]
    if status.spec.stage not in LEAVING:
        if not status.spec.ready:
            found.append("not ready")
        if not status.spec.config_up_to_date:
            locked = LABEL_LOCKED_UPDATE in status.labels
            found.append("its update waits until it is unlocked" if locked else "its configuration is not applied yet")
    if refuses(status):
        found.append(f"configuration error: {_one_line(status.spec.last_config_error)}")
    return found


def refuses(status: Resource) -> bool:
    """Whether the machine does not accept its configuration."""
    error = status.spec.last_config_error
    return bool(error) and not broken_connection(error)


def own_error(machine: Resource | None) -> str:
    """The errors that a MachineStatus reports, in parentheses; `""` for none."""
    if machine is None:
        return ""
    texts = [_one_line(machine.spec.last_error)] if machine.spec.last_error else []
    texts.extend(_one_line(diagnostic.message) for diagnostic in machine.spec.diagnostics)
    return f" ({'; '.join(texts)})" if texts else ""


def _one_line(text: str) -> str:
    return "; ".join(line.strip() for line in plain_text(text).splitlines() if line.strip())
