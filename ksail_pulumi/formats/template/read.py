"""Reads omnictl's cluster templates as the inputs of one `OmniCluster`.

A template is a YAML file of several documents: one `Cluster`, one `ControlPlane`, any number of `Workers`, and a
`Machine` for each machine with its own settings. What omnictl refuses is refused here with the same texts, and with the
file, line and field of every mistake.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import ConfigFileError
from ksail_pulumi.formats.indentation import refuse_lost_indentation
from ksail_pulumi.formats.shape import combined, read_model
from ksail_pulumi.formats.template import file as template_file
from ksail_pulumi.formats.template.left import refuse_left, with_left
from ksail_pulumi.formats.template.source import TemplateSource
from ksail_pulumi.goyaml.read import parse_documents
from ksail_pulumi.model.durations import duration
from ksail_pulumi.model.parse import InvalidCluster, parse_cluster, to_wire

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ksail_pulumi.goyaml.read import Document
    from ksail_pulumi.problems import Problem

_LONGEST_NUMBER = 18

# Fields that have another place in the inputs.
_PLACES: dict[str, tuple[str, ...]] = {
    "kubernetesVersion": ("kubernetes", "version"),
    "talosVersion": ("talos", "version"),
    "manifests": ("kubernetes", "manifests"),
    "healthChecks": ("kubernetes", "healthchecks"),
    "backup": ("features", "backupConfiguration"),
}


def load_template(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a cluster template and its files, whose paths are relative to the template.

    Returns:
        The inputs of an `OmniCluster` on the wire. Patches from files are included as text.

    Raises:
        ConfigFileError: A file is missing or not valid; names file, line and field of every mistake.
    """
    return parse_template(TemplateSource.of_file(path))


def parse_template(source: TemplateSource) -> dict[str, Any]:
    """Like `load_template`, for a template from anywhere."""
    mistakes: list[ConfigFileError] = []
    parts: list[tuple[Document, Any]] = []
    for document in _documents(source):
        try:
            parts.append((document, _model(document)))
        except ConfigFileError as error:
            mistakes.append(error)
    if mistakes:
        raise _joined(mistakes)
    return _Template(source.name, parts).inputs(source.folder)


def _documents(source: TemplateSource) -> list[Document]:
    refuse_lost_indentation(source.text, source.name, template_file.KINDS.values())
    try:
        documents = parse_documents(source.text, source.name)
    except ConfigFileError as error:
        raise with_left(error, source.text) from None
    refuse_left(documents, source.name)
    return documents


def _model(document: Document) -> Any:
    """The model of a document, by its kind."""
    if not isinstance(document.value, dict):
        raise document.error((), "expected a mapping with the field kind")
    kind = document.value.get("kind")
    if kind is None:
        raise document.error((), "kind field not found")
    if not isinstance(kind, str) or kind not in template_file.KINDS:
        known = ", ".join(template_file.KINDS)
        raise document.error(("kind",), f"unknown model kind {{kind}}; known kinds: {known}", kind=kind)
    return read_model(document, template_file.KINDS[kind])


def _joined(mistakes: Sequence[ConfigFileError]) -> ConfigFileError:
    """One error for all mistakes, ordered by line."""
    lines: dict[str, ConfigFileError] = {}
    for mistake in sorted(mistakes, key=lambda each: each.line):
        lines.setdefault(str(mistake), mistake)
    return combined(list(lines.values()))


