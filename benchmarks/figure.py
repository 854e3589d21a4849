"""One measured figure, its bound, and how it is printed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A measured figure.

    Attributes:
        name: What was measured.
        value: The figure that has a bound.
        bound: The most that it may be.
        unit: What both are counted in, `""` for a plain ratio.
        beside: What it was measured beside, and the ratio to that.
        detail: The measurements behind it.
        reason: Why it is missed, where that is known.
    """

    name: str
    value: float
    bound: float
    unit: str
    beside: str
    detail: str = ""
    reason: str = ""

    @property
    def held(self) -> bool:
        return self.value <= self.bound

    def __str__(self) -> str:
        verdict = "ok  " if self.held else "MISS"
        unit = f" {self.unit}" if self.unit else ""
        lines = [f"{verdict} {self.name}: {self.value:.4g}{unit} (bound {self.bound:g}{unit}); {self.beside}"]
        more = [self.detail, "" if self.held or not self.reason else f"missed because {self.reason}"]
        return "\n".join([*lines, *(f"     {each}" for each in more if each)])
