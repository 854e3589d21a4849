"""Writes YAML the way Go's YAML library does, which Omni and Talos use."""

from __future__ import annotations

from typing import Any

import yaml


class _Indented(yaml.SafeDumper):
    """Lists are indented below their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


def dump(data: Any) -> str:
    """Data as YAML text: four spaces a level, keys in the order that they have."""
    return yaml.dump(data, Dumper=_Indented, indent=4, sort_keys=False, allow_unicode=True)
