"""`ksail-pulumi schema`: JSON schemas of inputs, ksail.yaml and cluster templates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ksail_pulumi.formats.schema import SCHEMAS

if TYPE_CHECKING:
    import argparse


def run(options: argparse.Namespace) -> int:
    print(json.dumps(SCHEMAS[options.of](), indent=2, ensure_ascii=False))
    return 0
