"""The schema that the plugin serves."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

TYPE = "ksail:index:KSailCluster"
"""The type of the component."""


def schema() -> dict[str, Any]:
    """The schema that `make args` has written, with the version of this package."""
    text = Path(__file__).with_name("schema.json").read_text(encoding="utf-8")
    return {**json.loads(text), "version": metadata.version("ksail-pulumi")}
