"""What is wrong with what the user wrote: one problem a field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ksail_pulumi.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Problem:
    """One field that cannot be used.

    Attributes:
        field: Its path in wire names (`workers[0].patches[1].inline`); `""` for the whole.
        reason: What is wrong with it and what to do.
    """

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" if self.field else self.reason


class InvalidCluster(InputError):  # noqa: N818 - named for what it says, like pydantic's own errors it carries a list
    """What the user wrote is not a cluster; every problem of it is in `problems`."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(first.field, first.reason)
        self.args = ("\n".join(map(str, self.problems)),)
