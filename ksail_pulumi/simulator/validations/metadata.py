"""Limits on IDs, labels and annotations of all types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from ksail_pulumi.omni.resources import Resource

LONGEST_NAME = 1024
"""The maximum length of an ID or a key of a label or annotation, in bytes."""
LONGEST_VALUE = 16 * 1024
"""The maximum length of a value of a label or annotation, in bytes."""
MOST_ENTRIES = 256
"""The maximum number of labels, and of annotations."""

_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def faults(resource: Resource) -> Iterator[str]:
    """The errors in the metadata of a resource."""
    size = len(resource.id.encode())
    if not size:
        yield "resource ID must not be empty"
    elif size > LONGEST_NAME:
        yield f"resource ID is too long: {size} bytes (max {LONGEST_NAME})"
    elif has_control_characters(resource.id):
        yield "resource ID must not contain control characters"
    yield from _entries("label", resource.labels)
    yield from _entries("annotation", resource.annotations)


def _entries(what: str, entries: Mapping[str, str]) -> Iterator[str]:
    if len(entries) > MOST_ENTRIES:
        yield f"too many {what}s: {len(entries)} (max {MOST_ENTRIES})"
        return
    for key, value in sorted(entries.items()):
        quoted = json.dumps(key, ensure_ascii=False)
        if not key:
            yield f"{what} key must not be empty"
        elif len(key.encode()) > LONGEST_NAME:
            yield f"{what} key is too long: {len(key.encode())} bytes (max {LONGEST_NAME})"
        elif has_control_characters(key):
            yield f"{what} key {quoted} must not contain control characters"
        if len(value.encode()) > LONGEST_VALUE:
            yield f"{what} value for key {quoted} is too long: {len(value.encode())} bytes (max {LONGEST_VALUE})"
        elif has_control_characters(value):
            yield f"{what} value for key {quoted} must not contain control characters"


def has_control_characters(text: str) -> bool:
    """Whether a text contains control characters (Unicode category Cc), including tabs and newlines."""
    return _CONTROL_CHARACTER.search(text) is not None
