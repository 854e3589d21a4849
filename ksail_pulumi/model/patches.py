"""Talos patches: their text, and the rules of Omni that can be checked without Omni.

Omni validates a patch with Talos' own loader; only its rules that need no schema are implemented here (Omni's
`client/pkg/omni/resources/omni/config_patch.go`); the texts are Omni's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml

from ksail_pulumi.errors import ConfigFileError
from ksail_pulumi.goyaml.loaders import BaseLoader, SafeLoader
from ksail_pulumi.goyaml.read import MAX_DEPTH, Node, is_null, parse_documents, what_is_wrong
from ksail_pulumi.goyaml.write import encode, lost_in_list
from ksail_pulumi.model.durations import duration
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ksail_pulumi.model.cluster import Patch
    from ksail_pulumi.problems import FieldPath

# Omni applies the patches of one scope in the order of their IDs, hence these prefixes.
CLUSTER_WEIGHT = 200
SET_WEIGHT = 400
MACHINE_WEIGHT = 400
MACHINE_INFIX = "machine-"
"""What the ID of a patch has before a machine in no particular cluster."""

Inline = Mapping[str, Any] | Sequence[Mapping[str, Any]] | str

_FORBIDDEN_FIELDS = (
    "cluster.clusterName",
    "cluster.id",
    "cluster.controlPlane.endpoint",
    "cluster.token",
    "cluster.secret",
    "cluster.aescbcEncryptionSecret",
    "cluster.secretboxEncryptionSecret",
    "cluster.ca",
    "cluster.acceptedCAs",
    "cluster.serviceAccount",
    "machine.token",
    "machine.ca",
    "machine.type",
    "machine.install.extensions",
    "machine.acceptedCAs",
)
_FORBIDDEN_DOCUMENTS = frozenset(
    {
        "UnattendedInstallConfig",
        "DiscoveryIdentityConfig",
        "KubeClusterConfig",
        "KubeEtcdEncryptionConfig",
        "KubeAPIServerCAConfig",
        "KubeAggregatorCAConfig",
    }
)
_ROLES_FIELDS = {
    "": "machine.features.kubernetesTalosAPIAccess.allowedRoles",
    "KubeTalosAPIAccessConfig": "allowedRoles",
}
_DURATIONS = {
    "": ("machine.time.bootTimeout",),
    "TimeSyncConfig": ("bootTimeout",),
    "WatchdogTimerConfig": ("timeout",),
}
_NULLS = (None, "", "~", "null", "Null", "NULL")
_WHAT_IT_IS = ("version", "kind", "name")
_EMPTY = "config not found"


def patch_id(patch: Patch, index: int, weight: int, scope: str) -> str:
    """The resource ID of a patch, the `index`-th of its scope (a cluster, a set or a machine)."""
    return patch.id_override or f"{weight + index:03d}-{scope}-{patch.name}"


def patch_text(inline: Inline) -> str:
    """The YAML text for Omni: text unchanged, data as omnictl writes it."""
    if isinstance(inline, str):
        return inline
    if isinstance(inline, Mapping):
        return encode(inline)
    return "---\n".join(encode(document) for document in inline)


def inline_of(text: str) -> Inline:
    """The inverse of `patch_text`: data if omnictl writes exactly this text for it, otherwise the text."""
    try:
        if "*" in text and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=SafeLoader)):
            return text  # never written by this package, and an alias may expand to a huge value
        documents = load_documents(text, SafeLoader)
        inline: Inline = documents[0] if len(documents) == 1 else documents
        if documents and all(isinstance(document, dict) for document in documents) and patch_text(inline) == text:
            return inline
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        pass  # not data, or not representable in JSON
    return text


def same_configuration(left: str, right: str) -> bool:
    """Whether two texts mean the same to Talos, regardless of layout and comments.

    A scalar is the same where its type and its spelling are: Talos reads `1` into a text as "1" and `0x1` as "0x1", and
    refuses `"1"` where it expects a number. What cannot be read is the same as itself only.
    """
    if left == right:
        return True
    try:
        return _meanings(left) == _meanings(right)
    except ConfigFileError:
        return False


def _meanings(text: str) -> list[Any]:
    return [_meaning(document.root) for document in parse_documents(text, "") if not _is_discarded(document.value)]


def _meaning(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: _meaning(child) for key, child in node.children.items()}
    if isinstance(node.value, list):
        return [_meaning(child) for child in node.children.values()]
    return None if node.value is None else (type(node.value), node.text)


def load_documents(text: str, loader: type[yaml.BaseLoader | yaml.SafeLoader]) -> list[Any]:
    """The documents of a YAML text, None for each that is empty or null.

    Raises:
        yaml.YAMLError: It is not valid YAML, or nested too deep: libyaml's composer is recursive, and its stack is
            limited.
    """
    depth = 0
    null: list[bool] = []
    previous: yaml.Event | None = None
    for event in yaml.parse(text, Loader=loader):
        if isinstance(previous, yaml.DocumentStartEvent):
            null.append(isinstance(event, yaml.ScalarEvent) and is_null(event))
        previous = event
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _TooDeepError(f"values are nested more than {MAX_DEPTH} levels deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    documents = yaml.load_all(text, Loader=loader)
    return [None if is_empty else document for is_empty, document in zip(null, documents, strict=True)]


class _TooDeepError(yaml.YAMLError):
    """Values are nested too deep."""


def yaml_reason(error: Exception) -> str:
    """Why a text is not valid YAML, without the quotes of the libraries, which may contain secrets."""
    if isinstance(error, yaml.MarkedYAMLError):
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        return line + what_is_wrong(error)
    if isinstance(error, _TooDeepError):
        return str(error)
    return "it contains a value or a character that is not valid in YAML"


def patch_problems(field: FieldPath, inline: Inline) -> list[Problem]:
    """The problems of a patch. `field` is the path of its `inline`."""
    try:
        documents = list(_documents(field, inline))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return [Problem(field, f"invalid YAML: {yaml_reason(error)}")]
    problems: list[Problem] = []
    seen: set[tuple[str, str, str]] = set()
    for path, document in documents:
        if not isinstance(document, Mapping):
            problems.append(Problem(path, _not_a_document(document)))
            continue
        problems.extend(_document_problems(path, document, text=isinstance(inline, str)))
        key = (str(document.get("apiVersion", "")), str(document.get("kind", "")), str(document.get("name", "")))
        if key in seen:
            problems.append(
                Problem(
                    path, "duplicate document is not allowed: another document has the same apiVersion, kind and name"
                )
            )
        seen.add(key)
    if not documents:
        problems.append(Problem(field, f"{_EMPTY}: the patch is empty"))
    if isinstance(inline, str):
        problems.extend(Problem(field, reason) for reason in _repeated_keys(inline))
    return problems


def _repeated_keys(text: str) -> Iterator[str]:
    """The keys that a mapping has twice. Aliases are not followed."""
    # For each open collection: its keys with their lines (None for a list), and whether a key comes next.
    levels: list[tuple[dict[str, int] | None, bool]] = []
    for event in yaml.parse(text, Loader=BaseLoader):
        if isinstance(event, yaml.CollectionEndEvent):
            levels.pop()
        if not isinstance(event, yaml.NodeEvent):
            continue
        keys, is_key = levels[-1] if levels else (None, False)
        if levels:
            levels[-1] = keys, not is_key
        if keys is not None and is_key and isinstance(event, yaml.ScalarEvent):
            line = event.start_mark.line + 1 if event.start_mark else 0
            if event.value in keys:
                yield f"line {line}: mapping key already defined at line {keys[event.value]}"
            keys.setdefault(event.value, line)
        if isinstance(event, yaml.CollectionStartEvent):
            levels.append(({} if isinstance(event, yaml.MappingStartEvent) else None, True))


def sets_field(inline: Inline, path: str) -> bool:
    """Whether a patch sets a field of the machine configuration, such as `machine.install.disk`."""
    try:
        return any(_has(document, path) for _, document in _documents((), inline))
    except (yaml.YAMLError, ValueError, RecursionError):
        return False


def lost_files(inline: Inline) -> list[int]:
    """The places in `machine.files` of files whose content a machine cannot read from its configuration."""
    try:
        documents = [document for _, document in _documents((), inline)]
    except (yaml.YAMLError, ValueError, RecursionError):
        return []
    lists = [files for document in documents if isinstance(files := _get(document, "machine.files"), list | tuple)]
    files = [each for files in lists for each in enumerate(files)]
    contents = [(place, file.get("content")) for place, file in files if isinstance(file, Mapping)]
    return [place for place, content in contents if isinstance(content, str) and lost_in_list(content)]


def _documents(field: FieldPath, inline: Inline) -> Iterator[tuple[FieldPath, Any]]:
    """The documents of a patch, without those that Talos ignores."""
    documents: Iterable[tuple[FieldPath, Any]]
    if isinstance(inline, Mapping):
        documents = [(field, inline)]
    elif isinstance(inline, str):
        documents = ((field, document) for document in load_documents(inline, BaseLoader))
    else:
        documents = (((*field, index), document) for index, document in enumerate(inline))
    return ((path, document) for path, document in documents if not _is_discarded(document))


def _is_discarded(document: Any) -> bool:
    """Whether Talos ignores a document: it is null, or has only its header."""
    if not isinstance(document, Mapping):
        return document is None
    return all(key in _WHAT_IT_IS and not isinstance(value, Mapping | list) for key, value in document.items())


def _not_a_document(document: Any) -> str:
    first = document[0] if isinstance(document, list) and document else document
    if isinstance(first, Mapping) and "op" in first and "path" in first:
        return "JSON patches (RFC 6902) are not accepted by Omni: write the fields to change as a mapping"
    return "expected a YAML document, a mapping of Talos configuration"


def _document_problems(path: FieldPath, document: Mapping[str, Any], *, text: bool) -> Iterator[Problem]:
    def at(name: str) -> FieldPath:
        return path if text else (*path, *name.split("."))

    kind, version = document.get("kind"), str(document.get("apiVersion", ""))
    if not text and "op" in document and "path" in document and "machine" not in document and "cluster" not in document:
        yield Problem(path, _not_a_document(document))
        return
    if kind is not None and not isinstance(kind, str):
        yield Problem(at("kind"), "kind should be a string, the kind of a Talos document")
        return
    if document.get("$patch") == "delete" and (missing := "apiVersion" if not version else "" if kind else "kind"):
        yield Problem(path, f"missing {missing} in document for which $patch: delete is used")
    for name in _DURATIONS.get(str(kind or ""), ()):
        if not _is_duration(_get(document, name), text=text):
            yield Problem(at(name), "cannot construct into time.Duration: write it like 30s or 2m")
    if kind in _FORBIDDEN_DOCUMENTS:
        yield Problem(path, f'the "{kind}" document is not allowed in the config patch')
    elif kind and (version == "v1" or "/" in version):
        yield Problem(
            path, "its kind is not registered: this is a Kubernetes object, not Talos configuration; use manifests"
        )
    if not kind:
        for name in _FORBIDDEN_FIELDS:
            if _has(document, name):
                yield Problem(at(name), f'overriding "{name}" is not allowed in the config patch')
    elif kind == "KubeServiceAccountConfig" and _has(document, "issuer.privateKey"):
        yield Problem(at("issuer.privateKey"), 'overriding "issuer.privateKey" is not allowed in the config patch')
    roles_field = _ROLES_FIELDS.get(str(kind or ""))
    roles = _get(document, roles_field) if roles_field else None
    if roles_field and isinstance(roles, list | tuple) and "os:admin" in roles:
        yield Problem(at(roles_field), f'element "os:admin" is not allowed in field "{roles_field}"')


def _is_duration(value: Any, *, text: bool) -> bool:
    """Whether Go reads a value as a duration. Values from text are strings, numbers and nulls too."""
    if not isinstance(value, str):
        return value is None or (value == 0 and not isinstance(value, bool))
    try:
        duration(value)
    except ValueError:
        return text and value in _NULLS
    return True


def _has(document: Any, path: str) -> bool:
    *parents, last = path.split(".")
    for name in parents:
        if not isinstance(document, Mapping) or name not in document:
            return False
        document = document[name]
    return isinstance(document, Mapping) and last in document


def _get(document: Any, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(document, Mapping):
            return None
        document = document.get(name)
    return document
