"""The resources that a cluster consists of in Omni: IDs, labels, order and YAML exactly as omnictl makes them.

The rules are those of omnictl's cluster templates (Omni's `client/pkg/template/internal/models`). The one difference is
the annotations: omnictl marks what it made as managed by templates, this package with an ownership mark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ksail_pulumi.addons.patches import ANNOTATION_COMPONENT, component_patches
from ksail_pulumi.addons.patches import patch_id as component_id
from ksail_pulumi.model.cluster import ControlPlane, Workers
from ksail_pulumi.model.durations import duration
from ksail_pulumi.model.patches import CLUSTER_WEIGHT, MACHINE_WEIGHT, SET_WEIGHT, patch_id, patch_text
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.machines import current_assignment
from ksail_pulumi.plan.versions import versions_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ksail_pulumi.addons.patches import ComponentPatch
    from ksail_pulumi.model.cluster import (
        ClusterSpec,
        HealthCheck,
        Install,
        Machine,
        MachineSet,
        Manifest,
        Patch,
        Strategy,
    )
    from ksail_pulumi.model.versions import Versions
    from ksail_pulumi.plan.machines import Assignment
    from ksail_pulumi.plan.ownership import OwnershipMark

INSTALL_DISK = "install-disk"

INSTALL_DISK_API = 3
"""The API version of Omni from which install disks are resources of their own."""


def desired_resources(
    spec: ClusterSpec,
    versions: Versions,
    assignment: Assignment,
    mark: OwnershipMark,
    *,
    api_version: int = INSTALL_DISK_API,
    bootstrapped: bool = False,
    components: Sequence[ComponentPatch] | None = None,
) -> list[Resource]:
    """Everything that should exist in Omni for a cluster, in omnictl's order.

    Args:
        spec: What the user asks for.
        versions: The versions it gets.
        assignment: The machines of every set that is not left to a class.
        mark: Whose the resources are.
        api_version: Omni's own (`SysVersion`); before 3 an install disk is a patch.
        bootstrapped: Whether the cluster has etcd already; what it was to be restored from is left out then, as Omni
            lets it go but not come back.
        components: The patches of its components; those of a new cluster if left out.
    """
    if components is None:
        components = component_patches(spec.addons, spec.name, began=versions.talos)
    return list(_Translator(spec, versions, assignment, mark, api_version, bootstrapped, components).resources())


def previous_resources(
    old: ClusterSpec | None, spec: ClusterSpec, actual: Sequence[Resource], mark: OwnershipMark
) -> list[Resource]:
    """What the inputs before made of the cluster as it is now: the `previous` of a diff.

    It has the machines that the cluster has, so that what was set on them by these inputs can be told from what others
    set. A lock is in it where `spec` says to unlock, and only there: one that was left out of the inputs stays.

    Args:
        old: The inputs before; None for a cluster that is taken over.
        spec: The inputs now.
        actual: What Omni has of the cluster.
        mark: Whose the cluster is.
    """
    cluster = next((each for each in actual if each.type == omni.CLUSTER), None)
    if cluster is None:
        return []
    unlocked = (old or spec).model_copy(
        update={
            "name": spec.name,
            "locked": spec.locked is False,
            "machines": {
                **{name: each.model_copy(update={"locked": False}) for name, each in (old or spec).machines.items()},
                **{
                    name: (old.machines.get(name, each) if old else each).model_copy(update={"locked": True})
                    for name, each in spec.machines.items()
                    if each.locked is False
                },
            },
        }
    )
    return desired_resources(unlocked, versions_of(cluster), current_assignment(spec.name, actual), mark)


@dataclass(frozen=True)
class _Translator:
    spec: ClusterSpec
    versions: Versions
    assignment: Assignment
    mark: OwnershipMark
    api_version: int
    bootstrapped: bool
    components: Sequence[ComponentPatch]

    def resources(self) -> Iterator[Resource]:
        spec = self.spec
        scope = f"cluster-{spec.name}"
        yield self._cluster()
        yield from map(self._component, self.components)
        yield from self._patches(spec.patches, CLUSTER_WEIGHT, scope, {})
        yield from self._extensions(spec.system_extensions, spec.name, {})
        for index, manifest in enumerate(spec.manifests or ()):
            yield self._manifest(manifest, f"{CLUSTER_WEIGHT + index:03d}-{scope}-{manifest.name}")
        for check in spec.health_checks or ():
            yield self._health_check(check, check.id_override or f"{scope}-{check.name}")
        for machine_set in spec.machine_sets:
            yield from self._machine_set(machine_set)
        sets = {each.id(spec.name): each for each in spec.machine_sets}
        for machine_id, machine in spec.machines.items():
            home = sets.get(self.assignment.set_of(machine_id) or "")
            if home is not None:
                yield from self._machine(machine_id, machine)
                yield from self._kernel_args(machine_id, home)

    def _resource(
        self,
        resource_type: omni.ResourceType,
        resource_id: str,
        message: object,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Resource:
        return Resource(
            resource_type, resource_id, message, dict(labels or {}), {**(annotations or {}), **self.mark.annotations()}
        )

    def _cluster(self) -> Resource:
        features = self.spec.features
        message = specs_pb2.ClusterSpec(
            talos_version=self.versions.talos,
            kubernetes_version=self.versions.kubernetes,
            features=specs_pb2.ClusterSpec.Features(
                disk_encryption=bool(features.disk_encryption),
                enable_workload_proxy=bool(features.enable_workload_proxy),
                use_embedded_discovery_service=bool(features.use_embedded_discovery_service),
                disable_public_discovery_service=bool(features.disable_public_discovery_service),
                enable_node_audit_skip=bool(features.enable_node_audit_skip),
            ),
        )
        if self.spec.backup is not None:
            message.backup_configuration.enabled = True
            message.backup_configuration.interval.FromTimedelta(duration(self.spec.backup.interval))
        lock = {omni.ANNOTATION_CLUSTER_LOCKED: ""} if self.spec.locked else {}
        return self._resource(
            omni.CLUSTER, self.spec.name, message, self.spec.labels, {**(self.spec.annotations or {}), **lock}
        )

    def _patches(
        self, patches: Sequence[Patch] | None, weight: int, scope: str, target: Mapping[str, str]
    ) -> Iterator[Resource]:
        for index, patch in enumerate(patches or ()):
            described = {omni.ANNOTATION_DESCRIPTION: patch.description} if patch.description else {}
            yield self._resource(
                omni.CONFIG_PATCH,
                patch_id(patch, index, weight, scope),
                specs_pb2.ConfigPatchSpec(data=patch_text(patch.inline)),
                {**(patch.labels or {}), omni.LABEL_CLUSTER: self.spec.name, **target},
                {omni.ANNOTATION_NAME: patch.name or "", **described, **(patch.annotations or {})},
            )

    def _component(self, component: ComponentPatch) -> Resource:
        labels = {omni.LABEL_CLUSTER: self.spec.name}
        if component.control_plane_only:
            labels[omni.LABEL_MACHINE_SET] = self.spec.control_plane.id(self.spec.name)
        return self._resource(
            omni.CONFIG_PATCH,
            component_id(self.spec.name, component.field),
            specs_pb2.ConfigPatchSpec(data=component.text),
            labels,
            {omni.ANNOTATION_NAME: component.name, ANNOTATION_COMPONENT: component.annotation},
        )

    def _extensions(
        self, extensions: Sequence[str] | None, scope: str, target: Mapping[str, str]
    ) -> Iterator[Resource]:
        if extensions is not None:
            yield self._resource(
                omni.EXTENSIONS_CONFIGURATION,
                f"schematic-{scope}",
                specs_pb2.ExtensionsConfigurationSpec(extensions=extensions),
                {omni.LABEL_CLUSTER: self.spec.name, **target},
            )

    def _manifest(self, manifest: Manifest, resource_id: str) -> Resource:
        modes = specs_pb2.KubernetesManifestGroupSpec
        message = specs_pb2.KubernetesManifestGroupSpec(
            data=patch_text(manifest.inline), mode=modes.ONE_TIME if manifest.mode == "one-time" else modes.FULL
        )
        labels = {**(manifest.labels or {}), omni.LABEL_CLUSTER: self.spec.name}
        annotations = {omni.ANNOTATION_NAME: manifest.name or "", **(manifest.annotations or {})}
        return self._resource(omni.KUBERNETES_MANIFEST_GROUP, resource_id, message, labels, annotations)

    def _health_check(self, check: HealthCheck, resource_id: str) -> Resource:
        message = specs_pb2.KubernetesHealthCheckSpec(job=patch_text(check.job))
        if check.interval is not None:
            message.interval.FromTimedelta(duration(check.interval))
        labels = {**(check.labels or {}), omni.LABEL_CLUSTER: self.spec.name}
        return self._resource(omni.KUBERNETES_HEALTH_CHECK, resource_id, message, labels, check.annotations)

    def _machine_set(self, machine_set: MachineSet) -> Iterator[Resource]:
        set_id = machine_set.id(self.spec.name)
        role = omni.LABEL_CONTROL_PLANE if isinstance(machine_set, ControlPlane) else omni.LABEL_WORKER
        labels = {omni.LABEL_CLUSTER: self.spec.name, role: ""}
        message = machine_set_spec(machine_set, bootstrapped=self.bootstrapped)
        own_labels = {**(machine_set.labels or {}), **labels}
        yield self._resource(omni.MACHINE_SET, set_id, message, own_labels, machine_set.annotations)
        for machine_id in self.assignment.sets.get(set_id, ()):
            machine = self.spec.machines.get(machine_id)
            yield self._node(machine_id, machine, {**labels, omni.LABEL_MACHINE_SET: set_id})
            if machine is None:
                yield from self._kernel_args(machine_id, machine_set)
        target = {omni.LABEL_MACHINE_SET: set_id}
        yield from self._patches(machine_set.patches, SET_WEIGHT, set_id, target)
        yield from self._extensions(machine_set.system_extensions, set_id, target)

    def _node(self, machine_id: str, machine: Machine | None, labels: Mapping[str, str]) -> Resource:
        own_labels = (machine.labels if machine else None) or {}
        annotations = (machine.annotations if machine else None) or {}
        lock = {omni.ANNOTATION_LOCKED: ""} if machine and machine.locked else {}
        return self._resource(
            omni.MACHINE_SET_NODE,
            machine_id,
            specs_pb2.MachineSetNodeSpec(),
            {**own_labels, **labels},
            {**annotations, **lock},
        )

    def _kernel_args(self, machine_id: str, machine_set: MachineSet) -> Iterator[Resource]:
        args = self.spec.kernel_args_of(machine_id, machine_set)
        if args is not None:
            yield self._resource(omni.KERNEL_ARGS, machine_id, specs_pb2.KernelArgsSpec(args=args))

    def _machine(self, machine_id: str, machine: Machine) -> Iterator[Resource]:
        target = {omni.LABEL_CLUSTER_MACHINE: machine_id}
        if machine.install is not None:
            yield self._install_disk(machine_id, machine.install, target)
        yield from self._patches(machine.patches, MACHINE_WEIGHT, f"cm-{machine_id}", target)
        yield from self._extensions(machine.system_extensions, machine_id, target)

    def _install_disk(self, machine_id: str, install: Install, target: Mapping[str, str]) -> Resource:
        if self.api_version >= INSTALL_DISK_API:
            config = specs_pb2.MachineInstallDiskConfigSpec(
                disk=install.disk or "", disk_selector=install.disk_selector or ""
            )
            return self._resource(omni.MACHINE_INSTALL_DISK_CONFIG, machine_id, config)
        return self._resource(
            omni.CONFIG_PATCH,
            f"000-cm-{machine_id}-{INSTALL_DISK}",
            specs_pb2.ConfigPatchSpec(data=patch_text({"machine": {"install": {"disk": install.disk or ""}}})),
            {omni.LABEL_CLUSTER: self.spec.name, **target, omni.LABEL_SYSTEM_PATCH: ""},
            {omni.ANNOTATION_NAME: INSTALL_DISK},
        )


def machine_set_spec(machine_set: MachineSet, *, bootstrapped: bool) -> specs_pb2.MachineSetSpec:
    """What Omni is told about a set."""
    message = specs_pb2.MachineSetSpec(update_strategy=specs_pb2.MachineSetSpec.Rolling)
    _set_strategy(message, "upgrade", machine_set.upgrade_strategy)
    if isinstance(machine_set, Workers):
        _set_strategy(message, "update", machine_set.update_strategy)
        _set_strategy(message, "delete", machine_set.delete_strategy)
        if message.delete_strategy and not message.HasField("delete_strategy_config"):
            message.delete_strategy_config.rolling.max_parallelism = 1  # Omni takes no bound for no limit
    elif isinstance(machine_set, ControlPlane) and machine_set.bootstrap_spec and not bootstrapped:
        message.bootstrap_spec.cluster_uuid = machine_set.bootstrap_spec.cluster_uuid
        message.bootstrap_spec.snapshot = machine_set.bootstrap_spec.snapshot
    if machine_set.machine_class:
        allocation = specs_pb2.MachineSetSpec.MachineAllocation
        unlimited = machine_set.machine_class.size == "unlimited"
        message.machine_allocation.name = machine_set.machine_class.name
        message.machine_allocation.allocation_type = allocation.Unlimited if unlimited else allocation.Static
        if not unlimited:
            message.machine_allocation.machine_count = int(machine_set.machine_class.size)
    return message


def _set_strategy(message: specs_pb2.MachineSetSpec, name: str, strategy: Strategy | None) -> None:
    if strategy is None:
        return
    if strategy.type is not None:
        setattr(message, f"{name}_strategy", specs_pb2.MachineSetSpec.UpdateStrategy.Value(strategy.type))
    if strategy.rolling is not None:
        getattr(message, f"{name}_strategy_config").rolling.max_parallelism = strategy.rolling.max_parallelism
