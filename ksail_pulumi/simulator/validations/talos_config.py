"""Validates a Talos machine configuration as Omni validates a config patch.

It refuses what Talos' loader refuses (https://github.com/siderolabs/talos, `pkg/machinery/config/configloader`) and the
fields that Omni sets itself. `talos_schema` limits how deep fields are checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from ksail_pulumi.goyaml.loaders import SafeLoader
from ksail_pulumi.simulator import goyaml
from ksail_pulumi.simulator.refusal import Refused
from ksail_pulumi.simulator.validations import talos_schema

FORBIDDEN_FIELDS = (
    "cluster.clusterName", "cluster.id", "cluster.controlPlane.endpoint", "cluster.token", "cluster.secret",
    "cluster.aescbcEncryptionSecret", "cluster.secretboxEncryptionSecret", "cluster.ca", "cluster.acceptedCAs",
    "cluster.serviceAccount", "machine.token", "machine.ca", "machine.type", "machine.install.extensions",
    "machine.acceptedCAs",
)  # fmt: skip
"""The fields that Omni sets itself, in the order of its messages."""

FORBIDDEN_DOCUMENTS = frozenset((
    "UnattendedInstallConfig", "DiscoveryIdentityConfig", "KubeClusterConfig", "KubeEtcdEncryptionConfig",
    "KubeAPIServerCAConfig", "KubeAggregatorCAConfig",
))  # fmt: skip

MOST_NODES = 100_000
"""The maximum number of values in a document after its aliases are expanded."""

_LEGACY = frozenset(("machine", "cluster", "debug", "persist"))
"""The keys by which Talos recognizes the v1alpha1 configuration."""

_TALOS_API_ROLES = "machine.features.kubernetesTalosAPIAccess.allowedRoles"


@dataclass(frozen=True)
class _Document:
    """One document of a configuration.

    Attributes:
        api_version: Empty for the v1alpha1 configuration (`machine:`), like `kind`.
        deletes: Whether it only deletes (`$patch: delete`): a document, or parts of one.
        repeated: Keys that a mapping has twice.
    """

    line: int
    api_version: str
    kind: str
    name: str
    value: dict[str, Any]
    node: yaml.MappingNode
    deletes: bool
    repeated: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.api_version}/{self.kind or 'v1alpha1'}/{self.name}"


def faults(text: str) -> list[str]:
    """All errors of a config patch; if it cannot be parsed, only that."""
    try:
        return forbidden(text)
    except Refused as refusal:
        return [str(refusal)]


def forbidden(text: str) -> list[str]:
    """What a config patch sets although Omni does not allow it.

    Raises:
        Refused: Talos' loader cannot parse it.
    """
    documents = _load(text)
    if not documents:
        raise Refused("config not found")
    for document in documents:
        if not document.deletes:
            _check_fields(document)
    _refuse_duplicates(documents)
    return [fault for document in documents for fault in _forbidden(document)]


def _load(text: str) -> list[_Document]:
    documents = []
    try:
        goyaml.check_depth(text)
        for node in yaml.compose_all(text, Loader=SafeLoader):
            if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null":
                continue
            if not isinstance(node, yaml.MappingNode):
                raise Refused(f"expected a YAML document at line {node.start_mark.line + 1}")
            if not _says_nothing(node):
                documents.append(_document(node))
    except yaml.MarkedYAMLError as error:
        part = "scanner" if isinstance(error, yaml.scanner.ScannerError) else "parser"
        mark = error.problem_mark
        where = f"L{mark.line + 1}.C{mark.column + 1}" if mark else "L1.C1"
        context = f" ({error.context})" if error.context else ""
        raise Refused(f"decode error: go-yaml load error in {part}{context} at {where}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise Refused(f"decode error: go-yaml load error in reader: {error}") from error
    return documents


def _says_nothing(node: yaml.MappingNode) -> bool:
    """Whether Talos ignores a document: it has only its header."""
    return all(
        key.value in ("version", "kind", "name") and isinstance(value, yaml.ScalarNode) for key, value in node.value
    )


def _document(node: yaml.MappingNode) -> _Document:
    deletes = _deletes(node)
    node = _without_deletions(node)
    repeated = tuple(talos_schema.duplicate_keys(node))  # before the constructor expands merge keys, in place
    try:
        value = yaml.SafeLoader("").construct_document(node)
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise Refused(f"decode error: {error}") from error
    api_version, kind = str(value.get("apiVersion") or ""), str(value.get("kind") or "")
    line, name = node.start_mark.line + 1, str(value.get("name") or "") if kind else ""
    for what, found in (("apiVersion", api_version), ("kind", kind)):
        if deletes and not found:
            reason = f"missing {what} in document for which $patch: delete is used"
            raise Refused(f"error processing patch delete statements at line {line}: {reason}")
    return _Document(line, api_version, kind, name, value, node, deletes or _says_nothing(node), repeated)


def _without_deletions(document: yaml.MappingNode) -> yaml.MappingNode:
    """A document with expanded aliases, without the parts that have `$patch: delete`."""
    size = 0

    def copy(node: Any, above: tuple[int, ...]) -> Any:
        nonlocal size
        size += 1
        if id(node) in above:
            raise Refused("decode error: go-yaml load error in composer: anchor value contains itself")
        if size > MOST_NODES:
            raise Refused("decode error: go-yaml load error in composer: document contains excessive aliasing")
        if len(above) > goyaml.DEEPEST:
            raise Refused("decode error: go-yaml load error in composer: exceeded max depth")
        if isinstance(node, yaml.ScalarNode):
            return node
        inner = (*above, id(node))
        if isinstance(node, yaml.MappingNode):
            value = [(key, copy(value, inner)) for key, value in node.value if not _deletes(value)]
        else:
            value = [copy(item, inner) for item in node.value if not _deletes(item)]
        return type(node)(node.tag, value, node.start_mark, node.end_mark)

    whole: yaml.MappingNode = copy(document, ())
    whole.value = [(key, value) for key, value in whole.value if key.value != "$patch"]
    return whole


def _deletes(node: yaml.Node) -> bool:
    return isinstance(node, yaml.MappingNode) and any(
        key.value == "$patch" and value.value == "delete" for key, value in node.value
    )


def _check_fields(document: _Document) -> None:
    prefix = f"error decoding document {document} (line {document.line}): "
    target = f" to *{talos_schema.V1ALPHA1}"
    fields = talos_schema.fields_of(talos_schema.V1ALPHA1)
    version = "v1alpha1" if _LEGACY.intersection(document.value) else document.api_version
    if not document.kind and version != "v1alpha1":
        raise Refused(f"{prefix}missing kind")
    if not version:
        raise Refused(f"{prefix}missing apiVersion")
    if document.kind:
        known = talos_schema.document(document.kind) if version == "v1alpha1" else None
        if known is None:
            raise Refused(f'{prefix}"{document.kind}" "{document.api_version}": not registered')
        target, fields = f"{document.kind} to *{known[0]}", known[1]
    if fields is None:
        return
    wrong = [*document.repeated, *talos_schema.type_faults(document.node, fields)]
    if wrong:
        raise Refused(f"{prefix}error decoding {target}: yaml: construct errors: {'; '.join(wrong)}")
    unknown = talos_schema.unknown_keys(document.node, fields)
    if unknown:
        raise Refused(f"{prefix}unknown keys found during decoding:\n{goyaml.dump(unknown)}")


def _refuse_duplicates(documents: list[_Document]) -> None:
    seen: set[str] = set()
    for document in documents:
        if str(document) in seen:
            raise Refused(f"duplicate document {document} is not allowed (line {document.line})")
        seen.add(str(document))


def _forbidden(document: _Document) -> Iterator[str]:
    if document.kind in FORBIDDEN_DOCUMENTS:
        yield f'the "{document.kind}" document is not allowed in the config patch'
        return
    if document.kind == "KubeTalosAPIAccessConfig":
        yield from _admin(document.value, "allowedRoles", "allowedRoles")
    elif document.kind == "KubeServiceAccountConfig":
        if _has(document.value, "issuer.privateKey"):
            yield 'overriding "issuer.privateKey" is not allowed in the config patch'
    elif not document.kind:
        for field in FORBIDDEN_FIELDS:
            if _has(document.value, field):
                yield f'overriding "{field}" is not allowed in the config patch'
        yield from _admin(document.value, _TALOS_API_ROLES, _TALOS_API_ROLES)


def _admin(value: dict[str, Any], path: str, shown: str) -> Iterator[str]:
    roles = _at(value, path)
    if isinstance(roles, list) and "os:admin" in roles:
        yield f'element "os:admin" is not allowed in field "{shown}"'


def _has(value: dict[str, Any], path: str) -> bool:
    *parents, last = path.split(".")
    parent = _at(value, ".".join(parents)) if parents else value
    return isinstance(parent, dict) and last in parent


def _at(value: Any, path: str) -> Any:
    for key in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value
