"""`${NAME}` in the files of a KSail project, with KSail's own rules (its pkg/envvar).

`${NAME}`, `${NAME:-default}` and `${NAME:=default}` are replaced, also in comments; an empty variable also replaces the
default. `$NAME`, `${}` and `$$` are not changed, and there is no escape.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from ksail_pulumi.goyaml.loaders import SafeLoader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_REFERENCE = re.compile(r"\$\{([a-zA-Z_][a-zA-Z0-9_]*)(?::[-=]([^}]*))?\}")
_COMMENT = re.compile("#[^\n\r\x85\u2028\u2029]*")


@dataclass(frozen=True)
class Missing:
    """A reference without default to a variable that is not set.

    Attributes:
        name: The variable.
        line: The line in the original text, counted from 1.
        offset: The position in the expanded text.
    """

    name: str
    line: int
    offset: int


def expand(text: str, environ: Mapping[str, str]) -> tuple[str, list[Missing]]:
    """Expand the references in a text.

    Returns:
        The expanded text, in which missing references are empty, and the missing references.
    """
    missing: list[Missing] = []
    line, counted, shift = 1, 0, 0

    def value(match: re.Match[str]) -> str:
        nonlocal line, counted, shift
        name, default = match.groups()
        found: str | None = environ.get(name, default)
        if found is None:
            line, counted = line + text.count("\n", counted, match.start()), match.start()
            missing.append(Missing(name, line, match.start() + shift))
            found = ""
        shift += len(found) - len(match[0])
        return found

    # Nothing after the last brace can match, and a search for it from every `${` would take quadratic time.
    end = text.rfind("}") + 1
    return _REFERENCE.sub(value, text[:end]) + text[end:], missing


def empty(text: str, environ: Mapping[str, str]) -> list[str]:
    """The variables in a text that `expand` replaces by nothing, also those that are set to an empty value."""
    found = _REFERENCE.findall(text[: text.rfind("}") + 1])
    return [name for name, default in found if not environ.get(name, default)]


def outside_comments(text: str, missing: list[Missing]) -> list[Missing]:
    """The missing references that are not in a comment of the expanded text.

    Raises:
        yaml.YAMLError: The text is not YAML.
    """
    if not missing:
        return []
    ends = dict(_comments(text))
    starts = list(ends)

    def in_comment(offset: int) -> bool:
        before = bisect_left(starts, offset)
        return before > 0 and offset <= ends[starts[before - 1]]

    return [each for each in missing if not in_comment(each.offset)]


def _comments(text: str) -> Iterator[tuple[int, int]]:
    """The positions of the comments in a YAML text: a scanner skips them, so they are between its tokens."""
    end = 0
    for token in yaml.scan(text, Loader=SafeLoader):
        yield from _comments_in(text, end, token.start_mark.index)
        if isinstance(token, yaml.ScalarToken) and token.style in ("|", ">"):
            # The line with the `|` may end in a comment.
            content = text.find("\n", token.start_mark.index, token.end_mark.index)
            yield from _comments_in(text, token.start_mark.index, content if content >= 0 else token.end_mark.index)
        end = token.end_mark.index
    yield from _comments_in(text, end, len(text))


def _comments_in(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    yield from (found.span() for found in _COMMENT.finditer(text, start, end))
