"""The kernel logs of emulated machines: lines in JSON, as Talos sends them to Omni."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from ksail_pulumi.omni.api import common_pb2
from ksail_pulumi.omni.resources import MACHINE_STATUS
from ksail_pulumi.simulator.machines import EmulatedMachine, Machines, Stage
from ksail_pulumi.simulator.store import Store


class MachineLogs:
    """Makes the log of a machine from its state; nothing is stored."""

    def __init__(self, store: Store, machines: Machines) -> None:
        self._store = store
        self._machines = machines

    def lines(self, machine_id: str, tail: int) -> Iterator[common_pb2.Data]:
        """The log of a machine, a message for each line.

        Args:
            machine_id: The machine; an unknown one has no log.
            tail: How many of the last lines; all if it is negative.
        """
        machine = self._machines.find(machine_id)
        texts = [] if machine is None else [self._command_line(machine_id), *_boot(machine)]
        shown = texts if tail < 0 else texts[max(0, len(texts) - tail) :]
        began = datetime.now(UTC) - timedelta(seconds=len(shown))
        for second, text in enumerate(shown):
            yield common_pb2.Data(bytes=_line(text, began + timedelta(seconds=second)))

    def _command_line(self, machine_id: str) -> str:
        status = self._store.find(MACHINE_STATUS, machine_id)
        return f"Command line: {status.spec.kernel_cmdline if status is not None else ''}"


def _boot(machine: EmulatedMachine) -> Iterator[str]:
    yield f"[talos] [initramfs] booting Talos v{machine.talos_version}"
    if machine.maintenance:
        yield "[talos] this machine is reachable in maintenance mode"
    elif machine.config is not None:
        yield f"[talos] hostname is {machine.name}"
        yield f"[talos] cluster is {machine.config.cluster}"
    if machine.error:
        yield f"[talos] apply config request failed: {machine.error}"
    elif machine.stage == Stage.RUNNING and machine.ready:
        yield "[talos] machine is running and ready"
    else:
        yield f"[talos] stage is {machine.stage.name.lower()}, services are not healthy"


def _line(text: str, time: datetime) -> bytes:
    content = {
        "facility": "user",
        "msg": f"{text}\n",
        "priority": "warning",
        "talos-level": "warn",
        "talos-time": time.isoformat().replace("+00:00", "Z"),
    }
    return json.dumps(content).encode()
