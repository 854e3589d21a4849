"""Reads YAML files of users, with the line of every value.

Scalars have the meaning of Go's yaml.v3, which KSail and omnictl use: `yes` and `22:30` are text, `0o17` is a number.
Aliases and merge keys are supported; a file that expands to more than `MAX_VALUES` values is refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

from ksail_pulumi.errors import ConfigFileError
from ksail_pulumi.goyaml import MAX_BYTES
from ksail_pulumi.goyaml.loaders import SafeLoader
from ksail_pulumi.problems import Problem
from ksail_pulumi.redaction import HIDDEN, short

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAX_VALUES = 200_000
MAX_DEPTH = 100
MAX_QUOTED = 1000

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?(0[bB][01_]+|0[oO]?[0-7_]+|0[xX][0-9a-fA-F_]+|0|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_SLASH = re.compile(r"(?<!\\)(\\\\)*\\/")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_INT_64 = range(-(2**63), 2**64)
_TAG = "tag:yaml.org,2002:"

# The text after the sign is not shown: a password may begin with it.
_UNKNOWN_TAG = "a value that begins with ! is a YAML tag that is not supported; if it is text, quote it"
_ALIAS = "a value that begins with * refers to an anchor"
_QUOTED = re.compile(r"(['\"`])(.*?)\1")


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a YAML document with its line.

    Attributes:
        line: The line, counted from 1.
        value: The value as plain data for `json.dumps`.
        text: A scalar as written, `None` for mappings and lists.
        children: The values of a mapping by key, of a list by index; empty for scalars.
        size: The number of values in it, including itself and every use of an alias.
    """

    line: int
    value: Any = field(repr=False)
    text: str | None = field(repr=False)
    children: Mapping[str | int, Node] = field(repr=False)
    size: int = 1


@dataclass(frozen=True)
class Document:
    """A document of a YAML file.

    Attributes:
        path: The file, as the user named it.
        root: Its outermost value.
    """

    path: str
    root: Node

    @property
    def value(self) -> Any:
        return self.root.value

    def node(self, field: Sequence[str | int]) -> Node:
        """The value at a path; if it does not exist, its nearest parent."""
        node = self.root
        for part in field:
            if part not in node.children:
                break
            node = node.children[part]
        return node

    def error(self, field: Sequence[str | int], reason: str, **values: Any) -> ConfigFileError:
        """An error with the file, the line of the value and the field; `values` as for `Problem`."""
        problem = Problem(tuple(field), reason, **values)
        return ConfigFileError(self.path, self.node(field).line, _short(problem.field), _short(problem.reason))


def _short(text: str) -> str:
    """A text of limited length: errors may quote long parts of a file."""
    return text if len(text) <= MAX_QUOTED else f"{text[: MAX_QUOTED // 2]} … {text[-MAX_QUOTED // 2 :]}"


