"""Reads a KSail project, ksail.yaml and its folder of Talos patches, as the inputs of one `OmniCluster`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import ConfigFileError
from ksail_pulumi.formats.indentation import refuse_lost_indentation
from ksail_pulumi.formats.ksail import file as ksail_file
from ksail_pulumi.formats.ksail.addons import addons_of, without_approver
from ksail_pulumi.formats.ksail.expansion import empty, expand
from ksail_pulumi.formats.ksail.keys import as_ksail_reads
from ksail_pulumi.formats.ksail.patches import PATCH_FOLDER, TalosPatches, read_patches
from ksail_pulumi.formats.shape import combined, read_model
from ksail_pulumi.goyaml.read import Document, parse_documents, read_text
from ksail_pulumi.model.parse import InvalidCluster, parse_cluster
from ksail_pulumi.problems import field_path
from ksail_pulumi.redaction import no_variable, short

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.formats.ksail.file import KsailFile
    from ksail_pulumi.problems import FieldPath, Problem

DEFAULT_ENDPOINT_VARIABLE = "OMNI_ENDPOINT"
DEFAULT_KEY_VARIABLE = "OMNI_SERVICE_ACCOUNT_KEY"

_SCOPE_OF: Mapping[FieldPath, str] = {(): "cluster", ("controlPlane",): "control-planes", ("workers", 0): "workers"}

PLACEHOLDER = "<account>"
"""The placeholder for the account name in KSail's documentation, and so in copied files."""


@dataclass(frozen=True)
class KsailConfig:
    """The Omni cluster of a KSail project.

    Attributes:
        spec: The cluster as inputs on the wire. Without `name` where the file has none.
        endpoint: The URL of the Omni; `""`: from the stack or `OMNI_ENDPOINT`.
        endpoint_env_var: The variable with the endpoint.
        service_account_key_env_var: The variable with the key; `""` for the default one.
        warnings: Warnings, each a whole sentence.
    """

    spec: Mapping[str, Any] = field(repr=False)
    endpoint: str = ""
    endpoint_env_var: str = DEFAULT_ENDPOINT_VARIABLE
    service_account_key_env_var: str = ""
    warnings: tuple[str, ...] = field(default=())


def load_ksail(path: str | os.PathLike[str] = "ksail.yaml", environ: Mapping[str, str] | None = None) -> KsailConfig:
    """Read a ksail.yaml and its patches.

    As in KSail, the variable with the endpoint takes precedence over the file.

    Args:
        path: The file.
        environ: The environment variables; default: those of the process.

    Raises:
        ConfigFileError: A file is missing or not valid; names file, line and field.
    """
    environ = os.environ if environ is None else environ
    name = os.fspath(path)
    text = read_text(Path(path), name)
    refuse_lost_indentation(text, name, [ksail_file.KsailFile])
    documents = parse_documents(text, name)
    if len(documents) != 1:
        raise ConfigFileError(name, 0, "", f"expected one document, not {len(documents)}")
    return _Reader(documents[0], environ).config()


@dataclass(frozen=True)
class _Places:
    """The origin of an input."""

    document: Document
    omni: tuple[str, ...]
    patches: TalosPatches
    control_planes: int

    def error(self, problem: Problem) -> ConfigFileError:
        """The problem with the file, line and field that the user wrote."""
        for scope, patches in _SCOPE_OF.items():
            if problem.path[: len(scope)] != scope:
                continue
            match problem.path[len(scope) :]:
                case ("patches", int() as index, *_):
                    return ConfigFileError(self.patches.files[patches][index], 0, "", problem.reason)
                case ("machines", int() as index):
                    position = index + (0 if patches == "control-planes" else self.control_planes)
                    return self.document.error((*self.omni, "machines", position), problem.reason)
        return self.document.error(self._field(problem.path), problem.reason)

    def _field(self, path: FieldPath) -> tuple[str, ...]:
        if "machineClass" in path:
            return (*self.omni, "machineClass")
        name = str(path[-1]) if path else ""
        if name == "kubernetesVersion" and name not in self.document.node(self.omni).children:
            return ("spec", "cluster", name)
        if name.endswith("Version") or name in ("endpoint", "serviceAccountKeyEnvVar"):
            return (*self.omni, name)
        return ("metadata", "name") if name == "name" else ()


