"""Which fields a Talos machine configuration has, and of which kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

V1ALPHA1: Mapping[str, Any] = {}
DOCUMENTS: Mapping[str, Mapping[str, Any]] = {}


def unknown_keys(value: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a configuration that the schema does not know."""
    return {}


def type_faults(node: yaml.Node, schema: Any) -> Iterator[str]:
    """Values that cannot be what the schema wants."""
    yield from ()
