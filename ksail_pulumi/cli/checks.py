"""What `doctor` finds out, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Result = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: What was checked.
        result: Whether it is as it should be. `skipped`: another check must succeed first.
        text: What was found.
        remedy: What to do; `""` where nothing is to be done, or where the text says it.
    """

    name: str
    result: Result
    text: str
    remedy: str = ""
