"""Writes the inputs of a cluster as a KSail project, as far as ksail.yaml can express them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import InputError
from ksail_pulumi.formats.ksail.addons import fields_of
from ksail_pulumi.formats.ksail.file import check_name
from ksail_pulumi.formats.ksail.patches import NOT_FOR_OMNI, PATCH_FOLDER, SCOPES
from ksail_pulumi.goyaml.write import InOrder, encode
from ksail_pulumi.model.patches import patch_text
from ksail_pulumi.problems import field_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

KSAIL_YAML = "ksail.yaml"

_SAID = ("name", "kubernetesVersion", "talosVersion", "controlPlane", "workers", "machines", "patches", "addons")
_SAID_OF_SETS = ("name", "count", "machines", "machineClass", "patches")
_SAID_OF_PATCHES = ("name", "inline")
_REFERENCE = re.compile(r"\$\{[a-zA-Z_]")


@dataclass
class KsailProject:
    """A KSail project.

    Attributes:
        files: The files by path; `KSAIL_YAML` is the first.
        unsaid: What the files do not contain, or contain in another form, each a whole sentence.
    """

    files: dict[str, str] = field(default_factory=dict)
    unsaid: list[str] = field(default_factory=list)


def ksail_project(inputs: Mapping[str, Any], endpoint: str) -> KsailProject:
    """The KSail project of a cluster that was read from Omni.

    Args:
        inputs: The cluster on the wire, with its versions, and with its machines by ID or class.
        endpoint: URL of its Omni.

    Raises:
        InputError: KSail does not accept the cluster name.
    """
    try:
        check_name(inputs["name"])
    except ValueError as error:
        raise InputError("name", str(error)) from None
    return _Writer(inputs, endpoint).project()


class _Writer:
    def __init__(self, inputs: Mapping[str, Any], endpoint: str) -> None:
        self.inputs = inputs
        self.endpoint = endpoint
        self.result = KsailProject()

    def project(self) -> KsailProject:
        control_plane: Mapping[str, Any] = self.inputs.get("controlPlane") or {}
        place, workers = self._workers()
        counts, omni = self._members(control_plane, workers)
        addons, not_said = fields_of(self.inputs.get("addons") or {})
        cluster = InOrder(distribution="Talos", provider="Omni", **counts, **addons)
        omni = InOrder(
            endpoint=self.endpoint,
            talosVersion=self.inputs["talosVersion"],
            kubernetesVersion=self.inputs["kubernetesVersion"],
            **omni,
        )
        self.result.files[KSAIL_YAML] = encode(
            InOrder(
                apiVersion="ksail.io/v1alpha1",
                kind="Cluster",
                metadata={"name": self.inputs["name"]},
                spec=InOrder(cluster=cluster, provider={"omni": omni}),
            )
        )
        self._leave_out("", self.inputs, _SAID)
        self._leave_out("", not_said, ())
        self._leave_out("controlPlane.", control_plane, _SAID_OF_SETS)
        self._leave_out(place, workers, _SAID_OF_SETS)
        for machine, described in (self.inputs.get("machines") or {}).items():
            self._leave_out(field_path(["machines", machine]) + ".", described, ())
        scopes = (("", self.inputs), ("controlPlane.", control_plane), (place, workers))
        for scope, (prefix, described) in zip(SCOPES, scopes, strict=True):
            self._patches(scope, prefix, described.get("patches") or ())
        if len(self.result.files) == 1:
            # Without the folder KSail adds its own patch to a cluster without workers.
            self.result.files[f"{PATCH_FOLDER}/{SCOPES[0]}/.gitkeep"] = ""
        return self.result

    def _workers(self) -> tuple[str, Mapping[str, Any]]:
        """The set of workers that KSail supports, with its index in the inputs; empty if there is none."""
        found: tuple[str, Mapping[str, Any]] = "", {}
        for index, each in enumerate(self.inputs.get("workers") or ()):
            if "name" in each:
                self._say(f'workers[{index}] ("{each["name"]}") is left out: KSail has only the default set of workers')
            else:
                found = f"workers[{index}].", each
        return found

    def _members(
        self, control_plane: Mapping[str, Any], workers: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The node counts and machines: KSail has one list or one class for both roles."""
        sets = [each for each in (control_plane, workers) if each]
        classes = [each.get("machineClass") for each in sets]
        names = {each["name"] for each in classes if each}
        numbers = [each["size"] for each in classes if each]
        counts = {"controlPlanes": _size(control_plane), "workers": _size(workers)}
        if not names:
            machines = [machine for each in sets for machine in each.get("machines") or ()]
            return counts, {"machines": machines} if machines else {}
        if len(names) == 1 and all(classes) and "unlimited" not in numbers:
            return counts, {"machineClass": names.pop()}
        self._say(
            "the machines of the cluster are left out: ksail.yaml supports one list of machines, or one machine class "
            "of a fixed size, for control plane and workers together"
        )
        return counts, {}

    def _patches(self, scope: str, prefix: str, patches: Iterable[Mapping[str, Any]]) -> None:
        names = []
        texts = []
        for index, patch in enumerate(patches):
            place = f"{prefix}patches[{index}]"
            text = patch_text(patch["inline"])
            if _REFERENCE.search(text):
                self._say(f"{place} contains ${{…}}: KSail would replace it with an environment variable")
            self._leave_out(f"{place}.", patch, _SAID_OF_PATCHES)
            names.append(_file_stem(patch.get("name") or patch.get("idOverride") or "patch"))
            texts.append(text)
        files = [f"{name}.yaml" for name in names]
        if sorted(set(files)) != files:
            # KSail applies patches in the order of their file names.
            names = [f"{index:02d}-{name}" for index, name in enumerate(names)]
        for index, (name, text, patch) in enumerate(zip(names, texts, patches, strict=True)):
            if name != patch.get("name"):
                self._say(f"{prefix}patches[{index}] is renamed to {name}")
            self.result.files[f"{PATCH_FOLDER}/{scope}/{name}.yaml"] = text

    def _leave_out(self, prefix: str, described: Iterable[str], said: Sequence[str]) -> None:
        for name in described:
            if name not in said:
                self._say(f"{prefix}{name} is left out: ksail.yaml has no field for it")

    def _say(self, sentence: str) -> None:
        self.result.unsaid.append(sentence)


def _size(machine_set: Mapping[str, Any]) -> int:
    machine_class = machine_set.get("machineClass")
    if machine_class:
        return machine_class["size"] if isinstance(machine_class["size"], int) else 1
    return len(machine_set.get("machines") or ())


def _file_stem(name: str) -> str:
    """A valid file name: in the folder, not hidden, and not one that KSail does not send to Omni."""
    stem = PurePosixPath(re.sub(r"[^\w.-]", "-", name)).name.lstrip(".").removesuffix(".yaml").removesuffix(".yml")
    return f"{stem}-patch" if not stem or f"{stem}.yaml" in NOT_FOR_OMNI else stem
