"""Omni's label selectors: `a, !b, zone in (x, y), omni.sidero.dev/cores >= 4` (machine classes, queries).

Grammar and error texts of Omni (`client/pkg/cosi/labels`), comparison of cosi-project/runtime v1.16.2
(`pkg/resource/internal/compare`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

_SPACES = " \t\r\n"
_SYMBOLS = "=!(),<>"
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
            case "in" | "=" | "==":
                return value in self.values
            case "notin" | "!=":
                return value not in self.values
        if value is None:
            return False
        left, right = _number(value), _number(self.values[0])
        return left is not None and right is not None and _ORDER[self.operator](left, right)


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
    tokens = _Tokens(text)
    terms: list[_Term] = []
    while tokens.next.kind != "end":
        if not (tokens.next.names or tokens.next.is_one_of("!")):
            after = "identifier after ','" if terms else "!, identifier, or 'end of string'"
            raise SelectorError(f"found '{tokens.next.text}', expected: {after}")
        try:
            terms.append(_term(tokens))
        except SelectorError as error:
            raise SelectorError(f"unable to parse term: {error}") from None
        end = tokens.take()
        if end.kind == "end":
            break
        if not end.is_one_of(","):
            raise SelectorError(f"found '{end.text}', expected: ',' or 'end of string'")
        if tokens.next.kind == "end":
            raise SelectorError("found '', expected: identifier after ','")
    return Selector(tuple(terms))


@dataclass(frozen=True)
class _Token:
    kind: str  # word, quoted, symbol, end, error
    text: str

    @property
    def names(self) -> bool:
        """Whether it is a key or a value."""
        return self.kind in ("word", "quoted")

    def is_one_of(self, *symbols: str) -> bool:
        return self.kind != "quoted" and self.text in symbols


class _Tokens:
    """The tokens of a selector. After an operator, spaces are part of a word, up to the next comma."""

    def __init__(self, text: str) -> None:
        self._tokens = _scan(text)
        self.next = next(self._tokens)

    def take(self) -> _Token:
        token, self.next = self.next, next(self._tokens, _Token("end", ""))
        return token


def _scan(text: str) -> Iterator[_Token]:
    spaced = in_list = False
    position = 0
    while True:
        while position < len(text) and text[position] in _SPACES:
            position += 1
        if position == len(text):
            yield _Token("end", "")
            return
        if text[position] == '"':
            token, position = _quoted(text, position + 1)
            yield token
            continue
        if text[position] in _SYMBOLS:
            pair = text[position : position + 2]
            token = _Token("symbol", pair if pair in _OPERATORS else text[position])
            position += len(token.text)
        else:
            start = position
            while position < len(text) and text[position] not in (_SYMBOLS if spaced else _SYMBOLS + _SPACES):
                position += 1
            token = _Token("word", text[start:position])
        if token.text in ("(", ")"):
            in_list = token.text == "("
        elif token.text == ",":
            spaced = spaced and in_list
        spaced = spaced or token.text in (*_OPERATORS, "!")
        yield token


def _quoted(text: str, position: int) -> tuple[_Token, int]:
    found = ""
    while position < len(text) and text[position] != '"':
        if text[position] == "\\":
            position += 1
            if position == len(text):
                return _Token("error", "unterminated escape sequence in quoted string"), position
        found += text[position]
        position += 1
    if position == len(text):
        return _Token("error", "unterminated quoted string"), position
    return _Token("quoted", found), position + 1


def _term(tokens: _Tokens) -> _Term:
    first = tokens.take()
    key = tokens.take() if first.is_one_of("!") else first
    if not key.names:
        raise SelectorError(f"found '{key.text}', expected: identifier")
    if _ends(tokens.next):
        return _Term(key.text, "exists" if key is first else "!")
    if key is not first:
        raise SelectorError("expected EOF or ',', found ")
    found = tokens.take()
    if not found.is_one_of(*_OPERATORS):
        raise SelectorError(f"found '{found.text}', expected: {', '.join(_OPERATORS)}")
    values = _set(tokens) if found.text in ("in", "notin") else (_value(tokens),)
    return _Term(key.text, found.text, values)


def _ends(token: _Token) -> bool:
    return token.kind == "end" or token.is_one_of(",")


def _value(tokens: _Tokens) -> str:
    if _ends(tokens.next):
        return ""
    token = tokens.take()
    if not token.names:
        raise SelectorError(f"found '{token.text}', expected: identifier")
    return token.text


def _set(tokens: _Tokens) -> tuple[str, ...]:
    """The values in parentheses; nothing between two commas is the empty value."""
    if not (token := tokens.take()).is_one_of("("):
        raise SelectorError(f"found '{token.text}' expected: '('")
    values: list[str] = []
    expected = "',', ')' or identifier"
    while True:
        if not (tokens.next.names or tokens.next.is_one_of(",", ")")):
            raise SelectorError(f"found '{tokens.next.text}', expected: {expected}")
        values.append(tokens.take().text if tokens.next.names else "")
        token = tokens.next
        if not token.is_one_of(",", ")"):
            raise SelectorError(f"found '{token.text}', expected: ',' or ')'")
        tokens.take()
        if token.text == ")":
            return tuple(values)
        expected = "',', or identifier"


def _number(text: str) -> int | None:
    """The whole number that a text begins with, times its unit; None if it has none."""
    text = text.strip()
    digits = len(text) - len(text.lstrip("-0123456789"))
    unit = text[digits:].strip().lower()
    try:
        number = int(text[:digits])
    except ValueError:
        return None
    if not -(1 << 63) <= number < 1 << 63 or (unit and unit[0] not in "kmgtp"):
        return None
    power = "kmgtp".index(unit[0]) + 1 if unit else 0
    number *= 1 << (10 * power) if unit[1:2] == "i" else 10 ** (3 * power)
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


_ORDER: Mapping[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
