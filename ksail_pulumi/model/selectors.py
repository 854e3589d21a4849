"""Label selectors, in the grammar that Omni uses for machine classes.

Terms are separated by commas, and all must match: `a` (the label exists), `!a`, `a = b` or `a == b`, `a != b`,
`a < 5`, `<=`, `>`, `>=` (numbers; a unit behind the number, as in `16GiB`, is ignored), `a in (x, y)`, `a notin (x)`.
Values may be in double quotes. A name without a slash is the machine's own label of that name or, if there is none,
Omni's (`arch` for `omni.sidero.dev/arch`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

OMNI_PREFIX = "omni.sidero.dev/"
"""The prefix of Omni's own labels and annotations."""

_WORD = r'"(?:[^"\\]|\\.)*"|[^\s,()=!<>"]+'
_TERM = re.compile(
    rf"""\s*(?:
        (?P<absent>!)\s*(?P<absent_key>{_WORD})
      | (?P<key>{_WORD})
        (?: \s*(?P<operator>==|!=|<=|>=|=|<|>)\s*(?P<value>{_WORD})
          | \s+(?P<set>in|notin)\s*\(\s*(?P<values>(?:{_WORD})(?:\s*,\s*(?:{_WORD}))*)\s*\)
        )?
    )\s*(?P<end>,|$)""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"\s*([-+]?[0-9]+(?:\.[0-9]+)?)\s*[A-Za-z%]*\s*")


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
    while True:
        found = _TERM.match(text, position)
        if not found:
            rest = text[position:].strip()
            raise ValueError(f"syntax error at character {position + 1}" if rest else "a term is missing")
        terms.append(_term(found))
        position = found.end()
        if not found["end"]:
            return Selector(tuple(terms))


def _term(found: re.Match[str]) -> Term:
    if found["absent"]:
        return Term(_unquoted(found["absent_key"]), "absent")
    key, operator = _unquoted(found["key"]), found["operator"]
    if found["set"]:
        return Term(key, found["set"], tuple(_unquoted(word) for word in re.findall(_WORD, found["values"])))
    if operator is None:
        return Term(key, "exists")
    value = _unquoted(found["value"])
    if operator in ("=", "=="):
        return Term(key, "in", (value,))
    if operator == "!=":
        return Term(key, "notin", (value,))
    if _number(value) is None:
        raise ValueError(f"the right side of {operator} should be a number")
    return Term(key, operator, (value,))


def _unquoted(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if word.startswith('"') else word


def _number(text: str | None) -> float | None:
    found = _NUMBER.fullmatch(text) if text is not None else None
    return float(found[1]) if found else None
