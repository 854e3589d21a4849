"""The desired configuration of a machine: versions, patches, extensions and kernel arguments."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from ksail_pulumi.omni.resources import (
    CLUSTER,
    CONFIG_PATCH,
    EXTENSIONS_CONFIGURATION,
    KERNEL_ARGS,
    LABEL_CONTROL_PLANE,
    LABEL_MACHINE_SET,
    Resource,
)
from ksail_pulumi.simulator.controllers.engine import Runtime
from ksail_pulumi.simulator.machines import EmulatedMachine, MachineConfig, Schematic

CONTROL_PLANE_COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
KUBELET = "kubelet"
LABEL_DISABLED = "omni.sidero.dev/disabled"
_IMAGE = re.compile(r"image: \S+/(kube-apiserver|kube-controller-manager|kube-scheduler|kubelet):v(\S+)")


def desired_config(runtime: Runtime, member: Resource, machine: EmulatedMachine) -> MachineConfig | None:
    """The configuration of a ClusterMachine; None if its cluster is gone."""
    cluster = runtime.find(CLUSTER, member.cluster)
    if cluster is None:
        return None
    machine_set = member.labels.get(LABEL_MACHINE_SET, "")
    patches = [
        patch
        for layer in runtime.scopes.layers(CONFIG_PATCH, cluster.id, machine_set, machine.id)
        for patch in layer
        if LABEL_DISABLED not in patch.labels
    ]
    schematic = desired_schematic(runtime, cluster.id, machine_set, machine)
    sources = (
        member.created,
        LABEL_CONTROL_PLANE in member.labels,
        member.spec.kubernetes_version,
        cluster.id,
        cluster.created,
        cluster.spec.SerializeToString(deterministic=True),
        schematic,
        tuple((patch.id, patch.version, patch.created) for patch in patches),
    )
    known = runtime.configs.get(machine.id)
    if known is None or known[0] != sources:
        known = (sources, _assemble(cluster, member, schematic, patches))
        runtime.configs[machine.id] = known
    return known[1]


def _assemble(cluster: Resource, member: Resource, schematic: Schematic, patches: Sequence[Resource]) -> MachineConfig:
    control_plane = LABEL_CONTROL_PLANE in member.labels
    names = (*CONTROL_PLANE_COMPONENTS, KUBELET) if control_plane else (KUBELET,)
    components = dict.fromkeys(names, member.spec.kubernetes_version)
    components |= _images(patches, components)
    content = (
        cluster.id,
        cluster.created,
        control_plane,
        cluster.spec.talos_version,
        schematic.id,
        sorted(components.items()),
        cluster.spec.features.SerializeToString(deterministic=True),
        [(patch.spec.data, patch.spec.compressed_data) for patch in patches],
    )
    digest = hashlib.sha256(repr(content).encode()).hexdigest()
    return MachineConfig(digest, cluster.id, control_plane, cluster.spec.talos_version, schematic, components)


def desired_schematic(runtime: Runtime, cluster: str, machine_set: str, machine: EmulatedMachine) -> Schematic:
    """The schematic of the machine's Talos image.

    The most specific list of extensions applies; without a list the machine keeps the extensions it booted with.
    """
    layers = runtime.scopes.layers(EXTENSIONS_CONFIGURATION, cluster, machine_set, machine.id)
    lists = [item.spec.extensions for layer in layers for item in layer]
    extensions: Sequence[str] = lists[-1] if lists else machine.setup.extensions
    arguments = runtime.find(KERNEL_ARGS, machine.id)
    kernel_args = () if arguments is None or arguments.tearing_down else tuple(arguments.spec.args)
    return Schematic(tuple(sorted(official(name) for name in extensions)), kernel_args)


def official(extension: str) -> str:
    """The full name of a system extension; names without an owner are Sidero's."""
    return extension if "/" in extension else f"siderolabs/{extension}"


def _images(patches: Sequence[Resource], components: dict[str, str]) -> dict[str, str]:
    """The versions of Kubernetes components that patches set, such as Omni's own upgrade patches."""
    found: dict[str, str] = {}
    for patch in patches:
        found.update(_IMAGE.findall(patch.spec.data))
    return {name: version for name, version in found.items() if name in components}
