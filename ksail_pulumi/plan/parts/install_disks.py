"""The disk that Talos is installed on, machine by machine: a resource of its own, and a patch in older Omnis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from ksail_pulumi.goyaml.loaders import load
from ksail_pulumi.model.cluster import Install
from ksail_pulumi.model.patches import patch_text, sets_field
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.plan.parts.live import as_found
from ksail_pulumi.plan.parts.part import Part
from ksail_pulumi.plan.scopes import Scope, scope_of
from ksail_pulumi.plan.snapshot import INSTALL_DISK_API
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.parts.asked import Asked
    from ksail_pulumi.plan.parts.live import Draft, Live
    from ksail_pulumi.plan.parts.part import Situation

_PATCH_NAME = "install-disk"


def desired(asked: Asked) -> Iterator[Resource]:
    for machine, described in asked.machines.items():
        if described.install is None:
            continue
        disk, selector = described.install.disk or "", described.install.disk_selector or ""
        if asked.api_version >= INSTALL_DISK_API:
            config = specs_pb2.MachineInstallDiskConfigSpec(disk=disk, disk_selector=selector)
            yield asked.resource(omni.MACHINE_INSTALL_DISK_CONFIG, machine, config)
        else:
            scope = Scope(omni.LABEL_CLUSTER_MACHINE, machine)
            yield asked.resource(
                omni.CONFIG_PATCH,
                f"000-{scope.infix('')}-{_PATCH_NAME}",
                specs_pb2.ConfigPatchSpec(data=patch_text({"machine": {"install": {"disk": disk}}})),
                {**asked.label, **scope.labels, omni.LABEL_SYSTEM_PATCH: ""},
                {omni.ANNOTATION_NAME: _PATCH_NAME},
            )


def observe(live: Live, draft: Draft) -> None:
    for each in live.of(omni.CONFIG_PATCH):
        if omni.LABEL_SYSTEM_PATCH in each.labels and each.annotations.get(omni.ANNOTATION_NAME) == _PATCH_NAME:
            draft.at(scope_of(each))["install"] = as_found(Install, disk=_patched_disk(each.spec.data))
    for each in live.of(omni.MACHINE_INSTALL_DISK_CONFIG):
        selector = each.spec.disk_selector or None
        disk = None if selector else each.spec.disk
        install = as_found(Install, disk=disk, disk_selector=selector)
        draft.at(Scope(omni.LABEL_CLUSTER_MACHINE, each.id))["install"] = install


def _patched_disk(text: str) -> str:
    try:
        return str(load(text)["machine"]["install"]["disk"])
    except (yaml.YAMLError, ValueError, TypeError, KeyError):
        return ""


def rules(situation: Situation) -> Iterator[Problem]:
    spec, snapshot = situation.spec, situation.snapshot
    if snapshot.sys_version is None:
        return
    if snapshot.api_version < INSTALL_DISK_API:
        for machine, described in spec.machines.items():
            if described.install is not None and described.install.disk_selector:
                version = snapshot.sys_version.spec.backend_version
                reason = (
                    f"this Omni ({version}) does not support disk selectors, which need API version "
                    f"{INSTALL_DISK_API}: name the disk with install.disk"
                )
                yield Problem(("machines", machine, "install", "diskSelector"), reason)
        return
    for path, scope in spec.scopes():
        for index, patch in enumerate(scope.patches or ()):
            if sets_field(patch.inline, "machine.install.disk"):
                reason = (
                    'overriding "machine.install.disk" is not allowed in the config patch: use machines.<id>.install'
                )
                yield Problem((*path, "patches", index, "inline"), reason)


PART = Part(
    type=omni.MACHINE_INSTALL_DISK_CONFIG,
    nouns=("install disk", "install disks"),
    desired=desired,
    observe=observe,
    rules=rules,
    of_machine=True,
    late=True,
)
