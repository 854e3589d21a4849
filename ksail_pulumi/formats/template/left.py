"""Finds what a renderer such as envsubst or Jinja should have replaced in a template, and has not.

omnictl replaces nothing in a template, so people render it first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.errors import ConfigFileError
from ksail_pulumi.redaction import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ksail_pulumi.goyaml.read import Document, Node

_IN_BRACES = re.compile(r"\$\{[A-Za-z_]\w*(?:[^\w{}\n][^{}\n]*)?\}|\{\{[^\n]*?\}\}|\{%[^\n]*?%\}")
_REFERENCE = re.compile(rf"{_IN_BRACES.pattern}|\$[A-Za-z_]\w*")
_WHOLE_VALUE = re.compile(rf"[ -]*(?:[\w.-]+ *:)? *([\"']?)({_REFERENCE.pattern})\1 *(?:#.*)?")
_NAME = re.compile(r"[\w.]+")

_CONTENTS = ("annotations", "inline", "job", "kernelArgs")
"""The fields whose texts may have such references of their own, as scripts do, and `talos.config` with `${uuid}`."""

_REMEDY = "render the template first; `from_template` accepts the result as `text`"


def refuse_left(documents: Iterable[Document], path: str) -> None:
    """Refuse references outside the contents of patches, manifests and jobs: no field takes them.

    Raises:
        ConfigFileError: With all of them and their lines.
    """
    found = [each for document in documents for each in _outside_contents(document.root)]
    if found:
        raise ConfigFileError(path, found[0][0], "", _left(found))


def with_left(error: ConfigFileError, text: str) -> ConfigFileError:
    """The error of a text that is not YAML; if there is a reference in its line, that is the cause."""
    lines = text.splitlines()
    at = lines[error.line - 1] if 0 < error.line <= len(lines) else ""
    found = [(error.line, _shown(each)) for each in _IN_BRACES.findall(at)]  # `$NAME` is valid YAML everywhere
    return ConfigFileError(error.path, error.line, "", _left(found)) if found else error


def warnings_of(text: str, path: str) -> list[str]:
    """A warning for the values in contents that are nothing but a reference."""
    lines = enumerate(text.splitlines(), 1)
    found = [(number, _shown(value[2])) for number, line in lines if (value := _WHOLE_VALUE.fullmatch(line))]
    if not found:
        return []
    return [f"{path}: {_listed(found)} {_verb(found)} passed on unchanged. If a value should replace it, {_REMEDY}"]


def _outside_contents(node: Node, pattern: re.Pattern[str] = _REFERENCE) -> Iterator[tuple[int, str]]:
    for key, child in node.children.items():
        if key not in _CONTENTS:
            below = _IN_BRACES if key == "labels" else pattern  # the value of a label may be `$NAME`
            yield from ((child.line, _shown(each)) for each in below.findall(f"{key} {child.text or ''}"))
            yield from _outside_contents(child, below)


def _shown(reference: str) -> str:
    """A reference without its default or its filters, which may be a secret."""
    if reference.startswith("${"):
        return f"${{{_NAME.findall(reference)[0]}}}"
    if reference.startswith("$"):
        return reference if reference.isupper() else f"${HIDDEN}"  # a password may begin with `$`, too
    inner = reference[2:-2].strip()
    return f"{reference[:2]} {inner if _NAME.fullmatch(inner) else HIDDEN} {reference[-2:]}"


def _left(found: Sequence[tuple[int, str]]) -> str:
    return f"{_listed(found)} {_verb(found)} left in the template: {_REMEDY}"


def _listed(found: Sequence[tuple[int, str]]) -> str:
    return listing.names(list(dict.fromkeys(f"{reference} (line {line})" for line, reference in found)))


def _verb(found: Sequence[tuple[int, str]]) -> str:
    return "is" if len(set(found)) == 1 else "are"
