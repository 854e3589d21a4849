"""Versions of Talos and Kubernetes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

_NUMBERS = re.compile(r"v?([0-9]+)\.([0-9]+)(?:\.([0-9]+))?(?:-(.*))?")


@dataclass(frozen=True)
class Versions:
    """The versions of one cluster, without a leading `v`, as Omni stores them."""

    talos: str
    kubernetes: str


@dataclass(frozen=True, order=True)
class ParsedVersion:
    """A version as something that can be compared; a pre-release comes before its release."""

    major: int
    minor: int
    patch: int
    release: bool
    pre_release: tuple[tuple[int, int, str], ...]

    @property
    def line(self) -> tuple[int, int]:
        """Major and minor, by which Omni decides what may follow what."""
        return self.major, self.minor


@lru_cache(maxsize=1024)  # a plan compares the same few versions for each machine
def parse_version(text: str) -> ParsedVersion | None:
    """Read a version, with or without `v`; None if it is none."""
    found = _NUMBERS.fullmatch(text)
    if not found:
        return None
    parts = tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in (found[4] or "").split(".") if part
    )
    return ParsedVersion(int(found[1]), int(found[2]), int(found[3] or 0), not parts, parts)


def newest(versions: Iterable[str]) -> str | None:
    """The newest release among versions; None if there is none."""
    known = [(parsed, text) for text in versions if (parsed := parse_version(text)) and parsed.release]
    return max(known)[1] if known else None
