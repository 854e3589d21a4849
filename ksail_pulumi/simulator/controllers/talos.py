"""Talos on the emulated machines: its actions, their duration and their stages."""

from __future__ import annotations

from collections.abc import Callable

from ksail_pulumi.omni.resources import CLUSTER_BOOTSTRAP_STATUS
from ksail_pulumi.simulator.controllers.engine import Runtime
from ksail_pulumi.simulator.machines import EmulatedMachine, MachineConfig, Stage

REBOOT_ERROR = (
    "rpc error: code = Unavailable desc = maintenance {} failed: "
    "failed to reboot machine after install/upgrade: error reading from server: EOF"
)
REJECTED = (
    "rpc error: code = InvalidArgument desc = configuration validation failed: "
    "1 error occurred:\n\t* the machine does not take this configuration\n\n"
)
_NAME_CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Talos:
    """Runs actions on machines, one at a time; a new action ends the previous one."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def configure(self, machine: EmulatedMachine, config: MachineConfig) -> None:
        """Apply the first configuration to a machine in maintenance: it installs Talos if needed, and boots."""
        machine.doing, machine.stage, machine.ready = "configure", Stage.CONFIGURING, True
        self._then(machine, self.runtime.timings.configure, lambda: self._install(machine, config))

    def apply(self, machine: EmulatedMachine, config: MachineConfig) -> None:
        """Apply a new configuration to a running machine without a reboot."""
        machine.doing = "apply"
        self._then(machine, self.runtime.timings.apply, lambda: self._applied(machine, config))

    def upgrade(self, machine: EmulatedMachine, config: MachineConfig) -> None:
        """Install a new image on a running machine, reboot, then apply its configuration."""
        timings = self.runtime.timings
        machine.doing = "upgrade"
        self._changed(machine)

        def written() -> None:
            machine.talos_version, machine.schematic = config.talos_version, config.schematic
            self._then(machine, timings.reboot / 3, rebooting)

        def rebooting() -> None:
            machine.stage = Stage.REBOOTING
            self._then(machine, timings.running, going_down)

        def going_down() -> None:
            machine.ready = False
            machine.boots += 1
            self._then(machine, timings.reboot, booted)

        def booted() -> None:
            machine.stage = Stage.RUNNING
            self._then(machine, timings.running, ready)

        def ready() -> None:
            machine.ready = True
            self._then(machine, timings.settle, lambda: self._applied(machine, config))

        self._then(machine, timings.upgrade, written)

    def reset(self, machine: EmulatedMachine, done: Callable[[], None]) -> None:
        """Wipe a machine; it returns to maintenance shortly after."""
        machine.doing = "reset"

        def wiped() -> None:
            machine.config, machine.error, machine.running_components = None, "", {}
            machine.boots += 1
            self._then(machine, self.runtime.timings.maintenance, back)
            done()

        def back() -> None:
            machine.maintenance, machine.stage, machine.ready, machine.doing = True, Stage.CONFIGURING, True, ""
            self._changed(machine)

        self._then(machine, self.runtime.timings.reset, wiped)

    def stop(self, machine: EmulatedMachine) -> None:
        """End the current action of a machine."""
        if machine.timer is not None:
            machine.timer.cancel()
        machine.timer, machine.doing = None, ""
        if machine.maintenance:
            machine.stage, machine.ready, machine.error = Stage.CONFIGURING, True, ""

    def resume(self, machine: EmulatedMachine) -> None:
        """Continue on a machine whose action was cut off: the controllers begin the action again."""
        waits = machine.doing in ("etcd", "services")
        self.stop(machine)
        if machine.config is None:
            machine.maintenance, machine.stage, machine.ready, machine.error = True, Stage.CONFIGURING, True, ""
        elif waits:
            machine.doing = "etcd"
            if self._has_etcd(machine.config.cluster):
                self.bootstrapped(machine)
        else:
            machine.stage, machine.ready = Stage.RUNNING, True
        self._changed(machine)

    def bootstrapped(self, machine: EmulatedMachine) -> None:
        """Continue on a control plane machine that waits for etcd."""
        if machine.stage == Stage.RUNNING and not machine.ready and machine.doing == "etcd":
            machine.doing = "services"
            self._then(
                machine, self._some(machine, "services", self.runtime.timings.services), lambda: self._well(machine)
            )

    def _install(self, machine: EmulatedMachine, config: MachineConfig) -> None:
        work = "install" if not machine.installed else ""
        if machine.installed and (machine.talos_version, machine.schematic) != (config.talos_version, config.schematic):
            work = "upgrade"
        if not work:
            self._boot(machine, config)
            return
        machine.stage = Stage.INSTALLING

        def written() -> None:
            # Omni sees the connection break when the machine goes down, and reports a failure until it is back.
            machine.error = REBOOT_ERROR.format(work)
            machine.stage = Stage.REBOOTING
            machine.installed = True
            machine.talos_version, machine.schematic = config.talos_version, config.schematic
            self._then(machine, self.runtime.timings.reboot, lambda: self._boot(machine, config))

        self._then(machine, self._some(machine, "install", self.runtime.timings.install), written)

    def _boot(self, machine: EmulatedMachine, config: MachineConfig) -> None:
        machine.stage = Stage.BOOTING
        machine.boots += 1
        self._then(
            machine, self._some(machine, "boot", self.runtime.timings.boot), lambda: self._booted(machine, config)
        )

    def _booted(self, machine: EmulatedMachine, config: MachineConfig) -> None:
        if self.runtime.has_fault(machine, "never_join"):
            self._then(machine, self.runtime.timings.retry, lambda: self._booted(machine, config))
            return
        machine.stage, machine.ready, machine.maintenance = Stage.RUNNING, not config.control_plane, False
        machine.node_name = _node_name(machine, config.cluster)

        def configured() -> None:
            machine.config, machine.error = config, ""
            machine.running_components = dict(config.components)
            machine.doing = "etcd" if config.control_plane else ""
            self._changed(machine)
            if config.control_plane and self._has_etcd(config.cluster):
                self.bootstrapped(machine)

        self._then(machine, self.runtime.timings.running, configured)

    def _has_etcd(self, cluster: str) -> bool:
        status = self.runtime.find(CLUSTER_BOOTSTRAP_STATUS, cluster)
        return status is not None and bool(status.spec.bootstrapped)

    def _well(self, machine: EmulatedMachine) -> None:
        machine.ready, machine.doing = True, ""
        self._changed(machine)

    def _applied(self, machine: EmulatedMachine, config: MachineConfig) -> None:
        if self.runtime.has_fault(machine, "reject_config"):
            machine.error = REJECTED
            self._then(machine, self.runtime.timings.retry, lambda: self._idle(machine))
            return
        machine.config, machine.error, machine.doing = config, "", ""
        self._changed(machine)
        if machine.running_components != config.components:
            self.runtime.after(self.runtime.timings.component, lambda: self._restarted(machine, config))

    def _restarted(self, machine: EmulatedMachine, config: MachineConfig) -> None:
        if machine.config is config:
            machine.running_components = dict(config.components)
            self._changed(machine)

    def _idle(self, machine: EmulatedMachine) -> None:
        machine.doing = ""
        self._changed(machine)

    def _some(self, machine: EmulatedMachine, purpose: str, seconds: float) -> float:
        """A duration that differs a little from machine to machine."""
        return seconds * machine.random(purpose).uniform(0.85, 1.15)

    def _then(self, machine: EmulatedMachine, delay: float, callback: Callable[[], None]) -> None:
        if machine.timer is not None:
            machine.timer.cancel()

        def run() -> None:
            machine.timer = None
            callback()

        machine.timer = self.runtime.after(delay, run)
        self._changed(machine)

    def _changed(self, machine: EmulatedMachine) -> None:
        self.runtime.machine_changed(machine)


def _node_name(machine: EmulatedMachine, cluster: str) -> str:
    """The node name that Talos generates at install."""
    draw = machine.random(f"hostname {cluster} {machine.boots}")
    first, second = ("".join(draw.choices(_NAME_CHARACTERS, k=3)) for _ in range(2))
    return f"talos-{first}-{second}"