class _Template:
    def __init__(self, path: str, parts: Sequence[tuple[Document, Any]]) -> None:
        self.path = path
        self.clusters = [each for each in parts if isinstance(each[1], template_file.Cluster)]
        self.control_planes = [each for each in parts if isinstance(each[1], template_file.ControlPlane)]
        self.workers = [each for each in parts if isinstance(each[1], template_file.Workers)]
        self.machines = [each for each in parts if isinstance(each[1], template_file.Machine)]
        self.documents = {model.name: document for document, model in self.machines}

    def inputs(self, base: Path) -> dict[str, Any]:
        if missing := list(self._counts()):
            raise _joined(missing)
        mistakes = list(self._mistakes())
        try:
            spec = parse_cluster(self._wire(), base=base)
        except InvalidCluster as error:
            mistakes += [self._located(problem) for problem in error.problems]
        if mistakes:
            raise _joined(mistakes)
        return to_wire(spec)

    def _counts(self) -> Iterator[ConfigFileError]:
        for kind, found in (("cluster", self.clusters), ("controlplane", self.control_planes)):
            if len(found) != 1:
                reason = f"template should contain 1 {kind}, got {len(found)}"
                yield found[1][0].error(("kind",), reason) if found else ConfigFileError(self.path, 0, "", reason)

    def _mistakes(self) -> Iterator[ConfigFileError]:
        """The problems that are specific to templates."""
        document, cluster = self.clusters[0]
        if not cluster.kubernetes or not cluster.kubernetes.version:
            yield document.error(("kubernetes", "version"), "error validating Kubernetes version: version is required")
        talos = cluster.talos.version if cluster.talos else ""
        if not talos.startswith("v"):
            reason = "version should start with 'v'" if talos else "version is required"
            yield document.error(("talos", "version"), f"error validating Talos version: {reason}")
        used = {machine for _, model in (*self.control_planes, *self.workers) for machine in model.machines or ()}
        described = Counter(model.name for _, model in self.machines)
        for document, machine in self.machines:
            if not machine.name:
                yield document.error(("name",), "name is required for machine")
            elif described[machine.name] > 1:
                yield document.error(("name",), "machine {id} is described more than once", id=machine.name)
            elif machine.name not in used:
                reason = "machine {id} is not used in controlplane or workers"
                yield document.error(("name",), reason, id=machine.name)

    def _wire(self) -> dict[str, Any]:
        """The template as inputs, not validated yet."""
        cluster = _fields(self.clusters[0][1])
        wire = {name: value for name, value in cluster.items() if name not in ("kubernetes", "talos", "features")}
        for name, place in _PLACES.items():
            wire[name] = _at(cluster, place)
        wire["features"] = {
            key: on for key, on in (cluster.get("features") or {}).items() if key != "backupConfiguration"
        }
        wire["controlPlane"] = _machine_set(self.control_planes[0][1])
        wire["workers"] = [_machine_set(model) for _, model in self.workers]
        wire["machines"] = {model.name: _machine(model) for _, model in self.machines if model.name}
        if _no_time((wire["backup"] or {}).get("interval")):
            del wire["backup"]
        return {"name": "", **{name: value for name, value in wire.items() if value not in (None, "", {})}}

    def _located(self, problem: Problem) -> ConfigFileError:
        """The place in the template of a problem in the inputs."""
        reason = problem.reason
        match problem.path:
            case ("controlPlane", *rest):
                return self.control_planes[0][0].error(rest, reason)
            case ("workers", int() as index, *rest):
                return self.workers[index][0].error(rest, reason)
            case ("machines", str() as machine, *rest) if machine in self.documents:
                return self.documents[machine].error(rest or ("name",), reason)
            case (str() as name, *rest):
                return self.clusters[0][0].error((*_PLACES.get(name, (name,)), *rest), reason)
            case _:
                return ConfigFileError(self.path, 0, problem.field, reason)


def _fields(model: Any, *without: str) -> dict[str, Any]:
    """The fields that are set in a document, with the names of the inputs."""
    fields: dict[str, Any] = model.model_dump(by_alias=True, exclude_unset=True, exclude={"kind", *without})
    return fields


def _at(data: Any, place: Sequence[str]) -> Any:
    for name in place:
        data = (data or {}).get(name)
    return data


def _machine_set(model: Any) -> dict[str, Any]:
    """Omnictl treats an empty list of machines and an empty name as missing."""
    fields = _fields(model)
    machines, machine_class = fields.pop("machines", None), fields.pop("machineClass", None)
    if machines or machine_class is None:
        fields["machines"] = machines or []
    if machine_class is not None:
        fields["machineClass"] = {**machine_class, "size": _size(model.machine_class.size)}
    if not fields.get("name"):
        fields.pop("name", None)
    return fields


def _machine(model: Any) -> dict[str, Any]:
    fields = _fields(model, "name")
    if not any((fields.get("install") or {}).values()):
        fields.pop("install", None)
    return fields


def _no_time(interval: str | None) -> bool:
    """Whether an interval means no backups."""
    try:
        return not interval or not duration(interval)
    except ValueError:
        return False


def _size(text: str) -> int | str:
    return int(text) if text.isdecimal() and len(text) <= _LONGEST_NUMBER else text
