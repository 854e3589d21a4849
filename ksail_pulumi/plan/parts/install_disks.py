"""The disk that Talos is installed on, machine by machine: a resource of its own, and a patch in older Omnis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from ksail_pulumi.goyaml.loaders import load
from ksail_pulumi.model.cluster import Install
from ksail_pulumi.model.patches import patch_text, sets_field
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.parts.asked import owned
from ksail_pulumi.plan.parts.live import as_found
from ksail_pulumi.plan.parts.part import Part
from ksail_pulumi.plan.scopes import Scope, scope_of
from ksail_pulumi.plan.snapshot import INSTALL_DISK_API
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ksail_pulumi.model.cluster import Patch
    from ksail_pulumi.plan.ownership import OwnershipMark
    from ksail_pulumi.plan.parts.asked import Asked
    from ksail_pulumi.plan.parts.live import Draft, Live
    from ksail_pulumi.plan.parts.part import Situation
    from ksail_pulumi.problems import FieldPath

_PATCH_NAME = "install-disk"


def desired(asked: Asked) -> Iterator[Resource]:
    for machine, described in asked.machines.items():
        if described.install is not None:
            scope = Scope(omni.LABEL_CLUSTER_MACHINE, machine)
            yield install_disk(asked.mark, scope, described.install, asked.api_version, asked.label)


def install_disk(
    mark: OwnershipMark,
    scope: Scope,
    install: Install,
    api_version: int,
    labels: Mapping[str, str] | None = None,
) -> Resource:
    """The install disk of a machine; `labels` are those of its cluster, which only a patch has."""
    disk, selector = install.disk or "", install.disk_selector or ""
    if api_version >= INSTALL_DISK_API:
        config = specs_pb2.MachineInstallDiskConfigSpec(disk=disk, disk_selector=selector)
        return owned(mark, Resource(omni.MACHINE_INSTALL_DISK_CONFIG, scope.target, config))
    patch = Resource(
        omni.CONFIG_PATCH,
        f"000-{scope.infix()}-{_PATCH_NAME}",
        specs_pb2.ConfigPatchSpec(data=patch_text({"machine": {"install": {"disk": disk}}})),
        {**(labels or {}), **scope.labels, omni.LABEL_SYSTEM_PATCH: ""},
        {omni.ANNOTATION_NAME: _PATCH_NAME},
    )
    return owned(mark, patch)


def observe(live: Live, draft: Draft) -> None:
    for each in live.of(omni.CONFIG_PATCH):
        if is_install_patch(each):
            draft.at(scope_of(each))["install"] = observed_disk(each)
    for each in live.of(omni.MACHINE_INSTALL_DISK_CONFIG):
        draft.at(Scope(omni.LABEL_CLUSTER_MACHINE, each.id))["install"] = observed_disk(each)


def is_install_patch(patch: Resource) -> bool:
    """Whether a patch is the install disk of a machine in an older Omni."""
    return omni.LABEL_SYSTEM_PATCH in patch.labels and patch.annotations.get(omni.ANNOTATION_NAME) == _PATCH_NAME


def observed_disk(current: Resource) -> Install:
    """The input that an install disk stands for."""
    if current.type == omni.CONFIG_PATCH:
        return as_found(Install, disk=_patched_disk(current.spec.data))
    selector = current.spec.disk_selector or None
    return as_found(Install, disk=None if selector else current.spec.disk, disk_selector=selector)


def _patched_disk(text: str) -> str:
    try:
        return str(load(text)["machine"]["install"]["disk"])
    except (yaml.YAMLError, ValueError, TypeError, KeyError):
        return ""


def rules(situation: Situation) -> Iterator[Problem]:
    spec, system = situation.spec, situation.snapshot.sys_version
    for machine, described in spec.machines.items():
        yield from unsupported(("machines", machine, "install"), described.install, system)
    for path, scope in spec.scopes():
        yield from patched_disks((*path, "patches"), scope.patches, system, instead="machines.<id>.install")


def unsupported(path: FieldPath, install: Install | None, system: Resource | None) -> Iterator[Problem]:
    """Refuse a disk selector if Omni is too old for it; nothing if its version is not known."""
    if system is None or system.spec.backend_api_version >= INSTALL_DISK_API or install is None:
        return
    if install.disk_selector:
        reason = (
            f"this Omni ({system.spec.backend_version}) does not support disk selectors, which need API version "
            f"{INSTALL_DISK_API}: name the disk with {path[-1]}.disk"
        )
        yield Problem((*path, "diskSelector"), reason)


def patched_disks(
    path: FieldPath, patches: Sequence[Patch] | None, system: Resource | None, *, instead: str
) -> Iterator[Problem]:
    """Refuse patches that set the install disk, as newer Omnis do; `instead` is the field for it."""
    if system is None or system.spec.backend_api_version < INSTALL_DISK_API:
        return
    for index, patch in enumerate(patches or ()):
        if sets_field(patch.inline, "machine.install.disk"):
            reason = f'overriding "machine.install.disk" is not allowed in the config patch: use {instead}'
            yield Problem((*path, index, "inline"), reason)


PART = Part(
    type=omni.MACHINE_INSTALL_DISK_CONFIG,
    nouns=("install disk", "install disks"),
    desired=desired,
    observe=observe,
    rules=rules,
    of_machine=True,
    late=True,
)
