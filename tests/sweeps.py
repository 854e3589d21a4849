"""What `make test` runs a sample of, and `make sweeps` the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable


def sample(cases: Iterable[Any], count: int = 1) -> list[Any]:
    """Cases for `parametrize`: the first `count` of them run in `make test`, the others in `make sweeps`."""
    cases = list(cases)
    return [*cases[:count], *(pytest.param(case, marks=pytest.mark.sweep) for case in cases[count:])]
