"""Label selectors, in the grammar that Omni uses for machine classes.

Terms are separated by commas, and all must match: `a` (the label exists), `!a`, `a = b` or `a == b`, `a != b`,
`a < 5`, `<=`, `>`, `>=`, `a in (x, y)`, `a notin (x)`. A value may contain spaces, and in double quotes any character.
An empty selector matches everything. A name without a slash is the machine's own label of that name or, if there is
none, Omni's (`arch` for `omni.sidero.dev/arch`).

`<`, `<=`, `>` and `>=` compare whole numbers, with a unit if there is one: `16GiB` is 16 x 2^30, `1TB` is 10^12. What
is not a whole number never matches. Spaces behind a value are not part of it, unlike in Omni, where `!gpu , a` asks for
a label with a space in its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

OMNI_PREFIX = "omni.sidero.dev/"
"""The prefix of Omni's own labels and annotations."""

_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_KEY = rf'(?:{_QUOTED}|[^\s"=!(),<>][^\s=!(),<>]*+)'
_VALUE = rf'(?:{_QUOTED}|[^\s"=!(),<>][^=!(),<>]*+)'
_VALUES = rf"(?:{_VALUE})?+\s*+(?:,\s*+(?:{_VALUE})?+\s*+)*+"
_TERM = re.compile(
    rf"""\s*(?:
        !\s*(?P<absent>{_VALUE})
      | (?P<key>{_KEY})\s*
        (?: (?P<operator>==|!=|<=|>=|=|<|>)\s*(?P<value>{_VALUE})?
          | (?P<set>in|notin)\s*\(\s*(?P<values>{_VALUES})\)
        )?
    )\s*(?P<end>,|$)""",
    re.VERBOSE | re.DOTALL,
)
_EACH_VALUE = re.compile(rf"(?:^|,)\s*({_VALUE})?", re.DOTALL)
_NUMBER = re.compile(r"(-?0*[0-9]{1,19})\s*(?:(?P<binary>[kmgtp]i)|(?P<decimal>[kmgtp]))?", re.IGNORECASE)
_LETTERS = "kmgtp"
_INT_64 = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Term:
    """A condition on a label."""

    key: str
    operator: str  # exists, absent, in, notin, <, <=, >, >=
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if value is None and "/" not in self.key:
            value = labels.get(OMNI_PREFIX + self.key)
        match self.operator:
            case "exists":
                return value is not None
            case "absent":
                return value is None
            case "in":
                return value in self.values
            case "notin":
                return value not in self.values
        left, right = _number(value), _number(self.values[0])
        if left is None or right is None:
            return False
        return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[self.operator]


@dataclass(frozen=True)
class Selector:
    """A parsed selector; matches a machine's labels if all of its terms do."""

    terms: tuple[Term, ...]

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(term.holds(labels) for term in self.terms)


def parse_selector(text: str) -> Selector:
    """Parse a selector.

    Raises:
        ValueError: The syntax is not valid; the text says where.
    """
    terms: list[Term] = []
    position = 0
    more = bool(text.strip())
    while more:
        found = _TERM.match(text, position)
        if not found:
            rest = text[position:].strip()
            raise ValueError(f"syntax error at character {position + 1}" if rest else "a condition is missing")
        terms.append(_term(found))
        position = found.end()
        more = bool(found["end"])
    return Selector(tuple(terms))


def _term(found: re.Match[str]) -> Term:
    if found["absent"]:
        return Term(_word(found["absent"]), "absent")
    key, operator = _word(found["key"]), found["operator"]
    if found["set"]:
        return Term(key, found["set"], tuple(_word(each[1]) for each in _EACH_VALUE.finditer(found["values"])))
    if operator is None:
        return Term(key, "exists")
    return Term(key, {"=": "in", "==": "in", "!=": "notin"}.get(operator, operator), (_word(found["value"]),))


def _word(text: str | None) -> str:
    if text is None:
        return ""
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL) if text.startswith('"') else text.rstrip()


def _number(text: str | None) -> int | None:
    """Read a number with a unit, as cosi-project/runtime does (`pkg/resource/internal/compare`)."""
    found = _NUMBER.match(text.strip()) if text is not None else None
    if found is None or (found.end() < len(found.string) and found.lastindex == 1):
        return None
    unit = found["binary"] or found["decimal"] or ""
    power = _LETTERS.index(unit[0].lower()) + 1 if unit else 0
    number: int = int(found[1].lstrip("-").lstrip("0") or 0) * (-1 if found[1].startswith("-") else 1)
    if number not in _INT_64:
        return None
    product: int = number * (1024 if found["binary"] else 1000) ** power
    return (product - _INT_64.start) % 2**64 + _INT_64.start  # it overflows like an integer of Go
