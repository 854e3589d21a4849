"""Label and ID queries of the State API (https://github.com/cosi-project/runtime, `resource.LabelQuery`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import grpc

from ksail_pulumi.omni.api import resource_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.simulator.store import StoreError

Predicate = Callable[[Resource], bool]

_Operation = resource_pb2.LabelTerm.Operation

# Go names the same faults of a regular expression in its own words.
_GO_FAULTS = (
    ("unterminated character set", "missing closing ]"),
    ("missing ), unterminated subpattern", "missing closing )"),
    ("unbalanced parenthesis", "unexpected )"),
    ("nothing to repeat", "missing argument to repetition operator"),
    ("multiple repeat", "invalid nested repetition operator"),
    ("bad character range", "invalid character class range"),
    ("bad escape", "invalid escape sequence"),
)


def predicate(labels: Sequence[resource_pb2.LabelQuery], ids: resource_pb2.IDQuery) -> Predicate:
    """What a list or watch asks for: any of the label queries, each with all of its terms, and the ID's pattern.

    Raises:
        StoreError: The pattern is no regular expression, or a term has no value.
    """
    pattern = _compiled(ids.regexp) if ids.regexp else None
    alternatives = [[_term(term) for term in query.terms] for query in labels]

    def matches(resource: Resource) -> bool:
        if pattern is not None and not pattern.search(resource.id):
            return False
        return not alternatives or any(all(term(resource) for term in terms) for terms in alternatives)

    return matches


def cluster_of(labels: Sequence[resource_pb2.LabelQuery], key: str) -> str | None:
    """The value that every resource asked for has under a label, if the query says so."""
    if len(labels) != 1:
        return None
    for term in labels[0].terms:
        if term.key == key and term.op == _Operation.EQUAL and not term.invert and len(term.value) == 1:
            return term.value[0]
    return None


def _compiled(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        fault = next((go for python, go in _GO_FAULTS if error.msg.startswith(python)), error.msg)
        shown = text[error.pos or 0 :] if "closing" not in fault or "]" in fault else text
        refusal = f"failed to compile regexp: error parsing regexp: {fault}: `{shown}`"
        raise StoreError(grpc.StatusCode.INVALID_ARGUMENT, refusal) from error


def _term(term: resource_pb2.LabelTerm) -> Predicate:
    test = _test(term)
    inverted = term.invert or term.op == _Operation.NOT_EXISTS
    return lambda resource: test(resource.labels.get(term.key)) != inverted


def _test(term: resource_pb2.LabelTerm) -> Callable[[str | None], bool]:
    values = tuple(term.value)
    if term.op in (_Operation.EXISTS, _Operation.NOT_EXISTS):
        return lambda value: value is not None
    if term.op == _Operation.IN:
        return lambda value: value in values
    if not values:
        text = "runtime error: index out of range [0] with length 0"
        raise StoreError(grpc.StatusCode.INTERNAL, text)
    wanted = values[0]
    if term.op == _Operation.EQUAL:
        return lambda value: value == wanted
    if term.op == _Operation.LT:
        return lambda value: value is not None and value < wanted
    if term.op == _Operation.LTE:
        return lambda value: value is not None and value <= wanted
    if term.op == _Operation.LT_NUMERIC:
        return lambda value: value is not None and _number(value) < _number(wanted)
    return lambda value: value is not None and _number(value) <= _number(wanted)


def _number(text: str) -> float:
    found = re.match(r"\s*-?\d+", text)
    return float(found[0]) if found else float("nan")
