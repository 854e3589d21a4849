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


def predicate(labels: Sequence[resource_pb2.LabelQuery], ids: resource_pb2.IDQuery) -> Predicate:
    """A test for the resources of a list or watch: one of the label queries with all its terms, and the ID's pattern.

    Raises:
        StoreError: The pattern is not a regular expression, or a term has no value.
    """
    pattern = _compiled(ids.regexp) if ids.regexp else None
    alternatives = [[_term(term) for term in query.terms] for query in labels]

    def matches(resource: Resource) -> bool:
        if pattern is not None and not pattern.search(resource.id):
            return False
        return not alternatives or any(all(term(resource) for term in terms) for terms in alternatives)

    return matches


def cluster_of(labels: Sequence[resource_pb2.LabelQuery], key: str) -> str | None:
    """The value of a label that the query requires, if it requires exactly one."""
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
        # The text of Go's parser, as far as it was seen on a server.
        fault = "missing closing ]" if error.msg.startswith("unterminated character set") else error.msg
        refusal = f"failed to compile regexp: error parsing regexp: {fault}: `{text[error.pos or 0 :]}`"
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
        raise StoreError(grpc.StatusCode.INVALID_ARGUMENT, f"label query of {term.key!r} has no value")
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
