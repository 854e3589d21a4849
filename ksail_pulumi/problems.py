"""What is wrong with what the user wrote: one problem a field, whichever door it came in by.

A problem knows the path of its field, and with it whether a value may be shown: that is decided here and nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import InputError
from ksail_pulumi.redaction import HIDDEN, MAX_SHOWN, kind_of, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

FieldPath = tuple[str | int, ...]
"""Where a field is, in wire names: `("workers", 0, "patches", 1, "inline")`."""

PRIVATE = frozenset({"annotations", "healthChecks", "healthchecks", "kernelArgs", "labels", "manifests", "patches"})
"""Fields that may hold a secret, in themselves or in something below them."""

_PRIVATE_URL = "url"
_PLAIN_KEY = re.compile(r"[\w-]+")


def field_path(parts: Sequence[str | int]) -> str:
    """Write a path the way Pulumi does: `workers[0].labels["a.b/c"]`."""
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
    """The reason for a field that does not exist, where there are these."""
    close = get_close_matches(name, known, n=1)
    return f"unknown field; did you mean {close[0]}?" if close else f"unknown field; known fields: {', '.join(known)}"


def is_private(path: Sequence[str | int]) -> bool:
    """Whether the value at a path is one that no message may show."""
    return path[-1:] == (_PRIVATE_URL,) or not PRIVATE.isdisjoint(path)


@dataclass(frozen=True, init=False)
class Problem:
    """One field that cannot be used.

    Attributes:
        path: Where it is; empty for the whole.
        reason: What is wrong with it and what to do.
    """

    path: FieldPath
    reason: str

    def __init__(self, path: FieldPath, reason: str, **values: Any) -> None:
        """Put values into the reason where the field allows it, and what kind of values they are where it does not.

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
        """The path as people write it, `workers[0].patches[1].inline`; `""` for the whole."""
        return field_path(self.path)

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" if self.path else self.reason


class InvalidCluster(InputError):  # noqa: N818 - named for what it says, like pydantic's own errors it carries a list
    """What the user wrote is not a cluster; every problem of it is in `problems`."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(first.field, first.reason)
        self.args = ("\n".join(map(str, self.problems)),)


def invalid(path: FieldPath, reason: str, **values: Any) -> InvalidCluster:
    """The error for one problem; see `Problem`."""
    return InvalidCluster([Problem(path, reason, **values)])
