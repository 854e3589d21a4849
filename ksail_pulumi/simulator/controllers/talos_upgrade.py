"""Talos upgrades: when each machine of a cluster gets its new image, and the progress."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_MACHINE,
    KUBERNETES_HEALTH_CHECK,
    KUBERNETES_HEALTH_CHECK_STATUS,
    LABEL_CLUSTER,
    LABEL_MACHINE_SET,
    MACHINE_PENDING_UPDATES,
    MACHINE_SET,
    MACHINE_SET_NODE,
    TALOS_UPGRADE_STATUS,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator.controllers.cluster_machine import machine_locked, needs_upgrade
from ksail_pulumi.simulator.controllers.config import desired_config
from ksail_pulumi.simulator.controllers.engine import Controller, Keys, Runtime, its_cluster, own_id
from ksail_pulumi.simulator.controllers.machine_set import is_control_plane
from ksail_pulumi.simulator.controllers.talos import Talos
from ksail_pulumi.simulator.controllers.versions import talos_upgrades
from ksail_pulumi.simulator.machines import EmulatedMachine, MachineConfig, Stage

UPGRADING, DONE, FAILED, REVERTING, UPDATING_SCHEMATICS = 1, 2, 3, 4, 5
NOBODY = "no machines are currently upgrading"
CURRENT = "current machine: "
NOT_READY = "waiting for the cluster to be ready"
OWNER = "TalosUpgradeStatusController"
CHECK_OWNER = "KubernetesHealthCheckController"
CheckState = specs_pb2.KubernetesHealthCheckStatusSpec.State


@dataclass(frozen=True)
class _Member:
    """A machine of the cluster and the image it should run."""

    resource: Resource
    machine: EmulatedMachine
    config: MachineConfig
    locked: bool

    @property
    def outdated(self) -> bool:
        return needs_upgrade(self.machine, self.config)

    @property
    def current(self) -> bool:
        return self.machine.doing == "upgrade"

    @property
    def healthy(self) -> bool:
        return self.machine.ready and self.machine.stage == Stage.RUNNING


class TalosUpgrade(Controller):
    """Upgrades one machine after the other and writes TalosUpgradeStatuses."""

    def __init__(self, runtime: Runtime, talos: Talos) -> None:
        super().__init__(runtime)
        self.talos = talos
        self._checked: dict[str, int] = {}
        self._checking: set[str] = set()

    def watches(self) -> Mapping[ResourceType, Keys]:
        members = (CLUSTER_MACHINE, MACHINE_PENDING_UPDATES, MACHINE_SET_NODE, MACHINE_SET, KUBERNETES_HEALTH_CHECK)
        return {CLUSTER: own_id, **dict.fromkeys(members, its_cluster)}

    def delay(self, key: str) -> float:
        status = self.runtime.find(TALOS_UPGRADE_STATUS, key)
        if status is None or status.spec.phase != DONE:
            return self.runtime.timings.cluster_resource + self.runtime.batch_delay(key)
        return self.runtime.timings.talos_upgrade + self.runtime.batch_delay(key)

    def machine_changed(self, machine: EmulatedMachine) -> Iterable[str]:
        return (machine.config.cluster,) if machine.config is not None and not machine.maintenance else ()

    def reconcile(self, key: str) -> None:
        cluster = self.runtime.find(CLUSTER, key)
        if cluster is None or cluster.tearing_down or OWNER not in cluster.finalizers:
            return
        current = self.runtime.find(TALOS_UPGRADE_STATUS, key)
        members = self._members(cluster)
        finished = current is not None and current.spec.step.startswith(CURRENT)
        if current is None or not any(member.outdated or member.current for member in members):
            if current is not None and finished:
                self._tell_nobody(current)
                return
            self._checked.pop(key, None)
            spec = specs_pb2.TalosUpgradeStatusSpec(phase=DONE, last_upgrade_version=cluster.spec.talos_version)  # type: ignore[arg-type]
            spec.upgrade_versions.extend(talos_upgrades(self.runtime, cluster))
            self._tell(key, spec)
            return
        spec = self._progress(cluster, current, members)
        # Omni first sets the phase, then counts the machines, then starts the first one: three separate updates.
        if current.spec.phase == DONE:
            spec.step = NOBODY
            spec.status = "updating" if spec.phase == UPGRADING else f"reverting update {len(members)}/{len(members)}"
            spec.phase = spec.phase if spec.phase == UPGRADING else REVERTING  # type: ignore[assignment]
            self.enqueue(key, self.runtime.timings.revert)
        elif finished and not any(member.current for member in members):
            self._tell_nobody(current)
            return
        elif current.spec.step == NOBODY and current.spec.status != spec.status:
            spec.step = NOBODY
            self.enqueue(key, self.runtime.timings.revert)
        elif self._start(cluster, members, spec):
            spec = self._progress(cluster, current, members)
        self._tell(key, spec)

    def _tell_nobody(self, status: Resource) -> None:
        """Between two machines, and after the last one, none is being upgraded for a moment."""
        spec = specs_pb2.TalosUpgradeStatusSpec()
        spec.CopyFrom(status.spec)
        spec.step = NOBODY
        self._tell(status.id, spec)
        self.enqueue(status.id, self.runtime.timings.revert)

    def _members(self, cluster: Resource) -> list[_Member]:
        found = []
        for resource in self.runtime.store.list(CLUSTER_MACHINE, {LABEL_CLUSTER: cluster.id}):
            machine = self.runtime.machines[resource.id]
            if resource.tearing_down or machine.maintenance or machine.config is None:
                continue
            config = desired_config(self.runtime, resource, machine)
            if config is not None:
                found.append(_Member(resource, machine, config, machine_locked(self.runtime, resource.id)))
        return sorted(found, key=lambda member: (not is_control_plane(member.resource), member.machine.id))

    def _progress(
        self, cluster: Resource, status: Resource, members: Sequence[_Member]
    ) -> specs_pb2.TalosUpgradeStatusSpec:
        """The progress of a running upgrade."""
        last, target = status.spec.last_upgrade_version, cluster.spec.talos_version
        outdated = [member for member in members if member.outdated]
        running = [member for member in members if member.current]
        spec = specs_pb2.TalosUpgradeStatusSpec(last_upgrade_version=last)
        if target != last:
            spec.phase, spec.current_upgrade_version = UPGRADING, target  # type: ignore[assignment]
        elif any(member.machine.talos_version != target for member in outdated) or not outdated:
            spec.phase = REVERTING  # type: ignore[assignment]
        else:
            spec.phase = UPDATING_SCHEMATICS  # type: ignore[assignment]
        number = min(len(members) - len(outdated) + 1, len(members))
        if spec.phase == REVERTING:
            spec.status = f"reverting update {number}/{len(members)}"
        else:
            spec.status = f"updating machines {number}/{len(members)}" if outdated else "updating"
        if running and all(member.healthy for member in running):
            spec.step = f"{CURRENT}{running[0].machine.id}"
        else:
            spec.step = NOT_READY if running else NOBODY
        return spec

    def _start(self, cluster: Resource, members: Sequence[_Member], spec: specs_pb2.TalosUpgradeStatusSpec) -> bool:
        """Start the upgrades that may start, write what blocks the others to `spec`; returns whether one started."""
        if self.runtime.cluster_locked(cluster.id):
            return False
        outdated = [member for member in members if member.outdated and not member.current]
        free = [member for member in outdated if not member.locked]
        if outdated and not free and not any(member.current for member in members):
            spec.step, spec.status = "all machines are locked", "waiting for machines to be unlocked"
        first = [
            member for member in members if (member.outdated or member.current) and is_control_plane(member.resource)
        ]
        if first:
            free = [member for member in free if is_control_plane(member.resource)]
        started = False
        for member in free:
            if self._quota(member, members) > 0 and self.runtime.reaches(member.machine) and not member.machine.doing:
                if not self._checks_pass(cluster, members, spec):
                    break
                self.talos.upgrade(member.machine, member.config)
                started = True
        if free and not started and not any(member.current for member in members) and spec.step == NOBODY:
            spec.step = NOT_READY
        return started

    def _quota(self, member: _Member, members: Sequence[_Member]) -> int:
        """How many more machines of a set may be upgraded at the same time."""
        set_id = member.resource.labels.get(LABEL_MACHINE_SET, "")
        machine_set = self.runtime.find(MACHINE_SET, set_id)
        siblings = [other for other in members if other.resource.labels.get(LABEL_MACHINE_SET) == set_id]
        most = machine_set.spec.upgrade_strategy_config.rolling.max_parallelism if machine_set is not None else 0
        return (most or 1) - sum(other.current or not other.healthy for other in siblings)

    def _checks_pass(
        self, cluster: Resource, members: Sequence[_Member], spec: specs_pb2.TalosUpgradeStatusSpec
    ) -> bool:
        """Whether the cluster's health checks have passed since the last machine was upgraded."""
        checks = self.runtime.store.list(KUBERNETES_HEALTH_CHECK, {LABEL_CLUSTER: cluster.id})
        names = [check.id for check in checks if not check.tearing_down]
        done = sum(not member.outdated for member in members)
        if not names or (self._checked.get(cluster.id) == done and not self.runtime.faults.stuck_health_checks):
            return True
        waiting = ", ".join(f'"{name}": waiting to complete' for name in names)
        spec.step, spec.status = f"waiting for healthchecks to pass: {waiting}", "updating"
        if cluster.id not in self._checking:
            self._checking.add(cluster.id)
            if self.runtime.faults.stuck_health_checks:
                self._report(names, CheckState.FAILED, "job failed", "the emulated check never passes")
            else:
                self._report(names, CheckState.RUNNING)
            self.runtime.after(self.runtime.timings.health_check, lambda: self._checked_by(cluster.id, names, done))
        return False

    def _checked_by(self, cluster: str, names: Sequence[str], done: int) -> None:
        self._checking.discard(cluster)
        if not self.runtime.faults.stuck_health_checks:
            self._report(names, CheckState.PASSED)
        self._checked[cluster] = done
        self.enqueue(cluster)

    def _report(self, names: Sequence[str], state: CheckState.ValueType, error: str = "", output: str = "") -> None:
        for name in names:
            spec = specs_pb2.KubernetesHealthCheckStatusSpec(state=state, error=error, output=output, job_name=name)
            self.runtime.store.put(Resource(KUBERNETES_HEALTH_CHECK_STATUS, name, spec, owner=CHECK_OWNER))

    def _tell(self, key: str, spec: specs_pb2.TalosUpgradeStatusSpec) -> None:
        self.runtime.store.put(Resource(TALOS_UPGRADE_STATUS, key, spec, owner=OWNER))