class _Reader:
    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.document, self.warnings = as_ksail_reads(document, ksail_file.KsailFile)
        file = read_model(self.document, ksail_file.KsailFile)
        self.file: KsailFile = file
        spec = file.spec or ksail_file.Spec()
        self.cluster = spec.cluster or ksail_file.Cluster()
        self.provider = spec.provider or ksail_file.Provider()
        self.old_place = "omni" in self.cluster.model_fields_set
        self.warnings += self._unused_fields()
        connection = self.cluster.connection or ksail_file.Connection()
        self.context = self._expanded(connection.context or "")
        self.kubeconfig = self._kubeconfig_file(connection.kubeconfig or "")

    def config(self) -> KsailConfig:
        omni, place = self._omni()
        control_planes, workers = self._counts()
        spec: dict[str, Any] = {}
        if name := self._name():
            spec["name"] = name
        if omni.talos_version:
            spec["talosVersion"] = omni.talos_version
        if kubernetes := omni.kubernetes_version or self.cluster.kubernetes_version:
            spec["kubernetesVersion"] = kubernetes
        spec["controlPlane"], worker_set = self._machine_sets(omni, place, control_planes, workers)
        patches = self._patches(workers)
        if kubeconfig := self._kubeconfig():
            spec["kubeconfig"] = kubeconfig
        if addons := addons_of(self.cluster):
            spec["addons"] = addons
        if "metricsServer" in addons:
            without_approver(patches)
        if patches.scopes["cluster"]:
            spec["patches"] = patches.scopes["cluster"]
        if patches.scopes["control-planes"]:
            spec["controlPlane"]["patches"] = patches.scopes["control-planes"]
        if workers:
            if patches.scopes["workers"]:
                worker_set["patches"] = patches.scopes["workers"]
            spec["workers"] = [worker_set]
        endpoint_variable = omni.endpoint_env_var or DEFAULT_ENDPOINT_VARIABLE
        if (reason := no_variable(endpoint_variable)) is not None:
            raise self.document.error((*place, "endpointEnvVar"), reason)
        endpoint = self._endpoint(omni, place, endpoint_variable)
        key_variable = omni.service_account_key_env_var or DEFAULT_KEY_VARIABLE
        access = {"endpoint": endpoint, "serviceAccountKeyEnvVar": key_variable}
        self._check({**spec, **access}, place, patches, control_planes)
        return KsailConfig(
            spec=spec,
            endpoint=endpoint,
            endpoint_env_var=endpoint_variable,
            service_account_key_env_var="" if key_variable == DEFAULT_KEY_VARIABLE else key_variable,
            warnings=(*self.warnings, *patches.warnings),
        )

    def _check(
        self, spec: Mapping[str, Any], place: tuple[str, ...], patches: TalosPatches, control_planes: int
    ) -> None:
        """Validate the inputs against the model of a cluster; problems refer to the original file and line."""
        try:
            parse_cluster({"name": "any", **spec})
        except InvalidCluster as error:
            places = _Places(self.document, place, patches, control_planes)
            raise combined([places.error(problem) for problem in error.problems]) from None

    def _unused_fields(self) -> list[str]:
        unused = ksail_file.unused_fields(self.file)
        idle = ", ".join(field_path(field) for field, what in unused if not what)
        return [
            *([f"{self.document.path}: has no effect on a cluster in Omni: {idle}"] if idle else []),
            *(self._unused(field, what) for field, what in unused if what),
        ]

    def _unused(self, field: tuple[str, ...], what: str) -> str:
        line = self.document.node(field).line
        return f"{self.document.path}:{line}: {field_path(field)} is not used: {what}"

    def _name(self) -> str:
        """The cluster's name by KSail's rule: that in the file, else that in the context."""
        if self.file.metadata and self.file.metadata.name:
            return self.file.metadata.name
        return self.context.removeprefix("admin@")

    def _kubeconfig(self) -> dict[str, str]:
        """The context that `up` keeps in a kubeconfig file, if the file names one of the two."""
        file = self.kubeconfig
        if file and not file.startswith("~"):
            file = os.fspath(Path(self.document.path).parent / file)
        given = {"context": self.context, "file": file}
        return {option: value for option, value in given.items() if value}

    def _kubeconfig_file(self, text: str) -> str:
        # `up` would write another file: `${NAME}/config` would be `/config`.
        for name in empty(text, self.environ):
            field = ("spec", "cluster", "connection", "kubeconfig")
            raise self.document.error(field, "environment variable {name} is not set or empty", name=name)
        return self._expanded(text)

    def _expanded(self, text: str) -> str:
        expanded, missing = expand(text, self.environ)
        unset = dict.fromkeys(each.name for each in missing)
        self.warnings += [f"{self.document.path}: environment variable {name} is not set" for name in unset]
        return expanded

    def _omni(self) -> tuple[ksail_file.Omni, tuple[str, ...]]:
        """The Omni part and its path, from its current or former place."""
        old, new = self.cluster.omni, self.provider.omni
        if old and new:
            reason = "spec.cluster.omni and spec.provider.omni are both set: keep only spec.provider.omni"
            raise self.document.error(("spec", "cluster", "omni"), reason)
        if self.old_place:
            return old or ksail_file.Omni(), ("spec", "cluster", "omni")
        return new or ksail_file.Omni(), ("spec", "provider", "omni")

    def _counts(self) -> tuple[int, int]:
        control_planes = self._count("control_planes", "controlPlanes")
        workers = self._count("workers", "workers")
        # For KSail, 0 control planes means the default.
        return control_planes or 1, workers or 0

    def _count(self, attribute: str, name: str) -> int | None:
        value: int | None = getattr(self.cluster, attribute)
        old: int | None = getattr(self.cluster.talos, attribute) if self.cluster.talos else None
        if old is None:
            return value
        if value is not None and value != old:
            reason = (
                f"spec.cluster.talos.{name}={old} conflicts with spec.cluster.{name}={value} "
                f"(set only spec.cluster.{name})"
            )
            raise self.document.error(("spec", "cluster", "talos", name), reason)
        # With spec.cluster.omni this was the only place for the counts, so there is no warning.
        if not self.old_place:
            self.warnings.append(
                f"{self.document.path}: spec.cluster.talos.{name} is deprecated; use spec.cluster.{name}."
            )
        return old

    def _machine_sets(
        self, omni: ksail_file.Omni, place: tuple[str, ...], control_planes: int, workers: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Control plane and workers, with the source of their machines."""
        if omni.machine_class and omni.machines:
            reason = "MachineClass and Machines are mutually exclusive (set one or the other)"
            raise self.document.error((*place, "machines"), reason)
        if omni.machine_class:
            sizes = (control_planes, workers)
            return tuple({"machineClass": {"name": omni.machine_class, "size": size}} for size in sizes)  # type: ignore[return-value]
        if omni.machines:
            machines = self._machines(omni.machines, place, control_planes, workers)
            return {"machines": machines[:control_planes]}, {"machines": machines[control_planes:]}
        return {"count": control_planes}, {"count": workers}

    def _machines(self, machines: list[str], place: tuple[str, ...], control_planes: int, workers: int) -> list[str]:
        needed = control_planes + workers
        seen: set[str] = set()
        for index, machine in enumerate(machines):
            if machine in seen:
                raise self.document.error((*place, "machines", index), "machine {id} is listed twice", id=machine)
            seen.add(machine)
        if len(machines) < needed:
            reason = (
                "not enough machines for the requested control plane and worker node counts: "
                f"need {needed} (controlPlanes={control_planes} + workers={workers}), got {len(machines)}"
            )
            raise self.document.error((*place, "machines"), reason)
        if spare := machines[needed:]:
            self.warnings.append(
                f"{self.document.path}: machines beyond the node counts are not used: {', '.join(spare)}"
            )
        return machines[:needed]

    def _patches(self, workers: int) -> TalosPatches:
        shown = self._expanded(self.cluster.distribution_config or PATCH_FOLDER)
        folder = Path(self.document.path).parent / shown
        try:
            if folder.is_dir():
                return read_patches(folder, os.fspath(folder), self.environ)
        except OSError as error:
            reason = f"cannot read the folder {short(shown)}: {error.strerror}"
            raise self.document.error(("spec", "cluster", "distributionConfig"), reason) from None
        if self.cluster.distribution_config:
            raise self.document.error(("spec", "cluster", "distributionConfig"), f"folder {short(shown)} not found")
        patches = TalosPatches()
        if not workers:
            # Without a folder of patches, KSail allows workloads on the control plane of a cluster without workers.
            text = "cluster:\n  allowSchedulingOnControlPlanes: true\n"
            patches.scopes["cluster"].append({"name": "allow-scheduling-on-control-planes", "inline": text})
        return patches

    def _endpoint(self, omni: ksail_file.Omni, place: tuple[str, ...], variable: str) -> str:
        if self.environ.get(variable):
            return "" if variable == DEFAULT_ENDPOINT_VARIABLE else self.environ[variable]
        if PLACEHOLDER in (omni.endpoint or ""):
            line = self.document.node((*place, "endpoint")).line
            self.warnings.append(
                f"{self.document.path}:{line}: {field_path((*place, 'endpoint'))} still contains the placeholder "
                f"{PLACEHOLDER}: replace it with the name of your Omni account, or set {variable}"
            )
            return ""
        return omni.endpoint or ""