def read_text(path: Path, shown: str | None = None) -> str:
    """The text of a file of at most `MAX_BYTES`.

    Args:
        path: The file.
        shown: The name in errors; default: the path.

    Raises:
        ConfigFileError: It is missing, too big, not readable or not UTF-8.
    """
    name = shown or str(path)
    try:
        # Not `stat`: devices have no size, and may have no end.
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ConfigFileError(name, 0, "", f"the file is larger than {MAX_BYTES} bytes")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigFileError(name, 0, "", "file not found") from None
    except OSError as error:
        raise ConfigFileError(name, 0, "", f"cannot read the file: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigFileError(name, line, "", "the file is not UTF-8 text") from None


def what_is_wrong(error: yaml.MarkedYAMLError) -> str:
    """The message of the YAML library without quoted text, which may be a secret."""
    said = error.problem or error.context or "syntax error"
    return _QUOTED.sub(lambda found: found[0] if len(found[2]) <= 1 else HIDDEN, said)


def parse_documents(text: str, path: str) -> list[Document]:
    """The documents of a YAML text, without empty ones.

    Raises:
        ConfigFileError: It is not valid YAML, has a duplicate key, or is too large or too deep with expanded aliases.
    """
    return [Document(path, root) for root in _Composer(text, path).documents() if root.value is not None]


def is_null(event: yaml.ScalarEvent) -> bool:
    """Whether a scalar is empty, or null in one of its unquoted spellings."""
    plain = event.tag in (None, _TAG + "null") and not event.style
    return plain and event.value in _NULL


class _Composer:
    """Builds nodes from the events of the parser.

    PyYAML's own composer is recursive without limits, and its constructor drops the lines.
    """

    def __init__(self, text: str, path: str) -> None:
        self.path = path
        self.text = text
        self.events = self._parse(text)
        self.anchors: dict[str, Node | None] = {}
        self.merged = 0

    def _parse(self, text: str) -> Iterator[Any]:
        try:
            yield from yaml.parse(text, Loader=SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._fail(mark, f"invalid YAML: {what_is_wrong(error)}")
        except UnicodeEncodeError:
            raise ConfigFileError(self.path, 0, "", "invalid UTF-16 surrogate in the text") from None
        except yaml.YAMLError as error:
            # A character that YAML forbids: the error has only an offset.
            position = getattr(error, "position", None)
            line = text.count("\n", 0, position) + 1 if isinstance(position, int) else 0
            reason = getattr(error, "reason", str(error))
            raise ConfigFileError(self.path, line, "", f"invalid YAML: {reason}") from None

    def _fail(self, mark: Any, reason: str) -> NoReturn:
        raise ConfigFileError(self.path, mark.line + 1 if mark else 0, "", _short(reason)) from None

    def documents(self) -> Iterator[Node]:
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.anchors = {}
                yield self._node(next(self.events), 0)

    def _node(self, event: Any, depth: int) -> Node:
        if depth > MAX_DEPTH:
            self._fail(event.start_mark, f"values are nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        anchor = event.anchor
        if anchor is not None:
            self.anchors[anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event)
        elif isinstance(event, yaml.MappingStartEvent):
            node = self._mapping(event, depth)
        else:
            node = self._sequence(event, depth)
        if node.size > MAX_VALUES:
            self._fail(event.start_mark, f"the file has more than {MAX_VALUES} values after its aliases are expanded")
        if anchor is not None:
            self.anchors[anchor] = node
        return node

    def _alias(self, event: Any) -> Node:
        if event.anchor not in self.anchors:
            self._fail(event.start_mark, f"{_ALIAS} that is not defined before it; if it is text, quote it")
        node = self.anchors[event.anchor]
        if node is None:
            self._fail(event.start_mark, f"{_ALIAS} that contains the value itself")
        return node

    def _mapping(self, event: Any, depth: int) -> Node:
        self._check_tag(event, "map")
        children: dict[str | int, Node] = {}
        merged: list[Node] = []
        lines: dict[str, int] = {}
        size = 1
        for key_event in self._until(yaml.MappingEndEvent):
            key = self._key(key_event, depth)
            value = self._node(next(self.events), depth + 1)
            size += value.size
            if key == "<<" and not key_event.style:
                merged += self._merge_sources(value, key_event)
                continue
            if key in lines:
                self._fail(key_event.start_mark, f"duplicate key {short(key)} (first on line {lines[key]})")
            lines[key] = key_event.start_mark.line + 1
            # The line of the key, because users look for the field name.
            children[key] = Node(lines[key], value.value, value.text, value.children, value.size)
        self.merged += sum(len(source.children) for source in merged)
        if self.merged > MAX_VALUES:
            self._fail(
                event.start_mark, f"the file has more than {MAX_VALUES} values after its merge keys are expanded"
            )
        for source in merged:
            for name, child in source.children.items():
                children.setdefault(name, child)
        plain = {name: child.value for name, child in children.items()}
        return Node(event.start_mark.line + 1, plain, None, children, size)

    def _merge_sources(self, node: Node, event: Any) -> list[Node]:
        sources = list(node.children.values()) if isinstance(node.value, list) else [node]
        if not all(isinstance(source.value, dict) for source in sources):
            self._fail(event.start_mark, "<< must be a mapping or a list of mappings")
        return sources

    def _key(self, event: Any, depth: int) -> str:
        if not isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
            self._fail(event.start_mark, "a key must be a string")
        node = self._node(event, depth + 1)
        if node.text is None:
            self._fail(event.start_mark, "a key must be a string")
        return node.text

    def _sequence(self, event: Any, depth: int) -> Node:
        self._check_tag(event, "seq")
        items = [self._node(item, depth + 1) for item in self._until(yaml.SequenceEndEvent)]
        size = 1 + sum(item.size for item in items)
        return Node(event.start_mark.line + 1, [item.value for item in items], None, dict(enumerate(items)), size)

    def _until(self, end: type[yaml.Event]) -> Iterator[Any]:
        for event in self.events:
            if isinstance(event, end):
                return
            yield event

    def _check_tag(self, event: Any, expected: str) -> None:
        if event.tag not in (None, "!", _TAG + expected):
            self._fail(event.start_mark, _UNKNOWN_TAG)

    def _scalar(self, event: Any) -> Node:
        text: str = event.value
        line = event.start_mark.line + 1
        if event.style == '"' and _SLASH.search(self.text[event.start_mark.index : event.end_mark.index]):
            self._fail(
                event.start_mark, r'Go\'s YAML reader does not accept the escape \/ in "…": remove the backslash'
            )
        tag = event.tag
        if tag in (None, "!"):
            plain = tag is None and not event.style
            return Node(line, self._plain_value(text, event) if plain else text, text, {})
        kind = tag.removeprefix(_TAG)
        value = text if kind == "str" else self._plain_value(text, event)
        kinds = {"str": str, "int": int, "float": (int, float), "bool": bool, "null": type(None)}
        if kind not in kinds:
            self._fail(event.start_mark, _UNKNOWN_TAG)
        if not isinstance(value, kinds[kind]):  # type: ignore[arg-type]
            self._fail(event.start_mark, "the value does not match its YAML tag")
        return Node(line, value, text, {})

    def _plain_value(self, text: str, event: Any) -> Any:
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        if _NOT_FINITE.fullmatch(text):
            self._fail(event.start_mark, f"{text} is not a supported number")
        # A longer number is not a setting, and its conversion is slow.
        if len(text) > 400:
            return text
        if _INT.fullmatch(text):
            whole = _int(text)
            if whole is not None:
                return whole
        # As in Go: digits may be grouped by underscores, but not in a number that begins with its point.
        digits = text if text.startswith(".") else text.replace("_", "")
        if text[:1] != "_" and _FLOAT.fullmatch(digits):
            number = float(digits)
            return number if math.isfinite(number) else text
        return _time(text)


def _time(text: str) -> str:
    """A date as Go reads it, which is a point in time; any other text unchanged."""
    found = _DATE.fullmatch(text)
    try:
        return f"{date(*map(int, found.groups()))}T00:00:00Z" if found else text
    except ValueError:  # not a valid date
        return text


def _int(text: str) -> int | None:
    """The number that Go reads from a text; None if there is none, or it has more than 64 bits."""
    digits = text.replace("_", "").lower()
    sign, digits = (digits[0], digits[1:]) if digits[:1] in ("-", "+") else ("", digits)
    if re.fullmatch("0[0-7]+", digits):
        digits = "0o" + digits[1:]
    try:
        number = int(sign + digits, 0)
    except ValueError:
        return None
    return number if number in _INT_64 else None
