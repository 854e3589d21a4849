"""Omni's label selectors: `a, !b, zone in (x, y), omni.sidero.dev/cores >= 4` (machine classes, queries).

Grammar: https://omni.siderolabs.com/docs, "Machine Classes"; error texts of Omni v1.10.4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<quoted>"(?:[^"\\]|\\.)*"|'[^']*')
      | (?P<symbol>==|!=|>=|<=|[=!<>(),])
      | (?P<word>[^\s=!<>(),"']+)
    )""",
    re.VERBOSE,
)
_OPERATORS = ("==", "=", "!=", ">=", ">", "in", "notin", "<=", "<")


class SelectorError(Exception):
    """The text is not a valid selector; the message is Omni's."""


@dataclass(frozen=True)
class _Term:
    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "exists":
                return value is not None
            case "!":
                return value is None
            case "in":
                return value in self.values
            case "notin" | "!=":
                return value not in self.values
        return value is not None and _ORDER[self.operator](*_numbers(value, self.values[0]))


@dataclass(frozen=True)
class Selector:
    """A label selector; all of its terms must match."""

    terms: tuple[_Term, ...]

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(term.matches(labels) for term in self.terms)

    @property
    def keys(self) -> frozenset[str]:
        """The labels in its terms."""
        return frozenset(term.key for term in self.terms)


def matches_any(selectors: Sequence[str], labels: Mapping[str, str]) -> bool:
    """Whether one of the selectors of a machine class matches.

    Raises:
        SelectorError: One of them is not valid.
    """
    return any(parse(text).matches(labels) for text in selectors)


def parse(text: str) -> Selector:
    """Parse a selector; an empty text selects everything.

    Raises:
        SelectorError: The text is not a valid selector.
    """
    tokens = _tokens(text)
    terms: list[_Term] = []
    while tokens:
        terms.append(_term(tokens))
        if tokens and tokens.pop(0) != ",":
            raise SelectorError("unable to parse term: expected ','")
    return Selector(tuple(terms))


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    text = text.rstrip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise SelectorError(f"unable to parse term: unterminated quote in {text!r}")
        position = found.end()
        tokens.append(found["quoted"][1:-1] if found["quoted"] else found["symbol"] or found["word"])
    return tokens


def _term(tokens: list[str]) -> _Term:
    key = tokens.pop(0)
    if key == "!":
        if not tokens:
            raise SelectorError("unable to parse term: found '', expected: identifier")
        return _Term(tokens.pop(0), "!")
    if key in (*_OPERATORS, "(", ")", ","):
        raise SelectorError(f"unable to parse term: found '{key}', expected: identifier")
    if not tokens or tokens[0] == ",":
        return _Term(key, "exists")
    operator = tokens.pop(0)
    if operator not in _OPERATORS:
        raise SelectorError(f"unable to parse term: found '{operator}', expected: {', '.join(_OPERATORS)}")
    if operator in ("in", "notin"):
        return _Term(key, operator, _set(tokens))
    value = tokens.pop(0) if tokens and tokens[0] != "," else ""
    return _Term(key, "in" if operator in ("=", "==") else operator, (value,))


def _set(tokens: list[str]) -> tuple[str, ...]:
    if not tokens or tokens.pop(0) != "(":
        raise SelectorError("unable to parse term: expected '('")
    values: list[str] = []
    while tokens and tokens[0] != ")":
        values.append(tokens.pop(0))
        if tokens and tokens[0] == ",":
            tokens.pop(0)
    if not tokens:
        raise SelectorError("unable to parse term: expected ')'")
    tokens.pop(0)
    return tuple(values)


def _numbers(left: str, right: str) -> tuple[float, float]:
    """Compare as numbers, without units such as `GiB`; anything else does not match."""
    found = [re.match(r"\s*-?\d+(?:\.\d+)?", text) for text in (left, right)]
    if found[0] is None or found[1] is None:
        return (float("nan"), float("nan"))
    return (float(found[0][0]), float(found[1][0]))


_ORDER: Mapping[str, Callable[[float, float], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}
