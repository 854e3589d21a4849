"""The problems in what the user wrote: one problem per field, for inputs and files alike.

A problem knows the path of its field, which decides whether a value may be shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import InputError
from ksail_pulumi.redaction import HIDDEN, MAX_SHOWN, kind_of, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

FieldPath = tuple[str | int, ...]
"""The path of a field in wire names: `("workers", 0, "patches", 1, "inline")`."""

PRIVATE = frozenset(
    {
        "annotations",
        "healthChecks",
        "healthchecks",
        "inline",
        "kernelArgs",
        "labels",
        "manifests",
        "metaValues",
        "password",
        "patches",
        "providerData",
        "triggers",
        "username",
    }
)
"""Fields that may contain a secret at any depth."""

_PRIVATE_URL = "url"
_PLAIN_KEY = re.compile(r"[\w-]+")


def field_path(parts: Sequence[str | int]) -> str:
    """Format a path as Pulumi does: `workers[0].labels["a.b/c"]`."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
            continue
        name = part if len(part) <= MAX_SHOWN else f"{part[: MAX_SHOWN - 1]}{HIDDEN}"
        if _PLAIN_KEY.fullmatch(part):
            path += f".{name}" if path else name
        else:
            path += f'["{name}"]'
    return path


def unknown_field(name: str, known: Sequence[str]) -> str:
    """The reason for an unknown field, given the known ones."""
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    return f"unknown field; did you mean {close[0]}?" if close else f"unknown field; known fields: {', '.join(known)}"


CONTROL_CHARACTERS = "must not contain control characters or line breaks"
"""The reason for a text that `has_control_characters`."""


def has_control_characters(text: str) -> bool:
    """Whether a text has characters of Unicode's class Cc."""
    return any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in text)


def is_private(path: Sequence[str | int]) -> bool:
    """Whether no message may show the value at a path."""
    return path[-1:] == (_PRIVATE_URL,) or not PRIVATE.isdisjoint(path)


@dataclass(frozen=True, init=False)
class Problem:
    """A problem with one field.

    Attributes:
        path: Where it is; empty for the whole.
        reason: What is wrong with it and what to do.
    """

    path: FieldPath
    reason: str

    def __init__(self, path: FieldPath, reason: str, **values: Any) -> None:
        """Insert values into the reason if the field allows it, otherwise their kinds.

        Args:
            path: Where the field is.
            reason: What is wrong. `{name}` stands for the value of that name.
            **values: Values that the user wrote.
        """
        quote = kind_of if is_private(path) else shown
        for name, value in values.items():
            reason = reason.replace(f"{{{name}}}", quote(value))
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "reason", reason)

    @property
    def field(self) -> str:
        """The formatted path, `workers[0].patches[1].inline`; `""` for the whole input."""
        return field_path(self.path)

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" if self.path else self.reason


class InvalidCluster(InputError):  # noqa: N818 - named for what it says, like pydantic's own errors it carries a list
    """The input is not a valid cluster; `problems` has all problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(first.field, first.reason)
        self.args = ("\n".join(map(str, self.problems)),)


def invalid(path: FieldPath, reason: str, **values: Any) -> InvalidCluster:
    """The error for one problem; see `Problem`."""
    return InvalidCluster([Problem(path, reason, **values)])
