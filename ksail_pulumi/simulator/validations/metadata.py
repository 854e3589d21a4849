"""Limits on IDs, labels and annotations, which hold for every type."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from ksail_pulumi.omni.resources import Resource

LONGEST_NAME = 1024
"""Bytes in an ID or in the key of a label or annotation."""
LONGEST_VALUE = 16 * 1024
"""Bytes in the value of a label or annotation."""
MOST_ENTRIES = 256
"""How many labels, and how many annotations, a resource may have."""


def faults(resource: Resource) -> Iterator[str]:
    """What is wrong with a resource's metadata."""
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
    """Whether there is a character of Unicode's category Cc in a text, tabs and newlines included."""
    return any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in text)
