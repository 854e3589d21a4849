"""The parsers of PyYAML: those in C where PyYAML has them, otherwise those in Python.

PyYAML has no C part where there is no wheel for the platform and libyaml is not installed. Both accept the same texts;
only the texts of their errors differ.
"""

from __future__ import annotations

from typing import Any

import yaml

SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Makes plain data of the types of YAML 1.1."""

BaseLoader: type[yaml.BaseLoader] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""Makes all scalars strings."""


def load(text: str) -> Any:
    """The only document of a text as plain data.

    Raises:
        yaml.YAMLError: It is not valid YAML.
    """
    return yaml.load(text, SafeLoader)  # noqa: S506 -- both loaders are the safe one
