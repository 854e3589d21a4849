"""Version numbers as in Omni, with the texts of its parser (https://github.com/blang/semver)."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from ksail_pulumi.simulator.refusal import Refused


@dataclass(frozen=True, order=True)
class Version:
    """A version number, without its pre-release."""

    major: int
    minor: int
    patch: int


@functools.lru_cache(maxsize=64)
def tolerant(text: str) -> Version:
    """Read `1.36.3`, `v1.36.3` or `1.36`.

    Raises:
        Refused: It is not a version; the text is the parser's.
    """
    text = text.strip().removeprefix("v")
    parts = text.split(".", 2)
    numbers = [part.lstrip("0") or "0" for part in parts[:-1]] + [parts[-1]]
    # The parser also strips leading zeros of the last part, and adds missing parts: `abc` is read as `0abc`.
    last = re.match(r"0*(\d.*)?", numbers[-1], re.DOTALL)
    numbers[-1] = (last[1] if last and last[1] else numbers[-1]) if numbers[-1] else ""
    numbers += ["0"] * (3 - len(numbers))
    for name, number in zip(("major", "minor", "patch"), numbers, strict=True):
        digits = re.split(r"[-+]", number)[0] if name == "patch" else number
        if not digits:
            raise Refused('strconv.ParseUint: parsing "": invalid syntax')
        if not digits.isascii() or not digits.isdigit():
            shown = digits if digits[0].isdigit() else f"0{digits}"
            raise Refused(f'Invalid character(s) found in {name} number "{shown}"')
    return Version(*(int(re.split(r"[-+]", number)[0]) for number in numbers))
